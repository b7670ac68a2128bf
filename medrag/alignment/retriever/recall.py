"""How well queries find their passages among those of other pairs, and passages their queries."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from medrag.alignment.retriever.relations import Relations, masks
from medrag.encoding.rows import Rows
from medrag.evaluation.scores import Estimate
from medrag.evaluation.statistics import PairedDifference, Resamples, mean_of, paired

Ranks = NDArray[np.int64]
Scores = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Recall:
    """Recall@k in both directions, with intervals over clusters.

    Attributes:
        forth: share of queries with a right passage among the first k.
        back: share of passages with a right query among the first k.
        chance: of `forth`, if passages are drawn blindly.
        n_candidates: different passages that are ranked.
    """

    k: int
    forth: Estimate
    back: Estimate
    chance: float
    n_candidates: int


def ranks_of(scores: Scores, known: Relations) -> Ranks:
    """Give the rank, from 1, of each query's best right passage.

    Equal passages count as one. What is ignored (others of the same study or subject) is not
    ranked. A wrong passage that scores the same counts as better, so that equal scores earn
    nothing.

    Args:
        scores: (n, n), queries by passages, of all pairs of `known` in their order.
    """
    rows = np.arange(len(scores), dtype=np.int64)
    columns = np.unique(known.passages, return_index=True)[1].astype(np.int64)
    positives, ignored = masks(known, rows, columns)
    shown = scores[:, columns].astype(np.float64)
    best = np.where(positives, shown, -np.inf).max(axis=1)
    above = (shown >= best[:, None]) & ~positives & ~ignored
    ranks: Ranks = above.sum(axis=1) + 1
    return ranks


def recall(scores: Scores, known: Relations, *, k: int, seed: int = 0) -> Recall:
    """Measure recall@k of (n, n) scores of held-out queries and passages."""
    clusters = cluster_names(known)
    resamples = Resamples(clusters, seed=seed)
    forth = resamples.estimate(mean_of(ranks_of(scores, known) <= k))
    back = resamples.estimate(mean_of(ranks_of(scores.T, turned(known)) <= k))
    return Recall(k, forth, back, chance(known, k), len(np.unique(known.passages)))


def gain(
    before: Sequence[bool] | NDArray[np.bool_],
    after: Sequence[bool] | NDArray[np.bool_],
    clusters: Sequence[str],
    *,
    seed: int = 0,
) -> PairedDifference:
    """Compare who finds a right passage among the first k, by whole clusters."""
    return paired(mean_of(before), mean_of(after), clusters, seed=seed)


def chance(known: Relations, k: int) -> float:
    """Give the recall@k of a blind draw, averaged over queries.

    1 - C(n - r, k) / C(n, k) for r right ones among n.
    """
    rows = np.arange(len(known.passages), dtype=np.int64)
    columns = np.unique(known.passages, return_index=True)[1].astype(np.int64)
    positives, ignored = masks(known, rows, columns)
    found = [
        _drawn(n, r, k)
        for n, r in zip(
            (~ignored).sum(axis=1).tolist(), positives.sum(axis=1).tolist(), strict=True
        )
    ]
    return float(np.mean(found)) if found else float("nan")


def turned(known: Relations) -> Relations:
    """Give the relations with queries and passages in each other's place."""
    facts: dict[int, set[int]] = {}
    for row, others in known.facts.items():
        for other in others:
            facts.setdefault(other, set()).add(row)
    return Relations(
        queries=known.passages,
        passages=known.queries,
        studies=known.studies,
        subjects=known.subjects,
        clusters=known.clusters,
        facts={row: frozenset(others) for row, others in facts.items()},
    )


def cosines(queries: Rows, passages: Rows) -> Scores:
    """Give the (n, m) scores of unit rows."""
    scores: Scores = queries @ passages.T
    return scores


def cluster_names(known: Relations) -> list[str]:
    """Name the cluster of each pair, as the statistics want it."""
    return [str(number) for number in known.clusters.tolist()]


def _drawn(n: int, right: int, k: int) -> float:
    missed = 1.0
    for place in range(min(k, n)):
        missed *= max(n - right - place, 0) / (n - place)
    return 1 - missed
