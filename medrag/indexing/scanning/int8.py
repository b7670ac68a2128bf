"""Scan int8 copies on the processor: compiled loops for few questions, its matrix unit for many."""

import sys
from collections.abc import Iterator, Sequence
from functools import cached_property, partial
from typing import NamedTuple

import numpy as np

from medrag.indexing.machine import multiplies_int8
from medrag.indexing.scanning.candidates import Candidates, Found, joined, least
from medrag.indexing.scanning.copies import Copy
from medrag.indexing.scanning.library import Floats, Library, Mask, Rows, Shelf
from medrag.indexing.scanning.products import by_products
from medrag.indexing.threads import in_threads

# Bytes of codes that one task scans.
_TASK_BYTES = 4 << 20
# From so many questions on, the matrix unit is worth its coarser first pass; with so many
# multiplications, also the import of the library that drives it.
_MANY = 6
_WORTH_IMPORT = 10**10
# So many passages or fewer are sooner scored exactly than scanned once more.
_FEW = 256
# Where a filter lets fewer through, they are listed.
_LISTED = 0.5
# Beyond this, single precision may overflow.
_HUGE = 1e36

_NONE = np.empty(0, np.int64)
_ALL = np.empty(0, np.bool_)


class Int8Scan:
    """Find candidates in int8 copies of the blocks of a library."""

    def __init__(self, library: Library, copies: Sequence[Copy]) -> None:
        self.library = library
        self.copies = copies

    def candidates(self, questions: Floats, k: int, mask: Mask) -> list[Rows]:
        """Give the places that could be among the best k, for each question."""
        asked = np.ascontiguousarray(questions, dtype=np.float32)
        allowed = [shelf.allowed(mask) for shelf in self.library.shelves]
        if self._may_overflow(asked):
            return [self._everything(allowed) for _ in asked]
        k = max(1, min(k, self.library.n))
        if len(asked) < _MANY or not self._has_matrix_unit(len(asked)):
            blocks = zip(self.library.shelves, self.copies, allowed, strict=True)
            tasks = [task for a, b, c in blocks for task in _tasks(a, b, allowed=c)]
            return joined(in_threads(partial(_scan, asked, k), tasks))
        return self._refined(asked, k, by_products(self.library, self.copies, asked, k, allowed))

    @cached_property
    def _longest(self) -> float:
        return max((float(copy.lengths.max(initial=0)) for copy in self.copies), default=0.0)

    def _may_overflow(self, questions: Floats) -> bool:
        lengths = np.linalg.norm(questions.astype(np.float64), axis=1)
        return bool(lengths.max(initial=0) * max(1.0, self._longest) > _HUGE)

    def _everything(self, allowed: Sequence[Mask | None]) -> Rows:
        places = [
            shelf.first + (np.arange(len(shelf)) if each is None else np.flatnonzero(each))
            for shelf, each in zip(self.library.shelves, allowed, strict=True)
        ]
        return np.concatenate([_NONE, *places])

    def _has_matrix_unit(self, n_questions: int) -> bool:
        work = n_questions * sum(copy.codes.size for copy in self.copies)
        return ("torch" in sys.modules or work >= _WORTH_IMPORT) and multiplies_int8()

    def _refined(self, questions: Floats, k: int, coarse: Sequence[Rows]) -> list[Rows]:
        """Where many places were found for a question, scan them with the question itself."""
        refined = list(coarse)

        def refine(numbers: Iterator[int]) -> None:
            for j in numbers:
                split = self.library.split(coarse[j])
                blocks = zip(self.library.shelves, self.copies, split, strict=True)
                tasks = (task for a, b, c in blocks for task in _tasks(a, b, listed=c))
                (found,) = _scan(questions[j : j + 1], k, tasks)
                refined[j], _, _ = found.left()

        in_threads(refine, [j for j, places in enumerate(coarse) if len(places) > _FEW])
        return refined


class _Task(NamedTuple):
    """Passages [first, stop) of a block, or of those listed."""

    shelf: Shelf
    copy: Copy
    chosen: tuple[Mask, Rows]
    first: int
    stop: int


def _tasks(
    shelf: Shelf, copy: Copy, *, allowed: Mask | None = None, listed: Rows | None = None
) -> Iterator[_Task]:
    """Divide what a mask lets through, or what is listed."""
    if allowed is not None and np.count_nonzero(allowed) <= _LISTED * len(shelf):
        # Of few, a list tells what to ask the memory for next.
        listed = np.flatnonzero(allowed)
        allowed = None
    n = len(shelf) if listed is None else len(listed)
    chosen = (_ALL if allowed is None else allowed, _NONE if listed is None else listed)
    size = max(64, _TASK_BYTES * len(shelf) // max(1, copy.codes.nbytes))
    # As even as they can be: the last thread to finish is waited for.
    n_tasks = -(-n // size)
    for number in range(n_tasks):
        yield _Task(shelf, copy, chosen, n * number // n_tasks, n * (number + 1) // n_tasks)


def _scan(questions: Floats, k: int, tasks: Iterator[_Task]) -> list[Candidates]:
    from medrag.indexing.scanning.kernels import scan_codes

    lengths = np.linalg.norm(questions.astype(np.float64), axis=1).astype(np.float32)
    asked = questions, lengths, np.float32(least(questions.shape[1]))
    found = Found(len(questions), k)
    for shelf, copy, chosen, first, stop in tasks:
        facts = (copy.scales, copy.errors, _NONE if shelf.single else shelf.starts)
        arrays = found.with_room(stop - first)
        scan_codes(copy.codes, facts, asked, chosen, first, stop, shelf.first, *arrays)
    return found.candidates()
