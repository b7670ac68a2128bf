"""From a picture to facts by what was found in similar cases: their reports vote."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from medrag.protocols import Channel, Library, Retriever
from medrag.records import Filter, Hit, Part, Passage, Question, Retrieved
from medrag.records.usage import together
from medrag.retrieval.checking import check_asked, check_positive
from medrag.retrieval.graph.linking import Linked, Text, linked, places_named
from medrag.retrieval.graph.statements import (
    FACT,
    Statement,
    counted,
    polarity,
    ranked,
    statement,
    topic,
)
from medrag.retrieval.guarding import allowed, allows
from medrag.retrieval.tracing import asked, is_repeatable, named

# What may be a similar case, whatever kinds a question wants back.
_CASES = frozenset({"report", "case", "image", "figure"})
_VOTES: Mapping[str, float] = {"present": 1.0, "uncertain": 0.5, "absent": -1.0}
_TRACED = 12
_LEAST = 1e-9


class CaseFactsRetriever:
    """Facts that similar cases agree on, each vote weighted by how similar its case is.

    Each case speaks once. Where the index holds facts of its study or of its picture, these are
    what it says; otherwise the concepts that its text names, linked through a graph, and the terms
    and facts that stand at them. A case that denies a fact votes against it, one that hedges counts
    half. A hit's score is the balance of the votes as a share of all weight, in (0, 1] (for linked
    facts, times their score in the graph); a fact that most deny comes back as the passage that
    denies it, and one whose votes cancel out does not come back. A concept that most deny brings
    nothing, and neither does a part of the body: a name of it tells nothing that is found there.

    `Hit.parts` has "support" and "against": how many studies (for linked facts: cases) say so and
    the contrary. The cases themselves are not returned.

    The facts of studies are looked through once, at the first question, and their rows kept.

    Args:
        rows: the passages of the index.
        cases: finds similar cases, by the picture say; kinds of a question's filter do not bind it.
        graph: links texts of cases to terms and facts; without it, only facts of studies count.
        describe: is asked with the name of each concept among the first hits; what it gives stands
            behind the first hit of the concept.
        n_cases: that vote.
        n_described: concepts that are described.
        descriptions: of each concept.

    Raises:
        ValueError: if a number is below 1.

    Source:
        Voting is ours. Several descriptions for a concept: DeViDe, arXiv 2404.03618; ARL, MM 2022,
        arXiv 2209.07118; K2Sight, arXiv 2508.04572.
    """

    def __init__(
        self,
        *,
        rows: Library,
        cases: Retriever,
        graph: Channel | None = None,
        describe: Retriever | None = None,
        n_cases: int = 10,
        n_described: int = 3,
        descriptions: int = 2,
    ) -> None:
        check_positive(n_cases=n_cases, n_described=n_described, descriptions=descriptions)
        self.rows = rows
        self.cases = cases
        self.graph = graph
        self.describe = describe
        self.n_cases = n_cases
        self.n_described = n_described
        self.descriptions = descriptions
        self.repeatable = is_repeatable(cases, describe)

    def retrieve(
        self, questions: Sequence[Question], k: int, filters: Sequence[Filter]
    ) -> list[list[Hit]]:
        """Rank facts for each question, at most k; equal scores in the order of the cases.

        Raises:
            ValueError: if k is below 1, or questions and filters differ in number.
        """
        return [list(each.hits) for each in self.retrieve_traced(questions, k, filters)]

    def retrieve_traced(
        self, questions: Sequence[Question], k: int, filters: Sequence[Filter]
    ) -> list[Retrieved]:
        """As `retrieve`; the trace tells the cases, and what they agree on and deny."""
        check_asked(questions, k, filters)
        masks = [replace(wanted, kinds=_CASES) for wanted in filters]
        given = asked(self.cases, questions, self.n_cases, masks)
        similar = [_once(each, mask) for each, mask in zip(given, masks, strict=True)]
        own = [
            [self._facts_of(hit.passage, wanted) for hit in each.hits]
            for each, wanted in zip(similar, filters, strict=True)
        ]
        links = iter(self._links(similar, own, filters))
        found = []
        for question, each, facts in zip(questions, similar, own, strict=True):
            cases = [
                _Case(hit, weight, facts_of_one, () if facts_of_one else next(links))
                for (hit, weight), facts_of_one in zip(_weighted(each.hits), facts, strict=True)
            ]
            found.append(_counted(question, cases))
        described = self._described(questions, [hits for hits, _ in found], filters)
        return [
            Retrieved(
                tuple(ranked(further.hits, k)),
                (*each.trace, trace, *further.trace),
                together((each.usage, further.usage)),
            )
            for each, (_, trace), further in zip(similar, found, described, strict=True)
        ]

    def _facts_of(self, case: Passage, wanted: Filter) -> list[Passage]:
        """Give the facts of a case's study, or else of its pictures, that a filter allows."""
        by_study, by_image = self._known
        rows = set(by_study.get(case.source.study or "", ()))
        if not rows:
            rows = {row for image in case.images for row in by_image.get(image.sha256 or "", ())}
        facts = self.rows.passages_at(sorted(rows))
        return [fact for fact in facts if allows(wanted, fact)]

    def _links(
        self,
        similar: Sequence[Retrieved],
        own: Sequence[Sequence[Sequence[Passage]]],
        filters: Sequence[Filter],
    ) -> list[Sequence[Linked]]:
        """Link the text of every case that has no facts of its own, in order; in one batch."""
        texts = [
            Text(hit.passage.text, wanted, hit.passage.source.language)
            for each, facts, wanted in zip(similar, own, filters, strict=True)
            for hit, facts_of_one in zip(each.hits, facts, strict=True)
            if not facts_of_one
        ]
        if self.graph is None:
            return [() for _ in texts]
        links = linked(self.graph, self.rows, texts)
        places = places_named([link for each in links for link in each])
        return [[link for link in each if link.concept not in places] for each in links]

    def _described(
        self,
        questions: Sequence[Question],
        found: Sequence[Sequence[Hit]],
        filters: Sequence[Filter],
    ) -> list[Retrieved]:
        """Put descriptions of the first concepts behind their hits."""
        if self.describe is None:
            return [Retrieved(tuple(hits)) for hits in found]
        concepts = [_concepts(hits)[: self.n_described] for hits in found]
        wanted = [
            (named(question, concept), mask)
            for question, names, mask in zip(questions, concepts, filters, strict=True)
            for concept in names
        ]
        told = iter(
            asked(self.describe, [q for q, _ in wanted], self.descriptions, [f for _, f in wanted])
        )
        described = []
        for hits, names, mask in zip(found, concepts, filters, strict=True):
            about = {name: next(told) for name in names}
            shown = {name: allowed(each.hits, mask) for name, each in about.items()}
            described.append(
                Retrieved(
                    tuple(_behind(hits, shown)),
                    tuple(step for each in about.values() for step in each.trace),
                    together(each.usage for each in about.values()),
                )
            )
        return described

    @cached_property
    def _known(self) -> tuple[Mapping[str, list[int]], Mapping[str, list[int]]]:
        """Note the rows of facts by study and by picture."""
        by_study: dict[str, list[int]] = defaultdict(list)
        by_image: dict[str, list[int]] = defaultdict(list)
        for row, fact in self.rows.passages_where(Filter(kinds=FACT)):
            if fact.source.study:
                by_study[fact.source.study].append(row)
            for image in fact.images:
                if image.sha256:
                    by_image[image.sha256].append(row)
        return dict(by_study), dict(by_image)


@dataclass(frozen=True, slots=True)
class _Case:
    hit: Hit
    weight: float
    facts: Sequence[Passage]
    links: Sequence[Linked]


@dataclass(slots=True)
class _Tally:
    """Votes for and against one thing, who cast them, and the passages that say so."""

    balance: float = 0.0
    voters: dict[bool, set[str]] = field(default_factory=lambda: {True: set(), False: set()})
    passages: dict[bool, list[Passage]] = field(default_factory=lambda: {True: [], False: []})
    best: dict[str, Linked] = field(default_factory=dict)

    def vote(self, value: float, voter: str) -> None:
        if value:
            self.balance += value
            self.voters[value > 0].add(voter)


def _voter(case: Passage) -> str:
    return case.source.study or case.id


def _once(found: Retrieved, wanted: Filter) -> Retrieved:
    """Let a study of several pictures speak once, by the most similar of them."""
    first: dict[str, Hit] = {}
    for hit in found.hits:
        if allows(wanted, hit.passage):
            first.setdefault(_voter(hit.passage), hit)
    return replace(found, hits=tuple(first.values()))


def _weighted(hits: Sequence[Hit]) -> list[tuple[Hit, float]]:
    """Weigh cases: by their score as a share of the best, or by rank where one is not positive."""
    if hits and all(hit.score > 0 for hit in hits):
        best = max(hit.score for hit in hits)
        return [(hit, hit.score / best) for hit in hits]
    return [(hit, 1.0 / hit.rank) for hit in hits]


def _counted(question: Question, cases: Sequence[_Case]) -> tuple[list[Hit], Mapping[str, Any]]:
    facts: dict[Statement, _Tally] = {}
    concepts: dict[str, _Tally] = {}
    for case in cases:
        voter = _voter(case.hit.passage)
        votes: dict[Statement, list[Passage]] = {}
        for fact in case.facts:
            votes.setdefault(topic(fact), []).append(fact)
        for said, stating in votes.items():
            value = sum(_VOTES[polarity(each)] for each in stating) / len(stating)
            tally = facts.setdefault(said, _Tally())
            tally.vote(case.weight * value, voter)
            for each in stating:
                tally.passages[polarity(each) != "absent"].append(each)
        for concept, affirmed in _said(case.links).items():
            concepts.setdefault(concept, _Tally()).vote(
                case.weight if affirmed else -case.weight, voter
            )
        for link in case.links:
            best = concepts[link.concept].best
            if link.passage.id not in best or best[link.passage.id].score < link.score:
                best[link.passage.id] = link
    total = sum(case.weight for case in cases) or 1.0
    hits = [*_of_facts(question, facts, total), *_of_concepts(question, concepts, total)]
    order = sorted({hit.passage.id: hit for hit in reversed(hits)}.values(), key=lambda h: -h.score)
    trace = {
        "step": "case_facts",
        "cases": [case.hit.passage.id for case in cases],
        "facts": sum(len(case.facts) for case in cases),
        "linked": sorted(name for name, each in concepts.items() if each.balance > 0)[:_TRACED],
        "denied": sorted(name for name, each in concepts.items() if each.balance < 0)[:_TRACED],
    }
    return order, trace


def _said(links: Sequence[Linked]) -> dict[str, bool]:
    """Tell of each concept whether a case affirms it anywhere."""
    said: dict[str, bool] = {}
    for link in links:
        said[link.concept] = said.get(link.concept, False) or link.affirmed
    return said


def _of_facts(question: Question, tallies: Mapping[Statement, _Tally], total: float) -> list[Hit]:
    hits = []
    for tally in tallies.values():
        affirmed = tally.balance > 0
        stating = tally.passages[affirmed]
        if abs(tally.balance) > _LEAST and stating:
            # What the most similar case says stands for all, if it says the very same.
            alike = [each for each in stating if statement(each) == statement(stating[0])]
            passage = counted(stating[0], alike)
            hits.append(_hit(question, passage, abs(tally.balance) / total, tally, affirmed))
    return hits


def _of_concepts(question: Question, tallies: Mapping[str, _Tally], total: float) -> list[Hit]:
    return [
        _hit(question, link.passage, tally.balance / total * min(link.score, 1.0), tally, True)
        for tally in tallies.values()
        if tally.balance > _LEAST
        for link in tally.best.values()
    ]


def _hit(question: Question, passage: Passage, score: float, tally: _Tally, affirmed: bool) -> Hit:
    n_for, n_against = len(tally.voters[affirmed]), len(tally.voters[not affirmed])
    parts = {"support": Part(1, float(n_for)), "against": Part(1, float(n_against))}
    return Hit(passage, score, 1, question.text, parts)


def _concepts(hits: Sequence[Hit]) -> list[str]:
    """Name what hits are about, the first first."""
    return list(dict.fromkeys(filter(None, map(_concept, hits))))


def _concept(hit: Hit) -> str:
    fields = hit.passage.fields
    return str(fields.get("head") or fields.get("name") or "")


def _behind(hits: Sequence[Hit], about: Mapping[str, Sequence[Hit]]) -> list[Hit]:
    listed = {hit.passage.id for hit in hits}
    placed: list[Hit] = []
    waiting = dict(about)
    for hit in hits:
        placed.append(hit)
        for other in waiting.pop(_concept(hit), ()):
            if other.passage.id not in listed:
                listed.add(other.passage.id)
                placed.append(replace(other, score=hit.score))
    return placed
