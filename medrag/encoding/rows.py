"""Rows of vectors: of unit length, averaged, and given once for inputs that are equal."""

from collections.abc import Hashable, Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from medrag.records import Embeddings

Rows = NDArray[np.float32]
# Below any length that a model gives, so that a row of zeros stays one.
_SMALLEST = 1e-12

_Numbers = TypeVar("_Numbers", bound=np.floating[Any])
_Input = TypeVar("_Input", bound=Hashable)


def unit(rows: NDArray[_Numbers]) -> NDArray[_Numbers]:
    """Scale rows (the last axis) to length 1; a row of zeros stays."""
    lengths = np.linalg.norm(rows, axis=-1, keepdims=True)
    scaled: NDArray[_Numbers] = rows / np.maximum(lengths, rows.dtype.type(_SMALLEST))
    return scaled


def means(embeddings: Embeddings, *, normalised: bool) -> Embeddings:
    """Give each input one vector: the mean of its own, on request of unit length.

    Args:
        embeddings: at least one vector for each input.
        normalised: whether the vectors have unit length, and their means shall have it.
    """
    lengths = embeddings.lengths
    if (lengths == 1).all():
        return embeddings
    sums = np.add.reduceat(embeddings.values, np.cumsum(lengths) - lengths, axis=0)
    averages: Rows = np.divide(sums, lengths[:, None], dtype=np.float32)
    ones = np.ones(len(lengths), dtype=np.int32)
    return Embeddings(unit(averages) if normalised else averages, ones)


def different(inputs: Sequence[_Input]) -> tuple[list[_Input], list[int]]:
    """Give each different input once, in order, and the place of each input among them."""
    places: dict[_Input, int] = {}
    order = [places.setdefault(each, len(places)) for each in inputs]
    return list(places), order


def repeated(embeddings: Embeddings, order: Sequence[int]) -> Embeddings:
    """Give each input the rows of the one that it equals: the other half of `different`."""
    lengths = embeddings.lengths
    if len(order) == len(lengths):
        return embeddings
    starts = np.cumsum(lengths) - lengths
    rows = [np.arange(starts[place], starts[place] + lengths[place]) for place in order]
    return Embeddings(embeddings.values[np.concatenate(rows)], lengths[order])
