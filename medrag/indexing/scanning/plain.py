"""Scan the vectors themselves, with NumPy alone."""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np

from medrag.indexing.scanning.candidates import Candidates, joined, least, slack
from medrag.indexing.scanning.library import Floats, Library, Mask, Rows, Shelf
from medrag.indexing.threads import in_threads

# Bytes of vectors, and scores, that a thread holds at once.
_VALUES_BYTES = 2 << 20
_SCORES = 4 << 20
# From so many questions on, NumPy's own library uses every core, on pieces that are worth it.
_MANY = 4
_MANY_BYTES = 16 << 20
# Where a filter lets fewer through, their vectors are gathered.
_GATHERED = 0.3


class PlainScan:
    """Find candidates among the vectors as they are. Reads in pieces: maps may exceed memory."""

    def __init__(self, library: Library) -> None:
        self.library = library

    def candidates(self, questions: Floats, k: int, mask: Mask) -> list[Rows]:
        """Give the places that could be among the best k, for each question.

        Raises:
            IndexFormatError: if a vector is not finite.
        """
        for shelf in self.library.shelves:
            shelf.longest  # noqa: B018 - measured once, before threads ask for it
        pieces = list(_pieces(self.library, len(questions), mask))
        work = partial(_scanned, questions, k)
        many = len(questions) >= _MANY
        return joined([work(iter(pieces))] if many else in_threads(work, pieces))


class _Piece(NamedTuple):
    """Passages [start, stop) of a block."""

    shelf: Shelf
    start: int
    stop: int
    allowed: Mask | None


def _pieces(library: Library, n_questions: int, mask: Mask) -> Iterator[_Piece]:
    """Cut blocks into pieces of whole passages that fit the bounds on memory."""
    share = _VALUES_BYTES if n_questions < _MANY else _MANY_BYTES
    size = max(1, min(share // (4 * max(1, library.d)), _SCORES // n_questions))
    for shelf in library.shelves:
        allowed = shelf.allowed(mask)
        for start, stop in shelf.spans(size):
            here = None if allowed is None else allowed[start:stop]
            if here is None or here.any():
                yield _Piece(shelf, start, stop, here)


def _scanned(questions: Floats, k: int, pieces: Iterator[_Piece]) -> list[Candidates]:
    found = [Candidates(k) for _ in questions]
    lengths = np.linalg.norm(questions.astype(np.float64), axis=1)
    # What overflows is told by what comes out.
    with np.errstate(over="ignore", invalid="ignore"):
        for piece in pieces:
            _scan(piece, questions, lengths, found)
    return found


def _scan(
    piece: _Piece, questions: Floats, lengths: Sequence[float], found: list[Candidates]
) -> None:
    shelf, d = piece.shelf, questions.shape[1]
    places, scores = _scores(piece, questions)
    for each, here, length in zip(found, scores, lengths, strict=True):
        error = slack(d) * shelf.longest * float(length) + least(d)
        if not np.isfinite(error) or not np.isfinite(here).all():
            # Too large for single precision: only the exact scores can tell.
            here, error = np.zeros_like(here), np.inf
        each.add(places + shelf.first, here, np.float32(error))


def _scores(piece: _Piece, questions: Floats) -> tuple[Rows, Floats]:
    """Score the allowed passages of a piece by their best vectors: places, (questions, places)."""
    shelf, start, stop, allowed = piece
    places = np.arange(start, stop) if allowed is None else start + np.flatnonzero(allowed)
    if shelf.single:
        if len(places) < _GATHERED * (stop - start):
            return places, _product(questions, shelf.values[places])
        scores = _product(questions, np.asarray(shelf.values[start:stop]))
        return places, scores if allowed is None else scores[:, allowed]
    firsts = shelf.starts[start : stop + 1]
    products = _product(questions, np.asarray(shelf.values[firsts[0] : firsts[-1]]))
    best = np.maximum.reduceat(products, firsts[:-1] - firsts[0], axis=1)
    return places, best if allowed is None else best[:, allowed]


def _product(questions: Floats, values: Floats) -> Floats:
    """Multiply each question with each vector, (questions, vectors)."""
    if len(questions) >= _MANY:
        return np.asarray(questions @ values.T)
    # Not the matrix library: it would call its own threads, and let ours wait for each other.
    return np.stack([np.einsum("ij,j->i", values, question) for question in questions])
