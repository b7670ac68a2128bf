"""How unlike all that a head was fitted on a vector is."""

import numpy as np
from numpy.typing import NDArray

from medrag.encoding.rows import Rows, unit

# Similarities at a time, so that memory stays bounded.
_BLOCK = 1 << 22


class Neighbours:
    """Known vectors: what lies far from the k nearest of them is unlike all of them.

    Args:
        vectors: (m, d), at least one; scaled to unit length.
        k: which neighbour's distance counts; the last one, where there are fewer.
        furthest: the greatest distance that is not unlike, in [0, 2].

    Source:
        Sun, Ming, Zhu & Li, "Out-of-distribution detection with deep nearest neighbors", ICML 2022.
    """

    def __init__(self, *, vectors: Rows, k: int = 3, furthest: float = 2.0) -> None:
        if vectors.ndim != 2 or not len(vectors):
            raise ValueError(f"expected one vector or more, got shape {vectors.shape}")
        if k < 1:
            raise ValueError(f"k must be at least 1, got {k}")
        if not 0 <= furthest <= 2:
            raise ValueError(f"furthest must lie in [0, 2], got {furthest}")
        self.vectors = unit(vectors)
        self.k = k
        self.furthest = furthest

    def distances(self, vectors: Rows) -> NDArray[np.float64]:
        """Give one less the cosine to the k-th nearest: (n,) in [0, 2], for (n, d) vectors."""
        k = min(self.k, len(self.vectors))
        at_once = max(1, _BLOCK // len(self.vectors))
        found = np.empty(len(vectors))
        for start in range(0, len(vectors), at_once):
            cosines = unit(vectors[start : start + at_once]) @ self.vectors.T
            found[start : start + at_once] = 1 - np.partition(cosines, -k, axis=1)[:, -k]
        return np.clip(found, 0, 2)

    def unlike(self, vectors: Rows) -> NDArray[np.bool_]:
        """Tell which of (n, d) vectors lie further off than any that is known: (n,)."""
        return self.distances(vectors) > self.furthest
