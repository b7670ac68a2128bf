"""How sure a mean is, and a difference of two: the bootstrap over questions that share nothing."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

_BLOCK = 1 << 22


class Interval(NamedTuple):
    """A confidence interval of a mean."""

    low: float
    high: float


class Difference(NamedTuple):
    """The mean of b minus that of a over the same questions.

    `p`: two-sided; how often a mean difference this far from 0 arises where there is none.
    """

    mean: float
    interval: Interval
    p: float


def bootstrap_interval(
    values: Sequence[float], *, seed: int = 0, n_resamples: int = 2000, level: float = 0.95
) -> Interval:
    """Give the percentile bootstrap interval of a mean.

    Args:
        values: one per question; nan is left out.
        level: the share of resampled means inside, in (0, 1).

    Returns:
        nan at both ends without any value.

    Source:
        Efron & Tibshirani, An Introduction to the Bootstrap, 1993, section 13.3.
    """
    _check(n_resamples, level)
    known = _known(values)
    if not len(known):
        return Interval(float("nan"), float("nan"))
    means = _resampled_means(known, seed, n_resamples)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(low), float(high))


def paired_bootstrap(
    a: Sequence[float],
    b: Sequence[float],
    *,
    seed: int = 0,
    n_resamples: int = 2000,
    level: float = 0.95,
) -> Difference:
    """Compare two systems on the same questions.

    Args:
        a: one value per question; a pair with a nan is left out.
        b: likewise, in the same order.

    Raises:
        ValueError: if a and b differ in length.

    Source:
        Sakai, "Evaluating evaluation metrics based on the bootstrap", SIGIR 2006: the differences,
        shifted to mean 0, are resampled, and p counts means at least as far from 0.
    """
    _check(n_resamples, level)
    if len(a) != len(b):
        raise ValueError(f"a and b must be of the same questions, got {len(a)} and {len(b)} values")
    differences = _known(np.subtract(np.asarray(b, dtype=float), np.asarray(a, dtype=float)))
    if not len(differences):
        nan = float("nan")
        return Difference(nan, Interval(nan, nan), nan)
    mean = float(differences.mean())
    means = _resampled_means(differences, seed, n_resamples)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    # One more on both sides: a p of exactly 0 would claim more than the resamples can show.
    n_extreme = int(np.sum(np.abs(means - mean) >= abs(mean) - 1e-12))
    p = (1 + n_extreme) / (1 + n_resamples)
    return Difference(mean, Interval(float(low), float(high)), p)


def _known(values: Sequence[float] | NDArray[np.float64]) -> NDArray[np.float64]:
    given = np.asarray(values, dtype=np.float64)
    return given[~np.isnan(given)]


def _resampled_means(
    values: NDArray[np.float64], seed: int, n_resamples: int
) -> NDArray[np.float64]:
    generator = np.random.default_rng(seed)
    at_once = max(_BLOCK // len(values), 1)
    means = np.empty(n_resamples)
    for start in range(0, n_resamples, at_once):
        stop = min(start + at_once, n_resamples)
        drawn = generator.integers(len(values), size=(stop - start, len(values)))
        means[start:stop] = values[drawn].mean(axis=1)
    return means


def _check(n_resamples: int, level: float) -> None:
    if n_resamples < 1:
        raise ValueError(f"n_resamples must be at least 1, got {n_resamples}")
    if not 0 < level < 1:
        raise ValueError(f"level must lie between 0 and 1, got {level}")
