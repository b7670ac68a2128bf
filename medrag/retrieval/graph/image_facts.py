"""From a picture to facts, through an encoder that reads pictures and facts into one space."""

from collections.abc import Mapping, Sequence
from typing import Any

from medrag.protocols import Channel, Library
from medrag.records import Filter, Hit, Part, Question, Retrieved, ScoredRow
from medrag.retrieval.checking import check_asked, check_positive
from medrag.retrieval.graph.statements import (
    FACT,
    Supported,
    counted,
    narrowed,
    support,
    supported,
)
from medrag.retrieval.guarding import allows


class ImageFactsRetriever:
    """The facts nearest to a question's picture, equal ones once, with how many studies say them.

    Facts that the question's filter keeps out (of its own patient, study or picture) are no
    candidates; the paper leaves out those of the same picture alone. Support is the number of
    studies that state a fact among the `counted` rows nearest to the picture, the fact's own
    included; it is in `Hit.parts["support"]` and in the passage's fields, with the ids of further
    passages in "same_as". It does not order the hits.

    A question without a picture gets no hits, and at most `keep` where k is more.

    Args:
        rows: the passages of the index.
        channel: whose encoder reads the question's picture, and whose rows are texts of facts: in
            an index, {encoder: {kind: clip, model: ..., passages: text}, side: image}.
        candidates: different facts that are considered.
        keep: of these, how many are returned.
        counted: rows in which support is counted; never fewer than candidates.

    Raises:
        ValueError: if a number is below 1, or keep is more than candidates.

    Source:
        KG-LLaVA, arXiv 2410.04749, section "retrieval": 15 by inner product, 7 kept. Counting
        studies is an addition.
    """

    def __init__(
        self,
        *,
        rows: Library,
        channel: Channel,
        candidates: int = 15,
        keep: int = 7,
        counted: int = 500,
    ) -> None:
        check_positive(candidates=candidates, keep=keep, counted=counted)
        if keep > candidates:
            raise ValueError(f"keep must be at most candidates ({candidates}), got {keep}")
        self.rows = rows
        self.channel = channel
        self.candidates = candidates
        self.keep = keep
        self.counted = max(counted, candidates)

    def retrieve(
        self, questions: Sequence[Question], k: int, filters: Sequence[Filter]
    ) -> list[list[Hit]]:
        """Rank facts for each question with a picture, at most k and at most `keep`.

        Raises:
            ValueError: if k is below 1, or questions and filters differ in number.
        """
        return [list(each.hits) for each in self.retrieve_traced(questions, k, filters)]

    def retrieve_traced(
        self, questions: Sequence[Question], k: int, filters: Sequence[Filter]
    ) -> list[Retrieved]:
        """As `retrieve`; the trace tells how many facts were left out for being said already."""
        check_asked(questions, k, filters)
        masks = [narrowed(wanted, FACT) for wanted in filters]
        asked = [at for at, mask in enumerate(masks) if mask is not None and questions[at].images]
        found: list[Retrieved] = [Retrieved(()) for _ in questions]
        rankings = self.channel.search(
            [questions[at] for at in asked], self.counted, [masks[at] or Filter() for at in asked]
        )
        for at, ranking in zip(asked, rankings, strict=True):
            found[at] = self._kept(questions[at], ranking, filters[at], k)
        return found

    def _kept(
        self, question: Question, ranking: Sequence[ScoredRow], wanted: Filter, k: int
    ) -> Retrieved:
        passages = self.rows.passages_at([one.row for one in ranking])
        scored = [
            (passage, one.score)
            for passage, one in zip(passages, ranking, strict=True)
            if passage.kind in FACT and allows(wanted, passage)
        ]
        merged = supported(scored)
        candidates = merged[: self.candidates]
        hits = tuple(
            _hit(each, rank, question)
            for rank, each in enumerate(candidates[: min(k, self.keep)], start=1)
        )
        trace: Mapping[str, Any] = {
            "step": "image_facts", "rows": len(scored), "statements": len(merged),
            "candidates": len(candidates), "kept": len(hits),
        }  # fmt: skip
        return Retrieved(hits, (trace,))


def _hit(one: Supported, rank: int, question: Question) -> Hit:
    parts = {
        "image_facts": Part(rank, one.score),
        "support": Part(rank, float(support(one.passages))),
    }
    return Hit(counted(one.passage, one.passages), one.score, rank, question.text, parts)
