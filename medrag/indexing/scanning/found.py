"""What one thread found, in arrays that compiled loops fill."""

from typing import NamedTuple

import numpy as np

from medrag.indexing.scanning.candidates import Candidates
from medrag.indexing.scanning.library import Floats, Rows


class Arrays(NamedTuple):
    """What a loop writes to.

    Attributes:
        heaps: (m, k), the best lower ends of each question's scores so far, the least first.
        places: (m, room), of the passages that reached the k-th best lower end as it then was.
        uppers: (m, room), what these may reach.
        counts: (m,), how many they are.
    """

    heaps: Floats
    places: Rows
    uppers: Floats
    counts: Rows


class Found:
    """Candidates for m questions, from one thread."""

    def __init__(self, m: int, k: int) -> None:
        self.k = k
        self.arrays = Arrays(
            np.full((m, k), -np.inf, np.float32),
            np.empty((m, 0), np.int64),
            np.empty((m, 0), np.float32),
            np.zeros(m, np.int64),
        )

    def make_room(self, n: int) -> None:
        """See that n more passages fit for each question."""
        room = self.arrays.places.shape[1]
        if int(self.arrays.counts.max(initial=0)) + n <= room:
            return
        kept = [self._kept(j) for j in range(len(self.arrays.counts))]
        most = max((len(places) for places, _ in kept), default=0)
        # Twice what is needed: dropping those that fell behind is to be rare.
        m, room = len(kept), max(room, 2 * (most + n))
        heaps, _, _, counts = self.arrays
        self.arrays = Arrays(
            heaps, np.empty((m, room), np.int64), np.empty((m, room), np.float32), counts
        )
        for j, (places, uppers) in enumerate(kept):
            self.arrays.places[j, : len(places)] = places
            self.arrays.uppers[j, : len(places)] = uppers
            counts[j] = len(places)

    def candidates(self) -> list[Candidates]:
        """Give what is left for each question."""
        found = []
        for j, heap in enumerate(self.arrays.heaps):
            each = Candidates(self.k)
            each.take(*self._kept(j), heap)
            found.append(each)
        return found

    def _kept(self, j: int) -> tuple[Rows, Floats]:
        heaps, places, uppers, counts = self.arrays
        near = uppers[j, : counts[j]] >= heaps[j, 0]
        return places[j, : counts[j]][near], uppers[j, : counts[j]][near]
