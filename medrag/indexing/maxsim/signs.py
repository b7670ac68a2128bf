"""One bit per number of a vector, its sign: a first, approximate pass of MaxSim.

The angle between two vectors is estimated by the share of signs in which they differ, and the score
of a passage by the sum of the cosines of each question vector's least angle. 128 numbers take 16
bytes. The estimate has no useful bound: it picks candidates, and never scores.

Source:
    Charikar, STOC 2002 (the angle from signs).
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from medrag.indexing.maxsim.packed import Ints, Packed
from medrag.indexing.scanning.copies import as_words
from medrag.indexing.threads import in_threads, n_cores

Planes = NDArray[np.uint64]


class Signs(NamedTuple):
    """Passages of one segment that are asked for.

    `planes` (words, N), `starts` (n + 1,) where the vectors of each passage begin there, `places`.
    """

    planes: Planes
    starts: Ints
    places: Ints


# Numbers that one thread turns into bits at once.
_PIECE = 1 << 20


def n_words(d: int) -> int:
    return -(-d // 64)


def sign_planes(source: Packed, planes: Planes | None = None) -> Planes:
    """Give the signs of vectors, (words, N): word w of vector j at [w, j], the first sign lowest.

    Args:
        planes: what is to be filled, such as a memory map; a new array if None.
    """
    n, d = source.values.shape
    filled = np.empty((n_words(d), n), dtype=np.uint64) if planes is None else planes
    size = max(1, _PIECE // max(1, d))

    def fill(starts: Iterator[int]) -> None:
        for start in starts:
            values = np.asarray(source.values[start : start + size])
            filled[:, start : start + size] = as_words(values >= 0, n_words(d)).T

    in_threads(fill, range(0, n, size))
    return filled


def sign_scores(signs: Sequence[Signs], questions: Packed) -> NDArray[np.float64]:
    """Estimate the scores of passages, (passages, questions), in the order of the signs.

    Args:
        questions: each of at least one vector.
    """
    from medrag.indexing.maxsim.loops import least_distances

    d = questions.values.shape[1]
    codes = as_words(questions.values >= 0, n_words(d))
    cosines = np.cos(np.pi * np.arange(d + 1) / d)
    norms = np.linalg.norm(questions.values.astype(np.float64), axis=1)
    ends = np.cumsum([0, *(len(each.places) for each in signs)])
    scores = np.empty((int(ends[-1]), len(questions.starts) - 1))
    # Several pieces for each core, for where the lengths differ.
    size = max(1, int(ends[-1]) // (4 * n_cores()))
    tasks = [
        (each, start, int(end) + start)
        for each, end in zip(signs, ends, strict=False)
        for start in range(0, len(each.places), size)
    ]

    def work(tasks: Iterator[tuple[Signs, int, int]]) -> None:
        for each, start, out in tasks:
            places = each.places[start : start + size]
            distances = least_distances(each.planes, each.starts, places, codes)
            scores[out : out + len(places)] = np.add.reduceat(
                cosines[distances] * norms, questions.starts[:-1], axis=1
            )

    in_threads(work, tasks)
    return scores
