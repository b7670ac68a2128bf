"""Classifiers and retrievers of a few lines."""

from collections.abc import Mapping, Sequence

from medrag.records import (
    Filter,
    Hit,
    Part,
    Passage,
    Question,
    Retrieved,
    Routing,
    Source,
    Usage,
)


def passage(name: str, domain: str | None = None) -> Passage:
    return Passage(name, "text", name, Source("c", f"{name}.txt", "0" * 64, domain=domain))


class Says:
    """A classifier that routes every question alike, or by its text."""

    def __init__(self, routing: Routing, **by_text: Routing) -> None:
        self.routing = routing
        self.by_text = by_text
        self.asked: list[str] = []

    def classify(self, questions: Sequence[Question]) -> list[Routing]:
        self.asked += [question.text for question in questions]
        return [self.by_text.get(question.text, self.routing) for question in questions]


class Holds:
    """A retriever of passages by name and domain, which keeps to the filter's domains."""

    def __init__(self, name: str, passages: Mapping[str, str | None]) -> None:
        self.name = name
        self.passages = [passage(each, domain) for each, domain in passages.items()]
        self.asked: list[tuple[list[str], int, list[Filter]]] = []

    def retrieve_traced(
        self, questions: Sequence[Question], k: int, filters: Sequence[Filter]
    ) -> list[Retrieved]:
        self.asked.append(([q.text for q in questions], k, list(filters)))
        found = []
        for wanted in filters:
            kept = [
                each
                for each in self.passages
                if not wanted.domains or each.source.domain in wanted.domains
            ][:k]
            hits = tuple(
                Hit(each, 1 / rank, rank, parts={self.name: Part(rank, 1 / rank)})
                for rank, each in enumerate(kept, start=1)
            )
            found.append(Retrieved(hits, ({"step": self.name},), Usage(1, 2, 0.5)))
        return found

    def retrieve(
        self, questions: Sequence[Question], k: int, filters: Sequence[Filter]
    ) -> list[list[Hit]]:
        return [list(each.hits) for each in self.retrieve_traced(questions, k, filters)]


def names(hits: Sequence[Hit]) -> list[str]:
    return [hit.passage.id for hit in hits]


def known(*domains: str) -> Routing:
    return Routing(domains, True, {domains[0]: 0.9}, "known")


def unsure(**shares: float) -> Routing:
    order = sorted(shares, key=lambda name: -shares[name])
    return Routing(tuple(order), False, shares, "unsure")
