"""A library in memory, which filters slowly and plainly."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from medrag.records import Filter, Passage
from tests.indexing.library import allowed


class Shelf:
    """Passages by row, as an index gives them."""

    def __init__(self, *passages: Passage) -> None:
        self.passages = passages

    def passages_at(self, rows: Sequence[int]) -> list[Passage]:
        return [self.passages[row] for row in rows]

    def row_of(self, passage_id: str) -> int | None:
        return next((n for n, each in enumerate(self.passages) if each.id == passage_id), None)

    def row_mask(self, wanted: Filter) -> NDArray[np.bool_]:
        return np.array([allowed(each, wanted) for each in self.passages], dtype=np.bool_)

    def passages_where(self, wanted: Filter) -> Iterator[tuple[int, Passage]]:
        return ((n, each) for n, each in enumerate(self.passages) if allowed(each, wanted))
