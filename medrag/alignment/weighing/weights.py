"""Weights of pairs from scores of how much they matter."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

LEAST, MOST = 0.75, 1.25
VARIANCE = 0.1
# Scores that differ by less have been rounded differently, no more.
_EQUAL = 1e-9
_HALVINGS = 100


def normalised_weights(scores: Sequence[float] | Floats, *, exact_mean: bool = False) -> Floats:
    """Bring scores to weights about 1: 1 + sqrt(0.1) (s - mean) / sigma, cut to [0.75, 1.25].

    Before the cut the mean is 1 and the variance 0.1. The cut takes what lies beyond 0.79 sigma on
    either side, which some score always does; the variance is then at most 0.0625, and of skewed
    scores the mean moves from 1, and with it the learning rate: of 0, 0, 0, 1 it is 0.926.

    Args:
        scores: (n,), of any scale; nan where there is none.
        exact_mean: move all weights by one constant before they are cut, such that their mean is 1
            after it. The paper does not say so.

    Returns:
        (n,) in [0.75, 1.25]; 1 where there is no score, and everywhere if all scores are equal.

    Raises:
        ValueError: if a score is infinite, or `scores` has not one dimension.

    Source:
        MMedPO, arXiv 2412.06141, whose text leaves the affine form open.
    """
    given = np.asarray(scores, dtype=np.float64)
    if given.ndim != 1 or np.isinf(given).any():
        raise ValueError("scores must be a list of finite numbers or nan")
    weights = np.ones(len(given))
    known = given[~np.isnan(given)]
    if not known.size:
        return weights
    mean, sigma = known.mean(), known.std()
    if sigma <= _EQUAL * max(1.0, abs(mean)):
        return weights
    free = 1 + np.sqrt(VARIANCE) * (known - mean) / sigma
    weights[~np.isnan(given)] = np.clip(free + (_shift(free) if exact_mean else 0.0), LEAST, MOST)
    return weights


def shuffled_weights(
    weights: Sequence[float] | Floats, *, seed: int, groups: Sequence[str] | None = None
) -> Floats:
    """Deal weights out anew at random: a control that keeps them all and their meaning not.

    Args:
        weights: (n,).
        seed: at least 0.
        groups: (n,) names, such as families of pairs; weights stay within their group, so that
            what a group weighs in all does not change.

    Returns:
        (n,), the same numbers in another order.

    Raises:
        ValueError: if there are not as many groups as weights.
    """
    given = np.asarray(weights, dtype=np.float64)
    names = np.zeros(len(given), dtype=np.int64) if groups is None else np.asarray(groups)
    if len(names) != len(given):
        raise ValueError(f"{len(names)} groups for {len(given)} weights; give one for each")
    generator = np.random.default_rng(seed)
    dealt = given.copy()
    for name in dict.fromkeys(names.tolist()):
        members = np.flatnonzero(names == name)
        dealt[members] = given[generator.permutation(members)]
    return dealt


def _shift(free: Floats) -> float:
    """Find the constant that brings the mean after the cut to 1, by halving."""
    low, high = LEAST - free.max(), MOST - free.min()
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if np.clip(free + middle, LEAST, MOST).mean() < 1:
            low = middle
        else:
            high = middle
    return float((low + high) / 2)
