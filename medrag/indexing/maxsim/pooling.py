"""Fewer vectors for each passage: means of neighbours, for a first, approximate pass of MaxSim."""

import numpy as np

from medrag.indexing.maxsim.packed import Floats, Ints, Packed, cut
from medrag.indexing.maxsim.workers import shared

# Numbers that one thread averages at once.
_PIECE = 1 << 20


def pooled_starts(starts: Ints, size: int) -> Ints:
    """Say where the means of each passage begin, and the end."""
    return np.concatenate(([0], np.cumsum(-(-np.diff(starts) // size))))


def pooled(source: Packed, size: int) -> Packed:
    """Average each `size` vectors that follow one another in a passage; the last may be fewer."""
    d = source.values.shape[1]
    starts = pooled_starts(source.starts, size)
    means: Floats = np.empty((int(starts[-1]), d), dtype=np.float32)
    pieces = list(cut(source.starts, max(1, _PIECE // max(1, d))))

    def fill(number: int) -> None:
        first, stop = pieces[number]
        begin, end = source.starts[first], source.starts[stop]
        lengths = np.diff(starts[first : stop + 1])
        within = np.arange(lengths.sum()) - np.repeat(starts[first:stop] - starts[first], lengths)
        firsts = np.repeat(source.starts[first:stop] - begin, lengths) + size * within
        sums = np.add.reduceat(np.asarray(source.values[begin:end]), firsts, axis=0)
        counts = np.diff(np.concatenate((firsts, [end - begin])))
        means[starts[first] : starts[stop]] = sums / counts[:, None]

    shared(len(pieces), fill)
    return Packed(means, starts)
