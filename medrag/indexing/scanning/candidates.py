"""What could still be among the best k, as a scan goes on."""

from collections.abc import Sequence

import numpy as np

from medrag.indexing.scanning.library import Floats, Rows

# Relative rounding of one operation in single precision, twice over.
ROUNDING = 2.0**-23
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
    return (d + 16) * ROUNDING


def least(d: int) -> float:
    """Bound what underflow takes from an inner product of d terms."""
    return d * _LEAST


class Candidates:
    """Passages whose score may be among the best k of one question.

    Attributes:
        lower: the k best lower ends so far.
        kept: places, in pieces.
        upper: upper ends of those, in the same pieces.
    """

    def __init__(self, k: int) -> None:
        self.k = k
        self.lower = np.empty(0, np.float32)
        self.kept: list[Rows] = []
        self.upper: list[Floats] = []
        self._n = 0

    @property
    def threshold(self) -> float:
        """What a passage must be able to reach: the k-th best lower end so far."""
        return float(self.lower.min()) if len(self.lower) == self.k else -np.inf

    def add(self, places: Rows, lower: Floats, upper: Floats) -> None:
        """Take in passages with the intervals that hold their scores."""
        near = upper >= self.threshold
        if not near.all():
            places, lower, upper = places[near], lower[near], upper[near]
        if len(places) == 0:
            return
        self.lower = largest(np.concatenate((self.lower, lower)), self.k)
        near = upper >= self.threshold
        self.kept.append(places[near])
        self.upper.append(upper[near])
        self._n += int(near.sum())
        if self._n > _KEPT:
            self._drop()

    def add_near(self, places: Rows, scores: Floats, error: np.float32) -> None:
        """Take in passages with scores that are off by no more than an error."""
        if self.threshold > -np.inf:
            near = scores >= np.float32(self.threshold) - error
            if not near.any():
                return
            places, scores = places[near], scores[near]
        self.add(places, scores - error, scores + error)

    def absorb(self, other: "Candidates") -> None:
        """Take in what was found for the same question among other passages."""
        self.lower = largest(np.concatenate((self.lower, other.lower)), self.k)
        self.kept += other.kept
        self.upper += other.upper

    def take(self, places: Rows, upper: Floats, lower: Floats) -> None:
        """Take in what a scan kept, and the k best lower ends that it saw."""
        self.lower = largest(np.concatenate((self.lower, lower)), self.k)
        self.kept.append(places)
        self.upper.append(upper)

    def places(self) -> Rows:
        """Give those that are left, in no order."""
        self._drop()
        return self.kept[0]

    def _drop(self) -> None:
        places = np.concatenate([np.empty(0, np.int64), *self.kept])
        upper = np.concatenate([np.empty(0, np.float32), *self.upper])
        near = upper >= self.threshold
        self.kept, self.upper = [places[near]], [upper[near]]
        # Only growth from here on calls for another look.
        self._n = 0


def joined(found: Sequence[Sequence[Candidates]], k: int) -> list[Rows]:
    """Put together what several threads found for the same questions."""
    if len(found) == 1:
        return [each.places() for each in found[0]]
    merged = []
    for of_question in zip(*found, strict=True):
        whole = Candidates(k)
        for part in of_question:
            whole.absorb(part)
        merged.append(whole.places())
    return merged


def largest(values: Floats, k: int) -> Floats:
    """Give the k largest values, in no order, or all if there are fewer."""
    return np.partition(values, len(values) - k)[len(values) - k :] if len(values) > k else values
