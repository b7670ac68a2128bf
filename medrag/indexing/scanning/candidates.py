"""What could still be among the best k, as a scan goes on."""

from collections.abc import Sequence

import numpy as np

from medrag.indexing.scanning.library import Floats, Rows

# Relative rounding of one operation in single precision, twice over.
_ROUNDING = 2.0**-23
# What products below the smallest normal number may lose altogether.
_LEAST = 1.2e-38
# Candidates that are kept before those that fell behind are dropped.
_KEPT = 1 << 16


def slack(d: int) -> float:
    """Bound the rounding of an inner product of d terms in single precision, generously.

    Returns:
        A factor of the product of both lengths. It also covers the rounding of a score to single
        precision, by which passages can tie.
    """
    return (d + 16) * _ROUNDING


def least(d: int) -> float:
    """Bound what underflow takes from an inner product of d terms."""
    return d * _LEAST


class Candidates:
    """Passages whose score may be among the best k of one question."""

    def __init__(self, k: int) -> None:
        self.k = k
        self._lower = np.empty(0, np.float32)
        self._places = [np.empty(0, np.int64)]
        self._upper = [np.empty(0, np.float32)]
        self._n = 0

    def add(self, places: Rows, scores: Floats, error: np.float32) -> None:
        """Take in passages with scores that are off by no more than an error."""
        near = scores >= self._threshold - error
        if near.any():
            places, scores = places[near], scores[near]
            self.take(places, scores + error, scores - error)

    def take(self, places: Rows, upper: Floats, lower: Floats) -> None:
        """Take in passages with what they may reach, and the best lower ends seen among them."""
        best = np.concatenate((self._lower, lower))
        self._lower = np.partition(best, -self.k)[-self.k :] if len(best) > self.k else best
        self._places.append(places)
        self._upper.append(upper)
        self._n += len(places)
        if self._n > _KEPT:
            self._drop()

    def left(self) -> tuple[Rows, Floats, Floats]:
        """Give what is left as `take` takes it: places in no order."""
        self._drop()
        return self._places[0], self._upper[0], self._lower

    @property
    def _threshold(self) -> np.float32:
        """What a passage must be able to reach: the k-th best lower end so far."""
        full = len(self._lower) == self.k
        return np.float32(self._lower.min() if full else -np.inf)

    def _drop(self) -> None:
        places, upper = np.concatenate(self._places), np.concatenate(self._upper)
        near = upper >= self._threshold
        self._places, self._upper = [places[near]], [upper[near]]
        # Only growth from here on calls for another look.
        self._n = 0


# What a compiled loop writes to, as a plain tuple, whose type it tells soonest: the best lower ends
# of each question's scores so far, (m, k), the least first; (m, room) places of the passages that
# reached the k-th best lower end as it then was; what these may reach; and (m,) how many they are.
Arrays = tuple[Floats, Rows, Floats, Rows]


class Found:
    """Candidates for m questions, from compiled loops on one thread."""

    def __init__(self, m: int, k: int) -> None:
        self.k = k
        self.heaps = np.full((m, k), -np.inf, np.float32)
        self.places = np.empty((m, 0), np.int64)
        self.uppers = np.empty((m, 0), np.float32)
        self.counts = np.zeros(m, np.int64)

    def with_room(self, n: int) -> Arrays:
        """Give the arrays, with room for n more passages for each question."""
        m, room = self.places.shape
        if int(self.counts.max(initial=0)) + n > room:
            kept = [self._kept(j) for j in range(m)]
            most = max((len(places) for places, _ in kept), default=0)
            # Twice what is needed: dropping those that fell behind is to be rare.
            shape = m, max(room, 2 * (most + n))
            self.places, self.uppers = np.empty(shape, np.int64), np.empty(shape, np.float32)
            for j, (places, uppers) in enumerate(kept):
                self.places[j, : len(places)] = places
                self.uppers[j, : len(places)] = uppers
                self.counts[j] = len(places)
        return self.heaps, self.places, self.uppers, self.counts

    def candidates(self) -> list[Candidates]:
        """Give what is left for each question."""
        found = []
        for j, heap in enumerate(self.heaps):
            each = Candidates(self.k)
            each.take(*self._kept(j), heap)
            found.append(each)
        return found

    def _kept(self, j: int) -> tuple[Rows, Floats]:
        places, uppers = (each[j, : self.counts[j]] for each in (self.places, self.uppers))
        near = uppers >= self.heaps[j, 0]
        return places[near], uppers[near]


def joined(found: Sequence[Sequence[Candidates]]) -> list[Rows]:
    """Put together what several threads found for the same questions."""
    first, *others = found
    for whole, *parts in zip(first, *others, strict=True):
        for part in parts:
            whole.take(*part.left())
    return [whole.left()[0] for whole in first]
