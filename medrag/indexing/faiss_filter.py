"""What a filter leaves of a FAISS index, and whether candidates are enough of it."""

import numpy as np
from numpy.typing import NDArray

from medrag.indexing.faiss_candidates import Found
from medrag.indexing.rescoring import rounding

Mask = NDArray[np.bool_]
Rows = NDArray[np.int64]

# How many times more lists are searched at once for a filter that leaves few passages.
_EFFORT = 8


class Allowed:
    """The positions of an index that a filter leaves.

    Args:
        mask: the rows that are live and allowed.
        rows: those that have vectors, in the index or not.
        rows_of: the row of each position; -1 where its segment is gone.
    """

    def __init__(self, mask: Mask, rows: Rows, rows_of: Rows) -> None:
        self.mask = mask
        self.n_rows = int(np.count_nonzero(mask[rows]))
        self._rows_of = rows_of
        # The row -1 meets the last place.
        self._positions = np.append(mask, False)[rows_of]
        self._n = int(np.count_nonzero(self._positions))
        # The fewer are allowed, the farther off they lie: more lists hold them.
        self.effort = max(1, min(_EFFORT, len(rows_of) // max(1, self._n)))
        whole = self._n == len(rows_of)
        self.bits = None if whole else np.packbits(self._positions, bitorder="little")

    def rows(
        self, found: Found, question: NDArray[np.float32], k: int, longest: float | None
    ) -> tuple[Rows, bool]:
        """Give the allowed rows among candidates, and whether the best k must be among them.

        Args:
            question: (t, d), with t lists of candidates.
            longest: norm of the longest vector, where FAISS's scores are inner products in single
                precision; None where they are of codes, and k rows of any kind are enough.
        """
        valid = found.positions >= 0
        valid[valid] = self._positions[found.positions[valid]]
        rows, places = np.unique(self._rows_of[found.positions[valid]], return_inverse=True)
        if (np.count_nonzero(valid, axis=1) == self._n).any():
            return rows, True
        if len(rows) < k or longest is None:
            return rows, len(rows) >= k
        best = np.full(len(rows), -np.inf, dtype=np.float32)
        np.maximum.at(best, places, found.scores[valid])
        bound = np.partition(best, -k)[-k] - rounding(question, longest)
        # A list that is full, to the last place with scores that tie, may have cut others off.
        cut = (found.positions[:, -1] >= 0) & (found.scores[:, -1] >= bound)
        return rows, not cut.any()
