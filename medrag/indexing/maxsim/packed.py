"""Packed vectors of passages, and copies of them in fewer bits, with a bound on what that loses.

A copy holds integers or halves, each passage with its own scale: `scale * code` is near the vector.
How near is measured when the copy is made, for every vector, so that what is found with the copy
can be proved.
"""

from collections.abc import Iterator
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from medrag.errors import IndexFormatError
from medrag.indexing.commands import reread
from medrag.indexing.scanning.copies import rounded
from medrag.indexing.scanning.library import cut
from medrag.indexing.threads import in_threads

CopyKind = Literal["int8", "float16", "bfloat16", "float32"]

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]

# How numbers of each kind lie in memory and on disk; NumPy has no bfloat16.
STORED: dict[CopyKind, str] = {
    "int8": "|i1",
    "float16": "<f2",
    "bfloat16": "<u2",
    "float32": "<f4",
}
# Numbers that one thread turns into codes, or averages, at once.
_PIECE = 1 << 19
# Covers the rounding of what measures the errors, and keeps scales above zero.
_SLACK, _LEAST = 2.0**-19, 1e-30


class Packed(NamedTuple):
    """Vectors of passages, one after the other.

    Attributes:
        values: (N, d) float32; may be a memory map.
        starts: (n + 1,), where the vectors of each passage begin, and the end.
    """

    values: Floats
    starts: Ints


class Bounds(NamedTuple):
    """What is known of each passage of a copy, all (n,) float32.

    Attributes:
        scales: a vector is near its code times this.
        errors: no vector is farther than this from that.
        norms: no vector is longer.
    """

    scales: Floats
    errors: Floats
    norms: Floats


class Copy(NamedTuple):
    """The vectors of `packed` in fewer bits.

    `codes` is (N, d), of the type that `STORED` says; of kind "float32" it is the vectors
    themselves.
    """

    kind: CopyKind
    codes: NDArray[Any]
    starts: Ints
    bounds: Bounds


def packed(values: Floats, lengths: NDArray[np.integer[Any]]) -> Packed:
    return Packed(values, np.concatenate(([0], np.cumsum(lengths, dtype=np.int64))))


def copied(source: Packed, kind: CopyKind, codes: NDArray[Any] | None = None) -> Copy:
    """Make a copy, on all cores.

    Args:
        codes: (N, d) that is to be filled, such as a memory map; a new array if None.

    Raises:
        IndexFormatError: if a vector is not finite.
    """
    if kind == "float32":
        codes = source.values
    elif codes is None:
        codes = np.empty(source.values.shape, dtype=STORED[kind])
    bounds = Bounds(*np.empty((3, len(source.starts) - 1), dtype=np.float32))

    def fill(pieces: Iterator[tuple[int, int]]) -> None:
        for first, stop in pieces:
            _copy_piece(source, kind, codes, bounds, first, stop)

    in_threads(fill, _pieces(source))
    return Copy(kind, codes, source.starts, bounds)


def pooled_starts(starts: Ints, size: int) -> Ints:
    """Say where the means of each passage begin, and the end."""
    return np.concatenate(([0], np.cumsum(-(-np.diff(starts) // size))))


def pooled(source: Packed, size: int) -> Packed:
    """Average each `size` vectors that follow one another in a passage; the last may be fewer."""
    starts = pooled_starts(source.starts, size)
    means: Floats = np.empty((int(starts[-1]), source.values.shape[1]), dtype=np.float32)

    def fill(pieces: Iterator[tuple[int, int]]) -> None:
        for first, stop in pieces:
            begin, end = source.starts[first], source.starts[stop]
            counts = np.diff(starts[first : stop + 1])
            within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
            firsts = np.repeat(source.starts[first:stop] - begin, counts) + size * within
            sums = np.add.reduceat(np.asarray(source.values[begin:end]), firsts, axis=0)
            sizes = np.diff(np.concatenate((firsts, [end - begin])))
            means[starts[first] : starts[stop]] = sums / sizes[:, None]

    in_threads(fill, _pieces(source))
    return Packed(means, starts)


def _pieces(source: Packed) -> list[tuple[int, int]]:
    return list(cut(source.starts, max(1, _PIECE // max(1, source.values.shape[1]))))


def _copy_piece(
    source: Packed, kind: CopyKind, codes: NDArray[Any], bounds: Bounds, first: int, stop: int
) -> None:
    start, end = int(source.starts[first]), int(source.starts[stop])
    values = np.asarray(source.values[start:end])
    starts = source.starts[first:stop] - start
    lengths = np.diff(source.starts[first : stop + 1])
    norms = np.maximum.reduceat(_lengths(values), starts)
    if not np.isfinite(norms).all():
        place = first + int(np.flatnonzero(~np.isfinite(norms))[0])
        raise IndexFormatError(
            f"a vector of passage {place} of a segment is not finite, or far too long; the channel "
            f"is damaged: {reread()}"
        )
    bounds.norms[first:stop] = norms
    if kind == "float32":
        bounds.scales[first:stop], bounds.errors[first:stop] = 1, 0
        return
    largest = np.maximum.reduceat(np.abs(values).max(axis=1), starts)
    # Halves keep their precision under a power of two; then no product of theirs overflows.
    scales = largest / 127 if kind == "int8" else np.exp2(np.ceil(np.log2(norms + _LEAST)))
    scales = np.maximum(scales, _LEAST).astype(np.float32)
    spread = np.repeat(scales, lengths)[:, None]
    near = rounded(values / spread, kind, codes[start:end])
    near *= spread
    near -= values
    errors = np.maximum.reduceat(_lengths(near), starts)
    bounds.scales[first:stop] = scales
    bounds.errors[first:stop] = errors * (1 + _SLACK) + norms * _SLACK + _LEAST


def _lengths(values: Floats) -> Floats:
    """Give the norm of each row, rounded up."""
    squares = np.einsum("ij,ij->i", values, values, dtype=np.float64)
    lengths: Floats = (np.sqrt(squares) * (1 + _SLACK)).astype(np.float32)
    return lengths
