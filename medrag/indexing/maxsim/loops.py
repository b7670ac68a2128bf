"""The inner loops of MaxSim, compiled. Importing this module imports Numba.

Lengths are at least 1 everywhere. `starts` is (n + 1,): where the vectors of each passage begin in
the array beside it, and the end.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from medrag.indexing.scanning.kernels import compiled, ones

Numbers = NDArray[Any]


@compiled
def largest(products: Numbers, first: int, stop: int, best: Numbers) -> None:
    """Write the largest of rows [first, stop), column by column, to `best`."""
    best[:] = products[first]
    for j in range(first + 1, stop):
        for i in range(len(best)):
            best[i] = max(best[i], products[j, i])


@compiled
def product(vector: Numbers, question: Numbers) -> float:
    """Multiply two vectors in double precision, in ascending order of the index."""
    total = 0.0
    for i in range(len(vector)):
        total += np.float64(vector[i]) * question[i]
    return total


@compiled
def summed_maxima(
    products: Numbers, starts: Numbers, scales: Numbers, weights: Numbers, stops: Numbers
) -> Numbers:
    """Sum, over the vectors of each question, the largest product with a passage's vectors.

    Args:
        products: (starts[-1], m) of each passage vector with each question vector.
        scales: (n,), `weights`: (m,): what a product of that passage, that vector is multiplied by.
        stops: (questions,), where the vectors of each question end.

    Returns:
        (n, questions) float64.
    """
    out = np.empty((len(starts) - 1, len(stops)))
    best = products[0].copy()
    for p in range(len(out)):
        largest(products, starts[p], starts[p + 1], best)
        first = 0
        for q in range(len(stops)):
            total = 0.0
            for i in range(first, stops[q]):
                total += best[i] * weights[i]
            out[p, q] = total * scales[p]
            first = stops[q]
    return out


@compiled
def refined(
    values: Numbers,
    firsts: Numbers,
    products: Numbers,
    starts: Numbers,
    question: Numbers,
    slack: Numbers,
    bar: tuple[Numbers, Numbers],
) -> Numbers:
    """Score passages in double precision, looking only at pairs that may be the best.

    Args:
        values: (N, d) float32, all vectors; `firsts`: (n,), where those of each passage begin.
        products: (starts[-1], m), estimates for each vector of the passages.
        question: (m, d) float64.
        slack: (n, m), how far below the largest estimate the best pair may lie: twice the error.
        bar: (n,), what a passage must be able to reach, and (m,), what a product counts there.

    Returns:
        (n,) float64, each inner product and their sum in ascending order of the index; -inf where
        the bar is out of reach.
    """
    out = np.empty(len(firsts))
    best = products[0].copy()
    floors, exact = np.empty(len(best)), np.empty(len(best))
    bars, weights = bar
    for p in range(len(firsts)):
        largest(products, starts[p], starts[p + 1], best)
        reach = 0.0
        for i in range(len(best)):
            reach += (best[i] + slack[p, i] / 2) * weights[i]
            floors[i] = best[i] - slack[p, i]
            exact[i] = -np.inf
        if reach < bars[p]:
            out[p] = -np.inf
            continue
        for j in range(starts[p], starts[p + 1]):
            near = 0
            for i in range(len(best)):
                # Not ">=": where an estimate overflowed, nothing is known, and all are near.
                near += not products[j, i] < floors[i]
            if near == 0:
                continue
            row = firsts[p] + j - starts[p]
            for i in range(len(best)):
                if not products[j, i] < floors[i]:
                    exact[i] = max(exact[i], product(values[row], question[i]))
        score = 0.0
        for i in range(len(best)):
            score += exact[i]
        out[p] = score
    return out


@compiled
def least_distances(planes: Numbers, starts: Numbers, places: Numbers, codes: Numbers) -> Numbers:
    """Give the least Hamming distance of each question code to those of each passage.

    Args:
        planes: (words, N) uint64, word w of vector j at [w, j].
        places: (n,), the passages that are looked at.
        codes: (m, words) uint64.

    Returns:
        (n, m) int64.
    """
    out = np.empty((len(places), len(codes)), np.int64)
    for p in range(len(places)):
        first, stop = starts[places[p]], starts[places[p] + 1]
        distances = np.empty(stop - first, np.uint64)
        for i in range(len(codes)):
            least = np.uint64(1 << 62)
            if len(planes) == 2:
                # The usual 128 numbers: nothing is written down on the way.
                plane_a, plane_b = planes[0, first:stop], planes[1, first:stop]
                for j in range(stop - first):
                    apart = ones(plane_a[j] ^ codes[i, 0]) + ones(plane_b[j] ^ codes[i, 1])
                    least = min(least, apart)
            else:
                distances[:] = np.uint64(0)
                for w in range(len(planes)):
                    plane = planes[w, first:stop]
                    for j in range(stop - first):
                        distances[j] += ones(plane[j] ^ codes[i, w])
                for j in range(stop - first):
                    least = min(least, distances[j])
            out[p, i] = least
    return out
