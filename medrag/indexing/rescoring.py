"""Scores in double precision of rows that something faster, and less exact, has found."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from medrag.errors import IndexFormatError
from medrag.indexing.storage import Block
from medrag.records import ScoredRow

Floats = NDArray[np.float32]
Rows = NDArray[np.int64]

# Vectors, in bytes, that are copied out of the memory maps at once.
_PIECE_BYTES = 32 << 20
# Relative rounding error of one single-precision operation.
_EPSILON = 2.0**-23


class RowVectors:
    """The vectors of some rows, by row.

    Args:
        blocks: rows ascend within and across them.
    """

    def __init__(self, blocks: Sequence[Block]) -> None:
        held = [block for block in blocks if len(block.rows)]
        none = np.empty(0, np.int64)
        self.rows: Rows = np.concatenate([none, *(block.rows for block in held)])
        self._lengths: Rows = np.concatenate([none, *(block.lengths for block in held)])
        self._starts = np.cumsum(self._lengths) - self._lengths
        self._values = [block.values for block in held]
        sizes = [len(values) for values in self._values]
        self._offsets = np.cumsum([0, *sizes], dtype=np.int64)

    def ranked(self, rows: Rows, question: Floats, k: int) -> list[ScoredRow]:
        """Rank rows by their best pair with a question's vectors, (t, d)."""
        scores = self.scores(np.searchsorted(self.rows, rows), question)
        order = np.lexsort((rows, -scores))[:k]
        return [ScoredRow(int(rows[each]), float(scores[each])) for each in order]

    def closest(self, question: Floats, k: int, mask: NDArray[np.bool_]) -> Rows:
        """List every allowed row that could be among the best k, by reading all of them.

        Raises:
            IndexFormatError: if a vector is not finite.
        """
        best = np.empty(0, np.int64), np.empty(0, np.float32)
        for places in self._pieces(np.flatnonzero(mask[self.rows])):
            values = self._gathered(places)
            products = values @ question.T
            firsts = _firsts(self._lengths[places])
            scores = np.maximum.reduceat(products.max(axis=1), firsts)
            self._check(places, scores)
            reach = float(np.sqrt(np.einsum("ij,ij->i", values, values).max()))
            error = rounding(question, reach)
            kept = np.concatenate((best[0], places)), np.concatenate((best[1], scores))
            if len(kept[1]) > k:
                near = kept[1] >= np.partition(kept[1], -k)[-k] - error
                kept = kept[0][near], kept[1][near]
            best = kept
        return self.rows[best[0]]

    def scores(self, places: Rows, question: Floats) -> Floats:
        """Score passages by their best pair; each product is summed in the same order."""
        asked = question.astype(np.float64)
        scores = [np.empty(0, np.float32)]
        for piece in self._pieces(places):
            values = self._gathered(piece).astype(np.float64)
            products = np.stack([np.einsum("ij,j->i", values, each) for each in asked])
            best = np.maximum.reduceat(products.max(axis=0), _firsts(self._lengths[piece]))
            scores.append(best.astype(np.float32))
        return np.concatenate(scores)

    def _pieces(self, places: Rows) -> Iterator[Rows]:
        """Cut a list of passages so that the vectors of each part fit into memory."""
        if len(places) == 0:
            return
        most = max(1, _PIECE_BYTES // (4 * self._values[0].shape[1]))
        parts = (np.cumsum(self._lengths[places]) - 1) // most
        yield from np.split(places, np.flatnonzero(np.diff(parts)) + 1)

    def _gathered(self, places: Rows) -> Floats:
        """Copy the vectors of passages, in the order of `places`."""
        lengths = self._lengths[places]
        within = np.arange(lengths.sum()) - np.repeat(_firsts(lengths), lengths)
        wanted = np.repeat(self._starts[places], lengths) + within
        values = np.empty((len(wanted), self._values[0].shape[1]), dtype=np.float32)
        blocks = np.searchsorted(self._offsets, wanted, side="right") - 1
        for block in np.unique(blocks):
            here = blocks == block
            values[here] = self._values[block][wanted[here] - self._offsets[block]]
        return values

    def _check(self, places: Rows, scores: Floats) -> None:
        if not np.isfinite(scores).all():
            row = self.rows[places[np.flatnonzero(~np.isfinite(scores))[0]]]
            raise IndexFormatError(
                f"a vector of row {row} is not finite; the channel is damaged: verify the index, "
                "and build the channel anew"
            )


def rounding(question: Floats, longest: float) -> float:
    """Bound how far two inner products in single precision may be from their true difference.

    Args:
        question: (t, d).
        longest: norm of the longest vector that it meets.
    """
    norm = float(np.linalg.norm(question, axis=1).max(initial=0))
    d = int(question.shape[1])
    return 2 * d * _EPSILON * longest * norm


def _firsts(lengths: Rows) -> Rows:
    firsts: Rows = np.cumsum(lengths) - lengths
    return firsts
