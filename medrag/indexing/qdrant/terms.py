"""Vectors over terms as Qdrant takes them: each term once, in order, none of no weight."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


class Sparse(NamedTuple):
    """Terms (m,) int64 ascending, below 2**32, and their weights (m,) float64."""

    terms: NDArray[np.int64]
    weights: NDArray[np.float64]


def summed(terms: NDArray[np.int64], weights: NDArray[np.float64]) -> Sparse:
    """Add up the weights of equal terms, and leave out what weighs nothing."""
    once, places = np.unique(terms, return_inverse=True)
    total = np.bincount(places, weights=weights, minlength=len(once))
    said = total != 0
    return Sparse(once[said], total[said])


def of_pairs(pairs: Floats) -> Sparse:
    """Read (term, weight) rows, as segments keep sparse vectors."""
    return summed(pairs[:, 0].astype(np.int64), pairs[:, 1].astype(np.float64))


def products(
    pairs: Floats, lengths: NDArray[np.int64], asked: Sparse
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Multiply passages with a question of at least one term.

    Args:
        pairs: (sum(lengths), 2), the (term, weight) rows of the passages.

    Returns:
        Inner products (n,), and the same of absolute values, which bound their rounding.
    """
    terms = pairs[:, 0].astype(np.int64)
    at = np.minimum(np.searchsorted(asked.terms, terms), len(asked.terms) - 1)
    shared = asked.terms[at] == terms
    each = pairs[shared, 1].astype(np.float64) * asked.weights[at[shared]]
    owners = np.repeat(np.arange(len(lengths)), lengths)[shared]
    # In the order of terms, as inverted lists add them.
    sums = np.bincount(owners, weights=each, minlength=len(lengths)).astype(np.float64)
    sizes = np.bincount(owners, weights=np.abs(each), minlength=len(lengths)).astype(np.float64)
    return sums, sizes
