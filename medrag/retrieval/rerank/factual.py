"""Reports in the order of how much they say the same: labels and facts, not words."""

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from typing import Literal, get_args

from medrag.protocols import Library
from medrag.records import Filter, Hit, Question
from medrag.retrieval.checking import check_choice, check_positive, check_shares
from medrag.retrieval.rerank.findings import (
    Fact,
    Findings,
    Labeller,
    WordLabeller,
    facts_of,
    findings_in,
    findings_of,
    overlap,
)
from medrag.retrieval.rerank.ordering import ordered

Against = Literal["consensus", "question", "draft"]


class FactualReranker:
    """Order reports by factual similarity, as FactMM-RAG mines the pairs of its retriever.

    Two reports are alike by the F1 of their observations (CheXbert's, positive or uncertain) and
    the F1 of their facts (RadGraph's triples). They are a pair where both reach their thresholds.
    A report's score is the mean of the two F1, and 1 more for a pair, so that pairs stand first.

    A report is held against a text: the question itself ("question", for a search by a report), or
    the last answer of its history ("draft", for a report that was drafted already). "consensus"
    is the mean over the other reports, and what is done where such a text is blank. It prefers
    what is common: of 280 reports with findings it made the first hit worse (F1 of MeSH headings
    0.40 to 0.29), while half of the score for what a report says, beside BM25, made the first three
    of 400 better (0.43 to 0.49).

    What is approximate: FactMM-RAG uses this similarity to mine training pairs, and retrieves by
    the model trained on them; here it orders what another retriever found. Observations are those
    of the field "labels" where a report has it, and facts those of the field "facts", or the
    passages of kind fact of its study, so that CheXbert and RadGraph can be run beforehand. Else
    they are read from its words: of lists, with negation, hedges counting as present, in English;
    facts are whether an observation is present, and the places that its sentence names, not
    RadGraph's entities. If only one of two reports has facts of its own, both are compared by
    their words.

    Args:
        library: the passages of the index, for the facts of studies, which are read once; None
            does without.
        against: what a report is held against.
        min_labels: F1 of observations that a pair needs; 1.0 in the paper.
        min_facts: F1 of facts; 0.4 in the paper.
        keep: hits that are returned at most; 3 in the paper, None for all.
        pairs_only: return pairs only; of a consensus, reports that are pairs with any other.
        labeller: tells the observations of a text; None for lists of words.

    Raises:
        ValueError: if a setting is out of range.

    Source:
        FactMM-RAG: Sun et al., NAACL 2025. F1-CheXbert: Smit et al., EMNLP 2020; F1-RadGraph:
        Delbrouck et al., EMNLP Findings 2022.
    """

    name = "factual"

    def __init__(
        self,
        *,
        library: Library | None = None,
        against: Against = "consensus",
        min_labels: float = 1.0,
        min_facts: float = 0.4,
        keep: int | None = 3,
        pairs_only: bool = False,
        labeller: Labeller | None = None,
    ) -> None:
        check_choice("against", against, get_args(Against))
        check_shares(min_labels=min_labels, min_facts=min_facts)
        check_positive(keep=keep)
        self.library = library
        self.against: Against = against
        self.min_labels = min_labels
        self.min_facts = min_facts
        self.keep = keep
        self.pairs_only = pairs_only
        self.labeller: Labeller = labeller or WordLabeller()

    def rerank(
        self, questions: Sequence[Question], rankings: Sequence[Sequence[Hit]]
    ) -> list[list[Hit]]:
        """Order each ranking; hits that are no reports come last."""
        return [
            self._reranked(question, hits)
            for question, hits in zip(questions, rankings, strict=True)
        ]

    def _reranked(self, question: Question, hits: Sequence[Hit]) -> list[Hit]:
        reports = [
            findings_of(hit.passage, self.labeller, self._extracted)
            if hit.passage.kind == "report"
            else None
            for hit in hits
        ]
        alike = self._alike(question, reports)
        scores = [sum(each) / len(each) if each else math.nan for each in alike]
        found = ordered(hits, scores, self.name)
        if self.pairs_only:
            paired = [hit.passage.id for hit, each in zip(hits, alike, strict=True) if _pair(each)]
            kept = [hit for hit in found if hit.passage.id in paired]
            found = [replace(hit, rank=rank) for rank, hit in enumerate(kept, start=1)]
        return found[: self.keep]

    def _alike(self, question: Question, reports: Sequence[Findings | None]) -> list[list[float]]:
        """Give the similarities of each report to all that it is held against."""
        text = _text(question, self.against)
        if text.strip():
            held = findings_in(text, self.labeller)
            return [[] if each is None else [self.similarity(held, each)] for each in reports]
        return [
            [
                self.similarity(mine, other)
                for n, other in enumerate(reports)
                if n != place and other is not None
            ]
            if mine is not None
            else []
            for place, mine in enumerate(reports)
        ]

    @cached_property
    def _extracted(self) -> dict[str, set[Fact]]:
        """Gather the facts of each study."""
        facts: dict[str, set[Fact]] = {}
        if self.library is not None:
            for _, passage in self.library.passages_where(Filter(kinds=frozenset({"fact"}))):
                if passage.source.study is not None:
                    found = facts.setdefault(passage.source.study, set())
                    found |= facts_of([passage.fields])
        return facts

    def similarity(self, one: Findings, two: Findings) -> float:
        """Score two reports: the mean F1 of observations and facts, and 1 more for a pair."""
        labels = overlap(one.present, two.present)
        if one.given is not None and two.given is not None:
            facts = overlap(one.given, two.given)
        else:
            facts = overlap(one.worded, two.worded)
        is_pair = labels >= self.min_labels and facts >= self.min_facts
        return float(is_pair) + (labels + facts) / 2


def _text(question: Question, against: Against) -> str:
    """Give what reports are held against; "" for each other."""
    if against == "question":
        return question.text
    return question.history[-1].answer if against == "draft" and question.history else ""


def _pair(similarities: Sequence[float]) -> bool:
    # The mean F1 of what is no pair is below 1.
    return any(each >= 1 for each in similarities)
