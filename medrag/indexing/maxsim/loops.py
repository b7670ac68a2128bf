"""The inner loops of MaxSim, compiled by Numba where it is installed.

Where Numba is missing, NumPy does the same, slower. `refined` gives the same numbers either way, to
the last bit; sums that are only estimates may differ by their rounding.

Lengths are at least 1 everywhere. `starts` is (n + 1,): where the vectors of each passage begin in
the array beside it, and the end.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medrag.errors import MissingExtraError
from medrag.extras import require

Numbers = NDArray[Any]

_ONES_1 = np.uint64(0x5555555555555555)
_ONES_2 = np.uint64(0x3333333333333333)
_ONES_4 = np.uint64(0x0F0F0F0F0F0F0F0F)
_ONES_8 = np.uint64(0x0101010101010101)
_U1, _U2, _U4, _U56 = np.uint64(1), np.uint64(2), np.uint64(4), np.uint64(56)
_BITS_OF_BYTE = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1).sum(
    axis=1, dtype=np.uint8
)
# Numbers that a NumPy twin spreads out at once.
_AT_ONCE = 1 << 21


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
    loop = _compiled(_summed_loop)
    if loop is None:
        tops = np.maximum.reduceat(products, starts[:-1], axis=0)
        firsts = np.concatenate(([0], stops[:-1]))
        return np.add.reduceat(tops * weights.astype(np.float64), firsts, axis=1) * scales[:, None]
    out = np.empty((len(starts) - 1, len(stops)))
    loop(products, starts, scales, weights, stops, products[0].copy(), out)
    return out


def refined(
    values: Numbers,
    firsts: Numbers,
    products: Numbers,
    starts: Numbers,
    question: Numbers,
    slack: Numbers,
) -> Numbers:
    """Score passages in double precision, looking only at pairs that may be the best.

    Args:
        values: (N, d) float32, all vectors; `firsts`: (n,), where those of each passage begin.
        products: (starts[-1], m), estimates for each vector of the passages.
        question: (m, d) float64.
        slack: (n, m), how far below the largest estimate the best pair may lie.

    Returns:
        (n,) float64, each inner product and their sum in ascending order of the index.
    """
    loop = _compiled(_refined_loop)
    if loop is None:
        return _refined_by_numpy(values, firsts, products, starts, question, slack)
    out = np.empty(len(firsts))
    floors, exact = np.empty((2, products.shape[1]))
    loop(values, firsts, products, starts, question, slack, products[0].copy(), floors, exact, out)
    return out


def least_distances(planes: Numbers, starts: Numbers, places: Numbers, codes: Numbers) -> Numbers:
    """Give the least Hamming distance of each question code to those of each passage.

    Args:
        planes: (words, N) uint64, word w of vector j at [w, j].
        places: (n,), the passages that are looked at.
        codes: (m, words) uint64.

    Returns:
        (n, m) int64.
    """
    loop = _compiled(_distances_loop)
    if loop is None:
        return _distances_by_numpy(planes, starts, places, codes)
    out = np.empty((len(places), len(codes)), dtype=np.int64)
    longest = int((starts[places + 1] - starts[places]).max(initial=0))
    loop(planes, starts, places, codes, np.empty(longest, dtype=np.uint64), out)
    return out


@cache
def _compiled(loop: Callable[..., None]) -> Callable[..., Any] | None:
    """Compile a loop, which happens when it is first called; None without Numba."""
    try:
        numba = require("numba")
    except MissingExtraError:
        return None
    made: Callable[..., Any]
    try:
        made = numba.njit(nogil=True, cache=True)(loop)
    except RuntimeError:  # there is no folder to keep the machine code in
        made = numba.njit(nogil=True)(loop)
    return made


def _summed_loop(
    products: Numbers,
    starts: Numbers,
    scales: Numbers,
    weights: Numbers,
    stops: Numbers,
    best: Numbers,
    out: Numbers,
) -> None:
    for p in range(len(starts) - 1):
        best[:] = products[starts[p]]
        for j in range(starts[p] + 1, starts[p + 1]):
            for i in range(len(best)):
                best[i] = max(best[i], products[j, i])
        first = 0
        for q in range(len(stops)):
            total = 0.0
            for i in range(first, stops[q]):
                total += best[i] * weights[i]
            out[p, q] = total * scales[p]
            first = stops[q]


# One loop, since a compiled one calls nothing.
def _refined_loop(  # noqa: C901
    values: Numbers,
    firsts: Numbers,
    products: Numbers,
    starts: Numbers,
    question: Numbers,
    slack: Numbers,
    best: Numbers,
    floors: Numbers,
    exact: Numbers,
    out: Numbers,
) -> None:
    for p in range(len(firsts)):
        best[:] = products[starts[p]]
        for j in range(starts[p] + 1, starts[p + 1]):
            for i in range(len(best)):
                best[i] = max(best[i], products[j, i])
        for i in range(len(best)):
            floors[i] = best[i] - slack[p, i]
            exact[i] = -np.inf
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
                    total = 0.0
                    for each in range(values.shape[1]):
                        total += np.float64(values[row, each]) * question[i, each]
                    exact[i] = max(exact[i], total)
        score = 0.0
        for i in range(len(best)):
            score += exact[i]
        out[p] = score


def _refined_by_numpy(
    values: Numbers,
    firsts: Numbers,
    products: Numbers,
    starts: Numbers,
    question: Numbers,
    slack: Numbers,
) -> Numbers:
    owners = np.repeat(np.arange(len(firsts)), np.diff(starts))
    with np.errstate(invalid="ignore"):
        lowest = np.maximum.reduceat(products, starts[:-1], axis=0) - slack
        pairs = np.argwhere(~(products < lowest[owners]))
    tops = np.full(slack.shape, -np.inf)
    size = max(1, _AT_ONCE // values.shape[1])
    for start in range(0, len(pairs), size):
        rows, columns = pairs[start : start + size].T
        places = owners[rows]
        vectors = values[firsts[places] + rows - starts[places]].astype(np.float64)
        # A cumulative sum adds one after the other, as the loop does.
        sums = np.cumsum(vectors * question[columns], axis=1)[:, -1]
        np.maximum.at(tops, (places, columns), sums)
    return np.cumsum(tops, axis=1)[:, -1]


def _distances_loop(
    planes: Numbers,
    starts: Numbers,
    places: Numbers,
    codes: Numbers,
    distances: Numbers,
    out: Numbers,
) -> None:
    # The way the bits are counted is one that LLVM knows, and turns into one instruction.
    for p in range(len(places)):
        first, stop = starts[places[p]], starts[places[p] + 1]
        for i in range(len(codes)):
            least = np.uint64(1 << 62)
            if len(planes) == 2:
                code_a, code_b = codes[i, 0], codes[i, 1]
                plane_a, plane_b = planes[0, first:stop], planes[1, first:stop]
                for j in range(stop - first):
                    a, b = plane_a[j] ^ code_a, plane_b[j] ^ code_b
                    a = a - ((a >> _U1) & _ONES_1)
                    a = (a & _ONES_2) + ((a >> _U2) & _ONES_2)
                    a = (((a + (a >> _U4)) & _ONES_4) * _ONES_8) >> _U56
                    b = b - ((b >> _U1) & _ONES_1)
                    b = (b & _ONES_2) + ((b >> _U2) & _ONES_2)
                    b = (((b + (b >> _U4)) & _ONES_4) * _ONES_8) >> _U56
                    least = min(least, a + b)
            else:
                distances[: stop - first] = np.uint64(0)
                for w in range(len(planes)):
                    code, plane = codes[i, w], planes[w, first:stop]
                    for j in range(stop - first):
                        a = plane[j] ^ code
                        a = a - ((a >> _U1) & _ONES_1)
                        a = (a & _ONES_2) + ((a >> _U2) & _ONES_2)
                        distances[j] += (((a + (a >> _U4)) & _ONES_4) * _ONES_8) >> _U56
                for j in range(stop - first):
                    least = min(least, distances[j])
            out[p, i] = least


def _distances_by_numpy(
    planes: Numbers, starts: Numbers, places: Numbers, codes: Numbers
) -> Numbers:
    out = np.full((len(places), len(codes)), np.iinfo(np.int64).max)
    size = max(1, _AT_ONCE // (8 * codes.size))
    for least, place in zip(out, places, strict=True):
        for start in range(starts[place], starts[place + 1], size):
            stop = min(start + size, starts[place + 1])
            words = np.ascontiguousarray(planes[:, start:stop].T)
            differing = (words[:, None] ^ codes[None]).view(np.uint8)
            counts = _BITS_OF_BYTE[differing].sum(axis=2, dtype=np.int64)
            np.minimum(least, counts.min(axis=0), out=least)
    return out
