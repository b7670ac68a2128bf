"""The packed vectors of a channel in all segments, and the exact scores of some of them."""

from collections.abc import Sequence
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from medrag.errors import IndexFormatError
from medrag.records import ScoredRow

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Rows = NDArray[np.int64]
Mask = NDArray[np.bool_]

# Vectors that are held at once in double precision.
_RESCORED_BYTES = 32 << 20
_CHECKED_BYTES = 16 << 20


class Packed(Protocol):
    """Vectors and the rows they are of: rows (m,), lengths (m,), values (sum(lengths), d)."""

    @property
    def rows(self) -> Rows: ...
    @property
    def lengths(self) -> NDArray[np.int32]: ...
    @property
    def values(self) -> Floats: ...


class Shelf:
    """One block of a library: passages that stand side by side.

    `first` is the place of its first passage; places count through the passages of all blocks.
    """

    def __init__(self, block: Packed, first: int) -> None:
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
                f"a vector of row {row} is not finite; the channel is damaged: verify the index, "
                "and build the channel anew"
            )

    def allowed(self, mask: Mask) -> Mask | None:
        """Give which passages a mask of rows lets through; None if all."""
        here = mask[self.rows[0] : self.rows[-1] + 1] if self.dense else mask[self.rows]
        return None if here.all() else here

    def scores(self, places: Rows, question: Doubles) -> Floats:
        """Score passages (by place within the block) by their best vector.

        Summed in double precision, each in the same order, whatever else is scored beside it.
        """
        if self.single:
            vectors = self.values[places]
            firsts = None
        else:
            lengths = self.lengths[places]
            firsts = np.concatenate(([0], np.cumsum(lengths[:-1], dtype=np.int64)))
            within = np.arange(lengths.sum()) - np.repeat(firsts, lengths)
            vectors = self.values[np.repeat(self.starts[places], lengths) + within]
        products = np.einsum("ij,j->i", vectors.astype(np.float64), question)
        best = products if firsts is None else np.maximum.reduceat(products, firsts)
        scores: Floats = best.astype(np.float32)
        return scores


class Library:
    """The blocks of a channel; those without a passage are left out.

    Attributes:
        n: passages.
        d: dimension; 0 without a passage.
        size: bytes of the vectors.
    """

    def __init__(self, blocks: Sequence[Packed]) -> None:
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

    def ranked(self, places: Rows, question: Floats, k: int) -> list[ScoredRow]:
        """Score passages exactly; give the best k, equal scores by ascending row."""
        asked = question.astype(np.float64)
        rows = [np.empty(0, np.int64)]
        scores = [np.empty(0, np.float32)]
        places = np.sort(places)
        cuts: Rows = np.searchsorted(places, [*self.firsts[1:], self.n][: len(self.shelves)])
        start = 0
        for shelf, stop in zip(self.shelves, cuts, strict=True):
            for piece in _pieces(shelf, places[start:stop] - shelf.first):
                rows.append(np.asarray(shelf.rows[piece], dtype=np.int64))
                scores.append(shelf.scores(piece, asked))
            start = int(stop)
        return _best(np.concatenate(rows), np.concatenate(scores), k)


def _pieces(shelf: Shelf, places: Rows) -> list[Rows]:
    """Cut places so that the vectors of a piece fit the bound on memory."""
    if len(places) == 0:
        return []
    d = shelf.values.shape[1]
    taken = np.cumsum(shelf.lengths[places], dtype=np.int64) * (8 * d)
    cuts = np.flatnonzero(np.diff(taken // _RESCORED_BYTES)) + 1
    return list(np.split(places, cuts)) if len(cuts) else [places]


def _best(rows: Rows, scores: Floats, k: int) -> list[ScoredRow]:
    if len(rows) > 4 * k:
        kept = scores >= np.partition(scores, len(scores) - k)[len(scores) - k]
        rows, scores = rows[kept], scores[kept]
    order = np.lexsort((rows, -scores))[:k]
    return list(map(ScoredRow, rows[order].tolist(), scores[order].tolist()))
