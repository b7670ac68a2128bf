"""Scores of several rankings on one scale, question by question, and their weighted mean."""

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from medrag.retrieval.fusion import weighted_sum_fusion

Scaling = Literal["min_max", "z"]
# Deviations that the mean of a ranking lies above a passage that the ranking lacks.
_SHIFT = 2.0
# Scores that differ by less, as a share of the greatest, are equal.
_EQUAL = 1e-12


def mean_of_scaled(
    scores: NDArray[np.float64], *, weights: ArrayLike, scaling: Scaling
) -> NDArray[np.float64]:
    """Scale each ranking's scores and average them.

    Args:
        scores: (n_rankings, n_passages); nan where a ranking lacks the passage, which adds 0.
        weights: (n_rankings,) at least 0, not all 0.
        scaling: "min_max": the lowest score of a ranking becomes 0.1 and the highest 1. "z":
            deviations above the ranking's mean, plus 2, at least 0; equal scores become 2.

    Returns:
        (n_passages,) at least 0; higher is better.

    Raises:
        ValueError: if weights are negative, all 0, or of another number.

    Source:
        Bruch, Gai & Ingber, ACM TOIS 2023 (min-max); Montague & Aslam, "Relevance Score
        Normalization for Metasearch", CIKM 2001 (zero mean, unit variance, shifted by 2).
    """
    if scaling == "min_max":
        return weighted_sum_fusion(scores, weights=weights)
    balance = np.asarray(weights, dtype=np.float64)
    if balance.shape != (len(scores),) or (balance < 0).any() or not balance.sum() > 0:
        raise ValueError(
            f"{len(scores)} rankings need as many weights, at least 0 and not all 0, "
            f"got {balance.tolist()}"
        )
    deviations = np.array([_deviations(row) for row in scores]).reshape(scores.shape)
    fused: NDArray[np.float64] = balance @ deviations / balance.sum()
    return fused


def check_scaling(scaling: str) -> None:
    """Refuse a name that is no `Scaling`."""
    if scaling not in ("min_max", "z"):
        raise ValueError(f"scaling must be 'min_max' or 'z', got {scaling!r}")


def _deviations(row: NDArray[np.float64]) -> NDArray[np.float64]:
    shifted = np.zeros(len(row))
    found = ~np.isnan(row)
    if found.any():
        deviation = row[found].std()
        spread = deviation if deviation > _EQUAL * np.abs(row[found]).max() else np.inf
        shifted[found] = np.maximum((row[found] - row[found].mean()) / spread + _SHIFT, 0.0)
    return shifted
