"""One bit per number of a vector, its sign: a first, approximate pass of MaxSim.

The angle between two vectors is estimated by the share of signs in which they differ, and the score
of a passage by the sum of the cosines of each question vector's least angle. 128 numbers take 16
bytes. The estimate has no useful bound: it picks candidates, and never scores.

Source:
    Charikar, STOC 2002 (the angle from signs).
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from medrag.indexing.maxsim.loops import least_distances
from medrag.indexing.maxsim.packed import Floats, Ints, Packed, cut
from medrag.indexing.maxsim.workers import shared
from medrag.indexing.scanning.threads import n_cores

Planes = NDArray[np.uint64]


class Signs(NamedTuple):
    """Passages of one segment that are asked for.

    `planes` (words, N), `starts` (n + 1,) where the vectors of each passage begin there, `places`.
    """

    planes: Planes
    starts: Ints
    places: Ints


_WORD = 64
# Numbers that one thread turns into bits at once.
_PIECE = 1 << 20


def n_words(d: int) -> int:
    return -(-d // _WORD)


def sign_planes(source: Packed, planes: Planes | None = None) -> Planes:
    """Give the signs of vectors, (words, N): word w of vector j at [w, j], the first sign lowest.

    Args:
        planes: what is to be filled, such as a memory map; a new array if None.
    """
    n, d = source.values.shape
    filled = np.empty((n_words(d), n), dtype=np.uint64) if planes is None else planes
    pieces = list(cut(source.starts, max(1, _PIECE // max(1, d))))

    def fill(number: int) -> None:
        first, stop = (int(source.starts[each]) for each in pieces[number])
        filled[:, first:stop] = _words(np.asarray(source.values[first:stop])).T

    shared(len(pieces), fill)
    return filled


def sign_scores(signs: Sequence[Signs], questions: Packed) -> NDArray[np.float64]:
    """Estimate the scores of passages, (passages, questions), in the order of the signs.

    Args:
        questions: each of at least one vector.
    """
    d = questions.values.shape[1]
    codes = np.ascontiguousarray(_words(questions.values))
    cosines = np.cos(np.pi * np.arange(d + 1) / d)
    norms = np.linalg.norm(questions.values.astype(np.float64), axis=1)
    ends = np.cumsum([0, *(len(each.places) for each in signs)])
    scores = np.empty((int(ends[-1]), len(questions.starts) - 1))
    # Several pieces for each core, for where the lengths differ.
    size = max(1, int(ends[-1]) // (4 * n_cores()))
    pieces = [
        (each, start, end, min(size, len(each.places) - start))
        for each, end in zip(signs, ends, strict=False)
        for start in range(0, len(each.places), size)
    ]

    def work(number: int) -> None:
        each, start, end, n = pieces[number]
        places = each.places[start : start + n]
        distances = least_distances(each.planes, each.starts, places, codes)
        scores[end + start : end + start + n] = np.add.reduceat(
            cosines[distances] * norms, questions.starts[:-1], axis=1
        )

    shared(len(pieces), work)
    return scores


def _words(values: Floats) -> Planes:
    """Give the signs of vectors, (N, words)."""
    n, d = values.shape
    bits = np.zeros((n, n_words(d) * _WORD), dtype=np.bool_)
    bits[:, :d] = values >= 0
    words: Planes = np.packbits(bits, axis=1, bitorder="little").view("<u8")
    return words
