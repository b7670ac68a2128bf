"""What a filter leaves of a FAISS index, and whether candidates are enough of it."""

import numpy as np
from numpy.typing import NDArray

from medrag.indexing.faiss.candidates import Found
from medrag.indexing.scanning.candidates import slack

Mask = NDArray[np.bool_]
Rows = NDArray[np.int64]

# How many times more lists are searched at once for a filter that leaves few passages.
_EFFORT = 8
# Of a filter that leaves less than an eighth, and at most so many passages, all are scored.
_SCORED, _SCORED_SHARE = 4096, 8


class Allowed:
    """The passages that a filter leaves, by their places in a library and positions in an index.

    Args:
        mask: the rows that are live and allowed.
        rows: of the passage at each place.
        places: of each position; -1 where its segment is gone.
    """

    def __init__(self, mask: Mask, rows: Rows, places: Rows) -> None:
        self.mask = mask
        here = mask[rows]
        n_places = int(np.count_nonzero(here))
        few = n_places <= min(_SCORED, len(rows) // _SCORED_SHARE)
        self.few = np.flatnonzero(here) if few else None
        self._places = places
        # The place -1 meets the last one.
        self._positions = np.append(here, False)[places]
        self._n = int(np.count_nonzero(self._positions))
        # The fewer are allowed, the farther off they lie: more lists hold them.
        self.effort = max(1, min(_EFFORT, len(places) // max(1, self._n)))
        whole = self._n == len(places)
        self.bits = None if whole else np.packbits(self._positions, bitorder="little")

    def places(
        self, found: Found, question: NDArray[np.float32], k: int, longest: float | None
    ) -> tuple[Rows, bool]:
        """Give the allowed places among candidates, and whether the best k must be among them.

        Args:
            question: (t, d), with t lists of candidates.
            longest: norm of the longest vector, where FAISS's scores are inner products in single
                precision; None where they are of codes, and k places of any kind are enough.
        """
        valid = found.positions >= 0
        valid[valid] = self._positions[found.positions[valid]]
        places, owners = np.unique(self._places[found.positions[valid]], return_inverse=True)
        if (np.count_nonzero(valid, axis=1) == self._n).any():
            return places, True
        if len(places) < k or longest is None:
            return places, len(places) >= k
        best = np.full(len(places), -np.inf, dtype=np.float32)
        np.maximum.at(best, owners, found.scores[valid])
        norm = float(np.linalg.norm(question, axis=1).max())
        bound = np.partition(best, -k)[-k] - slack(question.shape[1]) * longest * norm
        # A list that is full, to the last place with scores that tie, may have cut others off.
        cut = (found.positions[:, -1] >= 0) & (found.scores[:, -1] >= bound)
        return places, not cut.any()
