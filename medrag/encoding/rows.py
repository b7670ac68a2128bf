"""Rows of vectors scaled to unit length, and means of several."""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from medrag.records import Embeddings

# Below any length that a model gives, so that a row of zeros stays one.
_SMALLEST = np.float32(1e-12)


def unit(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Scale rows to length 1, in single precision; a row of zeros stays."""
    wide = rows.astype(np.float32, copy=False)
    lengths = np.linalg.norm(wide, axis=1, keepdims=True)
    scaled: NDArray[np.float32] = wide / np.maximum(lengths, _SMALLEST)
    return scaled


def means(embeddings: Embeddings) -> Embeddings:
    """Give each input one vector of unit length: the mean of its own."""
    if (embeddings.lengths == 1).all():
        return embeddings
    starts = np.cumsum([0, *embeddings.lengths])
    rows = [embeddings.values[start:stop].mean(axis=0) for start, stop in pairwise(starts)]
    return Embeddings(unit(np.array(rows)), np.ones(len(rows), dtype=np.int32))
