"""Several retrievers on the same judged questions, each pair compared question by question."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from medrag.evaluation.retrieval import RetrievalScores
from medrag.evaluation.statistics import PairedDifference, holm, mean_of, paired


@dataclass(frozen=True, slots=True)
class RankingDifference:
    """One measure of two retrievers; `adjusted_p` is Holm's over all pairs and measures."""

    a: str
    b: str
    measure: str
    difference: PairedDifference
    adjusted_p: float


def compare_rankings(
    scores: Mapping[str, RetrievalScores], *, measures: Sequence[str], seed: int = 0
) -> list[RankingDifference]:
    """Compare every pair of retrievers by every measure, b minus a.

    Raises:
        ValueError: if two retrievers were measured on other questions.
    """
    asked = {frozenset(each.per_query) for each in scores.values()}
    if len(asked) > 1:
        raise ValueError("retrievers can only be compared on the same questions")
    found = [
        (a, b, measure, _difference(scores[a], scores[b], measure, seed))
        for a, b in combinations(scores, 2)
        for measure in measures
    ]
    adjusted = holm([difference.p for *_, difference in found])
    return [
        RankingDifference(a, b, measure, difference, float(p))
        for (a, b, measure, difference), p in zip(found, adjusted, strict=True)
    ]


def _difference(
    a: RetrievalScores, b: RetrievalScores, measure: str, seed: int
) -> PairedDifference:
    names = list(a.per_query)
    first = mean_of([a.per_query[name][measure] for name in names])
    second = mean_of([b.per_query[name][measure] for name in names])
    return paired(first, second, [None] * len(names), seed=seed)
