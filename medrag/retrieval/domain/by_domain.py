"""Ask the retriever of a question's domain; where it is not known, those of several."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

from medrag.protocols import DomainClassifier, Retriever
from medrag.records import Filter, Hit, Question, Retrieved, Routing
from medrag.records.usage import together
from medrag.retrieval import tracing
from medrag.retrieval.checking import check_asked
from medrag.retrieval.domain.merging import merged
from medrag.retrieval.domain.routed import Routed, routed

Unknown = Literal["two", "all"]
# Stands for what is asked by the default retriever without a domain; no domain is called so.
_ANY = ""
# Stands for a domain that is sure, to its retriever.
_ALONE = 1


class ByDomainRetriever:
    """Route each question to the retriever of its domain, and merge where the domain is unknown.

    A known domain is searched alone, by its own retriever, else by the default one. Where the
    domain is unknown, the likeliest two, or all, are searched and their rankings merged by
    reciprocal rank. A domain that nothing here stands for, or that the question's filter excludes,
    is never searched; if none is left, all that the filter allows are. Several pictures of a
    question vote in the classifier. Scores are those of the domain's retriever; where several were
    searched, sums of 1 / (c + rank).

    Args:
        classify: tells the domain; the pictures of a question vote there.
        domains: retrievers by domain, each with channels, encoders and, by `index`, passages of its
            own.
        default: for domains without a retriever of their own, and beside them for a question of
            which nothing is known.
        unknown: how many domains are searched for a question whose own is not known.
        filter: let a domain's retriever return passages of that domain only, for domains that
            share an index.
        c: damping of reciprocal ranks.

    Raises:
        ValueError: if there is no retriever, or a number or a choice is out of range.

    Source:
        Xia et al., "MMed-RAG", ICLR 2025 (domain-aware retrieval). Searching two or all, and
        merging by rank (Cormack, Clarke & Buettcher, SIGIR 2009), are ours.
    """

    def __init__(
        self,
        *,
        classify: DomainClassifier,
        domains: Mapping[str, Retriever] | None = None,
        default: Retriever | None = None,
        unknown: Unknown = "two",
        filter: bool = False,  # noqa: A002 - the word of the recipe
        c: float = 60.0,
    ) -> None:
        self.domains = dict(domains or {})
        if not self.domains and default is None:
            raise ValueError("name a retriever: domains: {NAME: {kind: ...}}, or a default")
        if _ANY in self.domains:
            raise ValueError("the name of a domain must not be empty")
        if unknown not in ("two", "all"):
            raise ValueError(f"unknown must be 'two' or 'all', got {unknown!r}")
        if c <= 0:
            raise ValueError(f"c must be positive, got {c}")
        self.classifier = classify
        self.default = default
        self.unknown = unknown
        self.filter = filter
        self.c = c
        self.repeatable = tracing.is_repeatable(*self.domains.values(), default, classify)

    def retrieve(
        self, questions: Sequence[Question], k: int, filters: Sequence[Filter]
    ) -> list[list[Hit]]:
        """Retrieve; see `retrieve_traced`."""
        return [list(each.hits) for each in self.retrieve_traced(questions, k, filters)]

    def retrieve_traced(
        self, questions: Sequence[Question], k: int, filters: Sequence[Filter]
    ) -> list[Retrieved]:
        """Retrieve; the first step of each trace, "route", tells what was searched and why.

        Raises:
            ValueError: if k is below 1, or questions and filters differ in number.
            MedragError: as the classifier and the retrievers do.
        """
        check_asked(questions, k, filters)
        found = routed(self.classifier, questions)
        chosen = [self._chosen(r.routing, f) for r, f in zip(found, filters, strict=True)]
        asked = self._asked(questions, k, filters, chosen)
        return [
            self._retrieved(one, searched, k) for one, searched in zip(found, asked, strict=True)
        ]

    def _chosen(self, routing: Routing, wanted: Filter) -> tuple[str, ...]:
        """Name the domains to search for a question, in the order of their likelihood."""
        allowed = wanted.domains
        named = [
            name
            for name in dict.fromkeys(routing.domains)
            if name
            and (name in self.domains or self.default is not None)
            and (not allowed or name in allowed)
        ]
        # What the filter or the recipe left of a known domain is known no more.
        if routing.known and named and named[0] == routing.domains[0]:
            return self._asked_as(named[:1])
        if self.unknown == "two" and len(named) > 1:
            return self._asked_as(named[:2])
        own = [name for name in self.domains if not allowed or name in allowed]
        return (*own, *(() if self.default is None else (_ANY,)))

    def _asked_as(self, names: Sequence[str]) -> tuple[str, ...]:
        """Ask the default retriever once for all domains that it cannot tell apart."""
        return tuple(
            dict.fromkeys(name if name in self.domains or self.filter else _ANY for name in names)
        )

    def _asked(
        self, questions: Sequence[Question], k: int, filters: Sequence[Filter],
        chosen: Sequence[Sequence[str]],
    ) -> list[dict[str, Retrieved]]:  # fmt: skip
        """Ask each retriever once for all questions of its domain."""
        asked: list[dict[str, Retrieved]] = [{} for _ in questions]
        for name in dict.fromkeys(name for names in chosen for name in names):
            retriever = self.domains.get(name, self.default)
            places = [place for place, names in enumerate(chosen) if name in names]
            if retriever is None or not places:
                continue
            within = [self._within(wanted, name) for wanted in filters]
            found = tracing.asked_at(places, retriever, questions, k, within)
            for place, one in found.items():
                asked[place][name] = one
        return asked

    def _within(self, wanted: Filter, name: str) -> Filter:
        """Narrow a filter to a domain, on request; it is never widened."""
        return replace(wanted, domains=frozenset((name,))) if self.filter and name else wanted

    def _retrieved(self, found: Routed, searched: Mapping[str, Retrieved], k: int) -> Retrieved:
        routing = found.routing
        step: dict[str, Any] = {
            "step": "route",
            "domains": [name or "any" for name in searched],
            "known": len(searched) == _ALONE and routing.known,
            "probabilities": dict(routing.probabilities),
            "reason": routing.reason,
        }
        if len(searched) == _ALONE:
            hits = next(iter(searched.values())).hits[:k]
        else:
            rankings = {name: one.hits for name, one in searched.items()}
            hits = merged(rankings, k, c=self.c, likely=routing.probabilities)
        trace = [
            {**each, "domain": name or "any"} if len(searched) > _ALONE else each
            for name, one in searched.items()
            for each in one.trace
        ]
        usage = together([found.usage, *(one.usage for one in searched.values())])
        return Retrieved(hits, (*found.trace, step, *trace), usage)
