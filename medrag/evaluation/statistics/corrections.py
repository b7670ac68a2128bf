"""Correct p-values for how many comparisons were made."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def holm(p_values: Sequence[float]) -> NDArray[np.float64]:
    """Adjust p-values so that a single false finding among all is as rare as alpha says.

    Args:
        p_values: in [0, 1], of comparisons that may depend on each other; nan was not compared.

    Returns:
        Adjusted values in the order given, never below the given ones; nan stays nan.

    Raises:
        ValueError: if a value lies outside [0, 1].

    Source:
        Holm, Scandinavian Journal of Statistics 6, 1979.
    """
    p, order = _ascending(p_values)
    n = len(order)
    stepped = np.maximum.accumulate(p[order] * np.arange(n, 0, -1))
    p[order] = np.minimum(stepped, 1)
    return p


def benjamini_hochberg(p_values: Sequence[float]) -> NDArray[np.float64]:
    """Adjust p-values so that the share of false findings among the findings stays below alpha.

    Args:
        p_values: in [0, 1], of comparisons that are independent or depend positively; nan was not
            compared.

    Returns:
        Adjusted values in the order given, never below the given ones; nan stays nan.

    Raises:
        ValueError: if a value lies outside [0, 1].

    Source:
        Benjamini & Hochberg, Journal of the Royal Statistical Society B 57, 1995.
    """
    p, order = _ascending(p_values)
    n = len(order)
    scaled = p[order] * n / np.arange(1, n + 1)
    p[order] = np.minimum.accumulate(scaled[::-1])[::-1]
    return p


def _ascending(p_values: Sequence[float]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Give a copy of the values, and the places of those that are known, smallest first."""
    p = np.array(p_values, dtype=np.float64)
    known = np.flatnonzero(~np.isnan(p))
    outside = p[known][(p[known] < 0) | (p[known] > 1)]
    if len(outside):
        raise ValueError(f"a p-value must lie in [0, 1], got {outside[0]}")
    return p, known[np.argsort(p[known], kind="stable")]
