"""The vectors of single passages of a channel, for whoever compares them anew."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from medrag.indexing.storage import Store
from medrag.records import Embeddings

Floats = NDArray[np.float32]


class RowVectors:
    """The vectors of a channel by the rows of its index, mapped into memory.

    Raises:
        KeyError: if the index has no such channel.
        IndexFormatError: if its vectors are damaged.
    """

    def __init__(self, *, store: Store, channel: str) -> None:
        self._blocks = store.vectors(channel)
        self._starts = [
            np.concatenate(([0], np.cumsum(block.lengths, dtype=np.int64)))
            for block in self._blocks
        ]
        self.d = self._blocks[0].values.shape[1] if self._blocks else 0

    def at(self, rows: Sequence[int]) -> Embeddings:
        """Give the vectors of rows, in the order asked.

        Returns:
            Float32 as they were written; a row of which the channel has none has length 0.
        """
        found = [self._of(row) for row in rows]
        lengths = np.array([len(each) for each in found], dtype=np.int32)
        none = np.zeros((0, self.d), dtype=np.float32)
        return Embeddings(np.concatenate([none, *found]), lengths)

    def _of(self, row: int) -> Floats:
        for block, starts in zip(self._blocks, self._starts, strict=True):
            place = int(np.searchsorted(block.rows, row))
            if place < len(block.rows) and block.rows[place] == row:
                return np.asarray(block.values[starts[place] : starts[place + 1]])
        return np.zeros((0, self.d), dtype=np.float32)
