"""Vectors as Qdrant takes them: of numbers, or over terms, each once, in order, with its weight."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from medrag.extras import Library

Floats = NDArray[np.float32]


class Sparse(NamedTuple):
    """Terms (m,) int64 ascending, below 2**32, and their weights (m,) float64, none of them 0."""

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


def written(library: Library, vector: Floats | Sparse) -> Any:
    """Write a vector, vectors, or weighted terms, as Qdrant's libraries both take them."""
    if isinstance(vector, Sparse):
        terms, weights = vector.terms.tolist(), vector.weights.tolist()
        return library.SparseVector(indices=terms, values=weights)
    return vector.tolist()
