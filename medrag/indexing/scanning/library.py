"""The packed vectors of a channel in all segments, and the exact scores of some of them."""

from collections.abc import Iterator, Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from medrag.errors import IndexFormatError
from medrag.indexing.commands import reread
from medrag.indexing.ranking import top
from medrag.indexing.storage import Block
from medrag.records import ScoredRow

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Rows = NDArray[np.int64]
Mask = NDArray[np.bool_]

# Vectors that are held at once in double precision.
_RESCORED_BYTES = 32 << 20
_CHECKED_BYTES = 16 << 20


class Shelf:
    """One block of a library: passages that stand side by side.

    `first` is the place of its first passage; places count through the passages of all blocks.
    """

    def __init__(self, block: Block, first: int) -> None:
        self.rows = np.asarray(block.rows)
        self.lengths = np.asarray(block.lengths)
        self.values = block.values
        self.first = first
        # Rows without a gap make the mask of a block a slice of that of the index.
        self.dense = bool(self.rows[-1] - self.rows[0] + 1 == len(self.rows)) and bool(
            (np.diff(self.rows) == 1).all()
        )
        self.single = len(self.values) == len(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    @cached_property
    def starts(self) -> Rows:
        """(passages + 1,), where the vectors of each passage begin, and the end."""
        return np.concatenate(([0], np.cumsum(self.lengths, dtype=np.int64)))

    @cached_property
    def longest(self) -> float:
        """Length of the longest vector.

        Raises:
            IndexFormatError: if a vector is not finite.
        """
        d = self.values.shape[1]
        size = max(1, _CHECKED_BYTES // (4 * d))
        longest = 0.0
        for start in range(0, len(self.values), size):
            piece = np.asarray(self.values[start : start + size])
            squares = np.einsum("ij,ij->i", piece, piece)
            if not np.isfinite(squares).all():
                self.check(start, piece)
                # Finite, but its square is not: of that size no single precision is enough.
                squares = np.square(np.linalg.norm(piece.astype(np.float64), axis=1))
            longest = max(longest, float(np.sqrt(squares.max(initial=0))))
        return longest

    def check(self, start: int, values: Floats) -> None:
        """Refuse vectors, the first of which is number `start`, that are not finite."""
        bad = np.flatnonzero(~np.isfinite(values).all(axis=1))
        if len(bad):
            row = self.rows[np.searchsorted(self.starts, start + bad[0], side="right") - 1]
            raise IndexFormatError(
                f"a vector of row {row} is not finite; the channel is damaged: {reread()}"
            )

    def allowed(self, mask: Mask) -> Mask | None:
        """Give which passages a mask of rows lets through; None if all."""
        here = mask[self.rows[0] : self.rows[-1] + 1] if self.dense else mask[self.rows]
        # A copy, since torch, and loops compiled for other masks, take none that is read-only.
        return None if here.all() else here.copy()

    def spans(
        self, size: int, first: int = 0, stop: int | None = None
    ) -> Iterator[tuple[int, int]]:
        """Cut passages [first, stop), or all, as `cut` does."""
        stop = len(self) if stop is None else stop
        if self.single:
            return ((at, min(at + size, stop)) for at in range(first, stop, size))
        return ((first + a, first + b) for a, b in cut(self.starts[first : stop + 1], size))

    def scores(self, places: Rows, question: Doubles) -> Floats:
        """Score passages (by place within the block) by their best vector.

        Summed in double precision, each in the same order, whatever else is scored beside it.
        """
        lengths = None if self.single else self.lengths[places]
        return best_vectors(self.gathered(places), lengths, question)

    def gathered(self, places: Rows) -> Floats:
        """Copy the vectors of passages (by place within the block), in their order."""
        if not self.single:
            lengths = self.lengths[places]
            within = np.arange(lengths.sum()) - np.repeat(_firsts(lengths), lengths)
            places = np.repeat(self.starts[places], lengths) + within
        vectors: Floats = self.values[places]
        return vectors


class Library:
    """The blocks of a channel; those without a passage are left out.

    Attributes:
        n: passages.
        d: dimension; 0 without a passage.
        size: bytes of the vectors.
    """

    def __init__(self, blocks: Sequence[Block]) -> None:
        self.shelves: list[Shelf] = []
        self.n = 0
        for block in blocks:
            if len(block.rows):
                self.shelves.append(Shelf(block, self.n))
                self.n += len(block.rows)
        self.d = int(self.shelves[0].values.shape[1]) if self.shelves else 0
        self.size = sum(4 * len(shelf.values) * self.d for shelf in self.shelves)

    @cached_property
    def firsts(self) -> Rows:
        return np.array([shelf.first for shelf in self.shelves], dtype=np.int64)

    def split(self, places: Rows) -> list[Rows]:
        """Say places as ascending places within each block."""
        places = np.sort(places)
        parts = np.split(places, np.searchsorted(places, self.firsts[1:]))
        return [part - shelf.first for part, shelf in zip(parts, self.shelves, strict=False)]

    def ranked(self, places: Rows, question: Floats, k: int) -> list[ScoredRow]:
        """Score passages exactly; give the best k, equal scores by ascending row."""
        asked = question.astype(np.float64)
        rows = [np.empty(0, np.int64)]
        scores = [np.empty(0, np.float32)]
        for shelf, here in zip(self.shelves, self.split(places), strict=True):
            for piece in _pieces(shelf, here):
                rows.append(np.asarray(shelf.rows[piece], dtype=np.int64))
                scores.append(shelf.scores(piece, asked))
        return top(np.concatenate(rows), np.concatenate(scores), k)


def best_vectors(vectors: Floats, lengths: NDArray[np.int32] | None, question: Doubles) -> Floats:
    """Score passages by their best vector, in double precision.

    Each product is summed in the same order, so that equal vectors have equal scores.

    Args:
        vectors: (sum(lengths), d).
        lengths: (n,), of each passage at least one; None if every one has one.
        question: (d,).
    """
    products = np.einsum("ij,j->i", vectors.astype(np.float64), question)
    best = products if lengths is None else np.maximum.reduceat(products, _firsts(lengths))
    scores: Floats = best.astype(np.float32)
    return scores


def cut(starts: Rows, size: int) -> Iterator[tuple[int, int]]:
    """Cut passages into runs [first, stop) of at most `size` vectors, but of one passage at least.

    Args:
        starts: (passages + 1,), where the vectors of each begin, and the end.
    """
    first, n = 0, len(starts) - 1
    while first < n:
        stop = int(np.searchsorted(starts, starts[first] + size, side="right")) - 1
        stop = min(max(stop, first + 1), n)
        yield first, stop
        first = stop


def _firsts(lengths: NDArray[np.int32]) -> Rows:
    firsts: Rows = np.cumsum(lengths, dtype=np.int64) - lengths
    return firsts


def _pieces(shelf: Shelf, places: Rows) -> list[Rows]:
    """Cut places so that the vectors of a piece fit the bound on memory."""
    if len(places) == 0:
        return []
    d = shelf.values.shape[1]
    taken = np.cumsum(shelf.lengths[places], dtype=np.int64) * (8 * d)
    cuts = np.flatnonzero(np.diff(taken // _RESCORED_BYTES)) + 1
    return list(np.split(places, cuts)) if len(cuts) else [places]
