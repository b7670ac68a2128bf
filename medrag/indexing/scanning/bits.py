"""Scan one sign of each number: quick and approximate."""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from medrag.indexing.scanning.candidates import Candidates, Found, joined
from medrag.indexing.scanning.copies import Copy, as_words, words
from medrag.indexing.scanning.library import Floats, Library, Mask, Rows, Shelf
from medrag.indexing.threads import in_threads

# Bits of each number of a question.
_PLANES = 4
_TASK_BYTES = 1 << 20

_NONE = np.empty(0, np.int64)
_ALL = np.empty(0, np.bool_)


class BitsScan:
    """Guess scores from signs, and take the best `oversample` times k guesses.

    The best k need not be among them.
    """

    def __init__(self, library: Library, copies: Sequence[Copy], oversample: int) -> None:
        self.library = library
        self.copies = copies
        self.oversample = oversample

    def candidates(self, questions: Floats, k: int, mask: Mask) -> list[Rows]:
        """Give the places of the best guesses, for each question."""
        k = max(1, min(self.oversample * k, self.library.n))
        tasks = [
            task
            for shelf, copy in zip(self.library.shelves, self.copies, strict=True)
            for task in _tasks(shelf, copy, shelf.allowed(mask))
        ]
        found = []
        for question in questions:
            asked = {id(copy): _asked(question, copy.centre) for copy in self.copies}
            found += joined(in_threads(partial(_scan, asked, k), tasks))
        return found


class _Task(NamedTuple):
    shelf: Shelf
    copy: Copy
    allowed: Mask
    first: int
    stop: int


class _Asked(NamedTuple):
    """A question, as a sum of planes of bits.

    A guess is `shift + scale * (low * ones + step * weighted - total)`, where `ones` counts the
    signs of a vector, and `weighted` those on each plane, times its weight.
    """

    planes: NDArray[np.uint64]
    shift: np.float32
    low: np.float32
    step: np.float32
    total: np.float32


def _asked(question: Floats, centre: Floats) -> _Asked:
    wide = question.astype(np.float64)
    low, high = float(wide.min()), float(wide.max())
    step = (high - low) / (2**_PLANES - 1)
    levels = np.rint((wide - low) / (step or 1.0)).astype(np.int64)
    planes = as_words(levels >> np.arange(_PLANES)[:, None] & 1, words(len(question)))
    # The signs' sum is twice that of the numbers where they are set, less that of all.
    floats = (wide @ centre.astype(np.float64), 2 * low, 2 * step, wide.sum())
    return _Asked(planes, *(np.float32(each) for each in floats))


def _tasks(shelf: Shelf, copy: Copy, allowed: Mask | None) -> Iterator[_Task]:
    n = len(shelf)
    n_tasks = -(-copy.codes.nbytes // _TASK_BYTES)
    mask = _ALL if allowed is None else allowed
    for number in range(n_tasks):
        yield _Task(shelf, copy, mask, n * number // n_tasks, n * (number + 1) // n_tasks)


def _scan(asked: dict[int, _Asked], k: int, tasks: Iterator[_Task]) -> list[Candidates]:
    from medrag.indexing.scanning.kernels import scan_bits

    found = Found(1, k)
    for shelf, copy, allowed, first, stop in tasks:
        facts = (copy.scales, _NONE if shelf.single else shelf.starts)
        planes, *floats = asked[id(copy)]
        rest: Any = tuple(floats)
        arrays = found.with_room(stop - first)
        scan_bits(copy.codes, facts, planes, rest, allowed, first, stop, shelf.first, *arrays)
    return found.candidates()
