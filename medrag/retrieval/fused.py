"""Late fusion: several retrievers are asked, and their rankings become one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from medrag.protocols import Retriever
from medrag.records import Filter, Hit, Part, Question, Retrieved
from medrag.records.usage import together
from medrag.retrieval.budgets import Rule, chosen
from medrag.retrieval.checking import (
    check_asked,
    check_choice,
    check_factors,
    check_names,
    check_positive,
    check_weights,
)
from medrag.retrieval.fusion import reciprocal_rank_fusion
from medrag.retrieval.scaling import mean_of_scaled
from medrag.retrieval.tracing import asked, is_repeatable

Fusion = Literal["rrf", "weighted_sum", "z_sum", "interleave"]
_DECIMALS = 12


class FusedRetriever:
    """Several retrievers, of one index or of several, fused; the same passage counts once.

    Passages are the same where their ids are. A retriever that finds nothing, as one that cannot
    use the question, has no say. Equal scores stand in the order of their best rank, then in that
    of the retrievers. `Hit.parts` holds rank and score with each retriever by its name, behind
    what the retriever itself told; of a part whose name is taken, "RETRIEVER/PART" is the name.

    Args:
        retrievers: by name; each is asked for the better of twice k and `depth`.
        fusion: "rrf" by rank alone; "weighted_sum" of scores between the lowest and the highest of
            each ranking; "z_sum" of their deviations from its mean; "interleave": the first of
            each retriever in turn, then the second of each, whose score is 1 / rank.
        rrf_k: damping of reciprocal ranks; 60 in Cormack et al., 100 in MedRAG.
        weights: of retrievers; 1 where a name is missing, 0 for `Hit.parts` only. They must not be
            given with "interleave".
        depth: hits asked of each retriever, at least.
        budgets: hits of a retriever by its name, such as {text: 3, image: 2}; others have none.
        budget_rule: "at_most": a retriever brings no more hits than its budget; one that several
            found counts for that which ranks it best and has room. "guaranteed": the best of a
            retriever, as many as its budget, stand among the k, as far as k allows; the rest is
            filled in order. In either case the order is that of the fused scores.

    Raises:
        ValueError: if there is no retriever, a name is unknown, or a number is out of range.

    Source:
        Cormack, Clarke & Buettcher, SIGIR 2009; depth and damping of MedRAG: Xiong et al., ACL
        Findings 2024.
    """

    def __init__(
        self,
        *,
        retrievers: Mapping[str, Retriever],
        fusion: Fusion = "rrf",
        rrf_k: float = 60.0,
        weights: Mapping[str, float] | None = None,
        depth: int = 100,
        budgets: Mapping[str, int] | None = None,
        budget_rule: Rule = "at_most",
    ) -> None:
        _check(retrievers, weights or {}, fusion, budgets or {}, budget_rule)
        check_factors(rrf_k=rrf_k)
        check_positive(depth=depth)
        self.retrievers = dict(retrievers)
        self.fusion = fusion
        self.rrf_k = rrf_k
        self.weights = {name: float((weights or {}).get(name, 1.0)) for name in retrievers}
        self.depth = depth
        self.budgets = dict(budgets or {})
        self.budget_rule: Rule = budget_rule

    @property
    def repeatable(self) -> bool:
        return is_repeatable(*self.retrievers.values())

    def retrieve(
        self, questions: Sequence[Question], k: int, filters: Sequence[Filter]
    ) -> list[list[Hit]]:
        """Rank passages for each question, at most k each.

        Raises:
            ValueError: if k is below 1, or questions and filters differ in number.
        """
        return [list(each.hits) for each in self.retrieve_traced(questions, k, filters)]

    def retrieve_traced(
        self, questions: Sequence[Question], k: int, filters: Sequence[Filter]
    ) -> list[Retrieved]:
        """The same, with the steps of each retriever under its name, and what all cost.

        Raises:
            ValueError: as `retrieve`.
        """
        check_asked(questions, k, filters)
        depth = max(2 * k, self.depth)
        found = {
            name: asked(each, questions, depth, filters) for name, each in self.retrievers.items()
        }
        return [
            self._fused({name: each[number] for name, each in found.items()}, k)
            for number in range(len(questions))
        ]

    def _fused(self, retrieved: Mapping[str, Retrieved], k: int) -> Retrieved:
        candidates = _candidates({name: each.hits for name, each in retrieved.items()})
        heard = [name for name, each in retrieved.items() if each.hits and self.weights[name]]
        counted = [each for each in candidates if any(name in each.places for name in heard)]
        scores = self._scores(counted, heard)
        # Rounded, so that the last bits of a sum do not order equal scores.
        best = np.argsort(-np.round(scores, _DECIMALS), kind="stable")
        ranks = [_ranks(counted[place], heard) for place in best]
        kept = chosen(ranks, self.budgets, self.budget_rule, k)
        hits = tuple(
            _hit(counted[best[place]], float(scores[best[place]]), rank, self.retrievers)
            for rank, place in enumerate(kept, start=1)
        )
        step = {
            "step": "fused",
            "fusion": self.fusion,
            "found": {name: len(each.hits) for name, each in retrieved.items()},
            "kept": {name: sum(name in ranks[place] for place in kept) for name in self.retrievers},
        }
        steps = [_within(name, each) for name, ret in retrieved.items() for each in ret.trace]
        usage = together(each.usage for each in retrieved.values())
        return Retrieved(hits, (*steps, step), usage)

    def _scores(
        self, candidates: Sequence["_Candidate"], heard: Sequence[str]
    ) -> NDArray[np.float64]:
        if self.fusion == "interleave" or not candidates:
            # Candidates come in the order of their turns.
            return 1.0 / np.arange(1.0, len(candidates) + 1)
        weights = [self.weights[name] for name in heard]
        if self.fusion == "rrf":
            ranks = np.array([[each.places.get(name, 0) for each in candidates] for name in heard])
            return reciprocal_rank_fusion(ranks.astype(np.int64), c=self.rrf_k, weights=weights)
        scores = np.array(
            [
                [each.hits[name].score if name in each.hits else np.nan for each in candidates]
                for name in heard
            ]
        )
        scaling: Literal["min_max", "z"] = "min_max" if self.fusion == "weighted_sum" else "z"
        return mean_of_scaled(scores, weights=weights, scaling=scaling)


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A passage with the hits of the retrievers that found it, and their places from 1."""

    hits: Mapping[str, Hit]
    places: Mapping[str, int]


def _candidates(rankings: Mapping[str, Sequence[Hit]]) -> list[_Candidate]:
    """Join hits by passage: the first of each retriever in turn, then the second of each."""
    hits: dict[str, dict[str, Hit]] = {}
    places: dict[str, dict[str, int]] = {}
    for place in range(max(map(len, rankings.values()), default=0)):
        for name, ranking in rankings.items():
            if place < len(ranking):
                passage = ranking[place].passage.id
                hits.setdefault(passage, {}).setdefault(name, ranking[place])
                places.setdefault(passage, {}).setdefault(name, place + 1)
    return [_Candidate(hits[each], places[each]) for each in hits]


def _ranks(candidate: _Candidate, heard: Sequence[str]) -> dict[str, int]:
    """Give the rank with each retriever that found a passage and has a say, the best first."""
    found = [(name, candidate.places[name]) for name in heard if name in candidate.places]
    return dict(sorted(found, key=lambda each: each[1]))


def _hit(candidate: _Candidate, score: float, rank: int, names: Mapping[str, Any]) -> Hit:
    """Make one hit of those of several retrievers: it is told as the best of them tells it."""
    parts: dict[str, Part] = {}
    for name, hit in candidate.hits.items():
        for inner, part in hit.parts.items():
            taken = inner in parts or inner in names
            parts[f"{name}/{inner}" if taken else inner] = part
    # Behind what the channels told: who looks for the similarity of pictures meets that first.
    for name, hit in candidate.hits.items():
        parts[name] = Part(candidate.places[name], hit.score)
    best = min(candidate.hits, key=lambda name: candidate.places[name])
    return replace(
        candidate.hits[best],
        score=score,
        rank=rank,
        parts=parts,
        history=any(hit.history for hit in candidate.hits.values()),
        summary=next((hit.summary for hit in candidate.hits.values() if hit.summary), ""),
    )


def _within(name: str, step: Mapping[str, Any]) -> dict[str, Any]:
    """Say of a step which retriever took it; of nested ones the way down."""
    inner = step.get("retriever")
    return {**step, "retriever": f"{name}/{inner}" if inner else name}


def _check(
    retrievers: Mapping[str, Retriever],
    weights: Mapping[str, float],
    fusion: str,
    budgets: Mapping[str, int],
    rule: str,
) -> None:
    if not retrievers:
        raise ValueError("a fusion needs at least one retriever")
    check_names("weights", weights, retrievers, "retrievers")
    check_names("budgets", budgets, retrievers, "retrievers")
    check_weights(weights, retrievers)
    check_choice("fusion", fusion, get_args(Fusion))
    if fusion == "interleave" and weights:
        raise ValueError("weights have no meaning for 'interleave'; leave them out, or use 'rrf'")
    if any(budget < 0 for budget in budgets.values()):
        raise ValueError(f"budgets must be at least 0, got {dict(budgets)}")
    check_choice("budget_rule", rule, get_args(Rule))
