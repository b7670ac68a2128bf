"""Several rankings of the same passages into one score per passage."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

# What the last passage of a ranking is worth beside one that the ranking lacks. Between 0 and 0.3
# nothing measured changed by more than a thousandth.
_LAST = 0.1
# How far below the last one a passage is taken to be that a ranking lacks, of what parts the last
# from the best: little where scores lie close together, much where they fall.
_LACKING = 0.5


def reciprocal_rank_fusion(
    ranks: NDArray[np.int64], *, c: float = 60.0, weights: ArrayLike | None = None
) -> NDArray[np.float64]:
    """Fuse several rankings of the same passages into one score per passage.

    Args:
        ranks: (n_rankings, n_passages), from 1; 0 where a ranking lacks the passage.
        c: damping; the larger, the more low ranks count.
        weights: (n_rankings,) of the rankings, at least 0; None for 1 each.

    Returns:
        (n_passages,) in [0, sum(weights) / (c + 1)]; higher is better.

    Raises:
        ValueError: if c is not positive, or weights are negative or of another number.

    Source:
        Cormack, Clarke & Buettcher, SIGIR 2009; weights are an addition.
    """
    if c <= 0:
        raise ValueError(f"c must be positive, got {c}")
    fused: NDArray[np.float64] = _weights(weights, len(ranks)) @ np.where(
        ranks > 0, 1.0 / (c + ranks), 0.0
    )
    return fused


def weighted_sum_fusion(
    scores: NDArray[np.float64], *, weights: ArrayLike | None = None
) -> NDArray[np.float64]:
    """Scale each ranking's scores to [0.1, 1] and average them.

    Args:
        scores: (n_rankings, n_passages); nan where a ranking lacks the passage, which adds 0. The
            lowest score of a ranking becomes 0.1 and the highest 1; equal scores become 1.
        weights: (n_rankings,) of the rankings, at least 0; None for 1 each.

    Returns:
        (n_passages,) in [0, 1]; higher is better.

    Raises:
        ValueError: if weights are negative, all 0, or of another number.

    Source:
        Bruch, Gai & Ingber, ACM TOIS 2023 (convex combination of min-max scores, from 0).
    """
    balance = _weights(weights, len(scores))
    if len(scores) and not balance.sum() > 0:
        raise ValueError("weights must not all be 0")
    scaled = np.zeros(scores.shape)
    for scaled_row, row in zip(scaled, scores, strict=True):
        found = ~np.isnan(row)
        if found.any():
            low, high = row[found].min(), row[found].max()
            share = (row[found] - low) / (high - low) if high > low else 1.0
            scaled_row[found] = _LAST + (1 - _LAST) * share
    fused: NDArray[np.float64] = balance @ scaled / balance.sum() if len(scores) else scaled.sum(0)
    return fused


def share_of_best_fusion(
    scores: NDArray[np.float64], *, weights: ArrayLike | None = None
) -> NDArray[np.float64]:
    """Divide each ranking's scores by its best one and average them.

    A ranking whose scores lie close together then says little, where scaling between lowest and
    highest would make as much of it as of any other. Scores must start at 0, as those of BM25 and
    cosines do; a ranking with a score below 0, or with none above, is scaled between its lowest
    and highest instead.

    Args:
        scores: (n_rankings, n_passages); nan where a ranking lacks the passage, which is taken to
            lie below the last by half of what parts that from the best, but not below 0.
        weights: (n_rankings,) of the rankings, at least 0; None for 1 each.

    Returns:
        (n_passages,) in [0, 1]; higher is better.

    Raises:
        ValueError: if weights are negative, all 0, or of another number.
    """
    balance = _weights(weights, len(scores))
    if len(scores) and not balance.sum() > 0:
        raise ValueError("weights must not all be 0")
    shares = np.array([_shares(row) for row in scores]).reshape(scores.shape)
    fused: NDArray[np.float64] = balance @ shares / balance.sum() if len(scores) else shares.sum(0)
    return fused


def _shares(row: NDArray[np.float64]) -> NDArray[np.float64]:
    found = ~np.isnan(row)
    if not found.any():
        return np.zeros(row.shape)
    low, high = row[found].min(), row[found].max()
    if low < 0 or high <= 0:
        row = (row - low) / (high - low) if high > low else np.where(found, 1.0, np.nan)
        low, high = row[found].min(), 1.0
    lacking = max(0.0, low - _LACKING * (high - low))
    shares: NDArray[np.float64] = np.where(found, row, lacking) / high
    return shares


def _weights(weights: ArrayLike | None, n_rankings: int) -> NDArray[np.float64]:
    if weights is None:
        return np.ones(n_rankings)
    given = np.asarray(weights, dtype=np.float64)
    if given.shape != (n_rankings,):
        raise ValueError(f"{n_rankings} rankings need as many weights, got {given.tolist()}")
    if (given < 0).any() or not np.isfinite(given).all():
        raise ValueError(f"weights must be at least 0 and finite, got {given.tolist()}")
    return given
