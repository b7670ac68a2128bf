"""Scan int8 copies on the processor: compiled loops for few questions, its matrix unit for many."""

import sys
from collections.abc import Iterator, Sequence
from functools import cached_property, partial
from typing import Any, NamedTuple

import numpy as np

from medrag.indexing.scanning.candidates import Candidates, joined, least
from medrag.indexing.scanning.copies import Copy
from medrag.indexing.scanning.found import Found
from medrag.indexing.scanning.library import Floats, Library, Mask, Rows, Shelf
from medrag.indexing.scanning.products import by_products, multiplies_int8
from medrag.indexing.scanning.threads import in_threads, n_cores

# Bytes of codes that one task scans.
_TASK_BYTES = 4 << 20
# From so many questions on, the matrix unit is worth its coarser first pass; with so many
# multiplications, also the import of the library that drives it.
_MANY = 6
_WORTH_IMPORT = 10**10
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
        if not self.library.n or self._may_overflow(asked):
            return [self._everything(allowed) for _ in asked]
        k = min(k, self.library.n)
        if len(asked) < _MANY or not self._has_matrix_unit(len(asked)):
            return self._scanned(asked, k, allowed)
        return self._refined(asked, k, by_products(self.library, self.copies, asked, k, allowed))

    @cached_property
    def _kernel(self) -> Any:
        from medrag.indexing.scanning.kernels import scan_codes

        return scan_codes

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

    def _split(self, places: Rows) -> list[Rows]:
        """Say places of the library as places within each block, ascending."""
        places = np.sort(places)
        parts = np.split(places, np.searchsorted(places, self.library.firsts[1:]))
        return [part - shelf.first for part, shelf in zip(parts, self.library.shelves, strict=True)]

    def _refined(self, questions: Floats, k: int, coarse: Sequence[Rows]) -> list[Rows]:
        """Scan the places that were found for each question with the question itself."""
        refined: list[Rows] = [_NONE] * len(coarse)

        def refine(numbers: Iterator[int]) -> None:
            for j in numbers:
                tasks = self._tasks(self._split(coarse[j]))
                (found,) = _scan(self._kernel, _asked(questions[j : j + 1]), k, iter(tasks))
                refined[j] = found.places()

        in_threads(refine, range(len(coarse)), n_cores())
        return refined

    def _scanned(self, questions: Floats, k: int, chosen: Sequence[Mask | None]) -> list[Rows]:
        """Scan what a mask of each block lets through."""
        work = partial(_scan, self._kernel, _asked(questions), k)
        return joined(in_threads(work, self._tasks(chosen), n_cores()), k)

    def _tasks(self, chosen: Sequence[Mask | Rows | None]) -> list["_Task"]:
        """Divide what a mask of each block lets through, or the places that are listed."""
        return [
            task
            for shelf, copy, each in zip(self.library.shelves, self.copies, chosen, strict=True)
            for task in _tasks(shelf, copy, each)
        ]


class _Task(NamedTuple):
    """Passages [first, stop) of a block, or of those listed."""

    shelf: Shelf
    copy: Copy
    chosen: tuple[Mask, Rows]
    first: int
    stop: int


def _asked(questions: Floats) -> tuple[Floats, Floats, np.float32]:
    """Give questions, their lengths, and what underflow may take, for the compiled loop."""
    lengths = np.linalg.norm(questions.astype(np.float64), axis=1).astype(np.float32)
    return questions, lengths, np.float32(least(questions.shape[1]))


def _tasks(shelf: Shelf, copy: Copy, chosen: Mask | Rows | None) -> Iterator[_Task]:
    masks: tuple[Any, Any] = (_ALL, _NONE)
    n = len(shelf)
    if chosen is not None and chosen.dtype == np.bool_:
        # Of few, a list tells what to ask the memory for next.
        chosen = chosen if np.count_nonzero(chosen) > _LISTED * n else np.flatnonzero(chosen)
    if chosen is not None and chosen.dtype == np.bool_:
        masks = (chosen, _NONE)
    elif chosen is not None:
        masks, n = (_ALL, chosen), len(chosen)
    size = max(64, _TASK_BYTES * len(shelf) // max(1, copy.codes.nbytes))
    # As even as they can be: the last thread to finish is waited for.
    n_tasks = -(-n // size)
    for number in range(n_tasks):
        yield _Task(shelf, copy, masks, n * number // n_tasks, n * (number + 1) // n_tasks)


def _scan(kernel: Any, asked: Any, k: int, tasks: Iterator[_Task]) -> list[Candidates]:
    found = Found(len(asked[0]), k)
    for shelf, copy, chosen, first, stop in tasks:
        found.make_room(stop - first)
        facts = (copy.scales, copy.errors, _NONE if shelf.single else shelf.starts)
        kernel(copy.codes, facts, asked, chosen, first, stop, shelf.first, *found.arrays)
    return found.candidates()
