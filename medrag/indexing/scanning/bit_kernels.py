"""Compiled loops over signs. Importing this module imports Numba."""

import numpy as np
from numpy.typing import NDArray

from medrag.indexing.scanning.kernels import Floats, Whole, compiled, replace_least

Words = NDArray[np.uint64]

_HALVES = np.uint64(0x5555555555555555)
_QUARTERS = np.uint64(0x3333333333333333)
_EIGHTHS = np.uint64(0x0F0F0F0F0F0F0F0F)
_SUM = np.uint64(0x0101010101010101)
_1, _2, _4, _56 = np.uint64(1), np.uint64(2), np.uint64(4), np.uint64(56)


@compiled
def ones(word: np.uint64) -> np.uint64:
    """Count the bits that are set, in the way that compilers know as one instruction."""
    word = word - ((word >> _1) & _HALVES)
    word = (word & _QUARTERS) + ((word >> _2) & _QUARTERS)
    word = (word + (word >> _4)) & _EIGHTHS
    return (word * _SUM) >> _56


@compiled
def scan_bits(
    codes: Words,
    facts: tuple[Floats, Whole],
    planes: Words,
    asked: tuple[np.float32, np.float32, np.float32, np.float32],
    allowed: NDArray[np.bool_],
    first: int,
    stop: int,
    base: int,
    heaps: Floats,
    places: Whole,
    uppers: Floats,
    counts: Whole,
) -> None:
    """Scan passages [first, stop) for the best guesses.

    Args:
        codes: (n, words).
        facts: scales, (n,); where the vectors of each passage begin, and the end, or nothing.
        planes: (4, words), the bits of the question's levels, the lowest first.
        asked: what `medrag.indexing.scanning.bits` computes a guess with.
        allowed: for each passage whether it counts, or nothing if all do.
        base: added to the places that are found.
        heaps: see `medrag.indexing.scanning.found.Arrays`, as for the others; brought up to date.
    """
    scales, starts = facts
    shift, low, step, total = asked
    words = codes.shape[1]
    for place in range(first, stop):
        if len(allowed) and not allowed[place]:
            continue
        begin = starts[place] if len(starts) else place
        end = starts[place + 1] if len(starts) else place + 1
        best = np.float32(-np.inf)
        for i in range(begin, end):
            here, weighted = np.uint64(0), np.uint64(0)
            for w in range(words):
                word = codes[i, w]
                here += ones(word)
                weighted += ones(word & planes[0, w])
                weighted += ones(word & planes[1, w]) * np.uint64(2)
                weighted += ones(word & planes[2, w]) * np.uint64(4)
                weighted += ones(word & planes[3, w]) * np.uint64(8)
            signed = low * np.float32(here) + step * np.float32(weighted) - total
            best = max(best, shift + scales[i] * signed)
        if best >= heaps[0, 0]:
            places[0, counts[0]] = base + place
            uppers[0, counts[0]] = best
            counts[0] += 1
            if best > heaps[0, 0]:
                replace_least(heaps[0], best)
