"""What searching gives: vectors, rows, hits and what is kept of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from medrag.records.sources import Passage


@dataclass(frozen=True, slots=True)
class Embeddings:
    """Packed vectors: single- and multi-vector encoders share one type.

    Attributes:
        values: (sum(lengths), d) float32; unit rows unless the encoder says `normalised = False`.
        lengths: (n,) int32, the vectors of each input, each at least 1.
    """

    values: NDArray[np.float32]
    lengths: NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class SparseEmbeddings:
    """Packed sparse vectors: a weight for some of the terms of a vocabulary, the others are 0.

    Attributes:
        terms: (sum(lengths),) int32 in [0, d), ascending within each input.
        weights: (sum(lengths),) float32.
        lengths: (n,) int32, the terms of each input; may be 0.
        d: size of the vocabulary, below 2**24.
    """

    terms: NDArray[np.int32]
    weights: NDArray[np.float32]
    lengths: NDArray[np.int32]
    d: int


class ScoredRow(NamedTuple):
    """A row of an index and its score in one channel."""

    row: int
    score: float


@dataclass(frozen=True, slots=True)
class Part:
    """Where one channel ranked a passage, and with which score."""

    rank: int
    score: float


@dataclass(frozen=True, slots=True)
class Hit:
    """A retrieved passage.

    Attributes:
        query: the text that found it.
        parts: rank and score in each channel, or reranker, that found it.
        summary: what a model wrote of it for the question, or, of history, its sentences that
            count; shown in place of its text and images, while claims are still held against the
            passage itself.
        history: whether it is of an earlier study of the question's own patient, and was looked
            for as such; the guard then asks for just that.
    """

    passage: Passage
    score: float
    rank: int
    query: str = ""
    parts: Mapping[str, Part] = field(default_factory=dict, hash=False)
    summary: str = ""
    history: bool = False


@dataclass(frozen=True, slots=True)
class Selection:
    """The hits worth reading, those cut, and why. `fired`: whether the rule cut anything."""

    kept: tuple[Hit, ...]
    dropped: tuple[Hit, ...] = ()
    reason: str = ""
    fired: bool = False
