"""Smaller copies of vectors, with what each lacks of the original."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from medrag.errors import IndexFormatError
from medrag.indexing.arrays import mapped
from medrag.indexing.commands import repair
from medrag.indexing.scanning.candidates import slack
from medrag.indexing.scanning.library import Floats, Shelf
from medrag.indexing.threads import in_threads

Coarse = Literal["bfloat16", "float16", "int8", "bits"]

# Words of 64 signs are padded to whole vectors of so many.
WORDS = 4

_PIECE_BYTES = 4 << 20
# Squares of larger numbers leave the range of single precision.
_LARGE = 1e15


class Copy(NamedTuple):
    """A copy of the vectors of a block: vector i is near `scales[i] * codes[i]`.

    Attributes:
        codes: (n, d) int8, float16, or the upper halves of float32 as uint16 (bfloat16); for signs
            (n, words) uint64, the lowest bit first, set where a number is above that of `centre`.
        scales: (n,); for signs what turns them into the best guess of the vector's inner products.
        errors: (n,); no inner product, with a question of unit length, is further from that of the
            copy, computed in single precision. For signs it is unknown, and 0.
        lengths: (n,), of the vectors, not too small.
        centre: (d,), what was taken from each vector before its signs were; else zeros.
    """

    codes: NDArray[Any]
    scales: Floats
    errors: Floats
    lengths: Floats
    centre: Floats


def bytes_per_vector(scan: Coarse, d: int) -> int:
    """Say how many bytes a copy needs for each vector."""
    codes = {"bfloat16": 2 * d, "float16": 2 * d, "int8": d, "bits": 8 * words(d)}[scan]
    return codes + 12


def words(d: int) -> int:
    """Count the words of 64 signs that d numbers take."""
    return -(-d // (64 * WORDS)) * WORDS


def as_words(bits: NDArray[Any], n_words: int) -> NDArray[np.uint64]:
    """Pack (n, d) numbers, of which those that are not zero are set, into words, the first lowest.

    Returns:
        (n, n_words), zeros behind the last.
    """
    padded = np.zeros((len(bits), 64 * n_words), np.bool_)
    padded[:, : bits.shape[1]] = bits
    packed: NDArray[np.uint64] = np.packbits(padded, axis=1, bitorder="little").view("<u8")
    return packed


def rounded(values: Floats, kind: str, codes: NDArray[Any]) -> Floats:
    """Write values as codes of "bfloat16", "float16" or "int8", and give what those stand for."""
    if kind == "bfloat16":
        # To the nearest, ties to even.
        whole = values.view(np.uint32)
        codes[:] = (whole + (0x7FFF + ((whole >> 16) & 1))) >> 16
    else:
        codes[:] = np.rint(values) if kind == "int8" else values
    return decoded(codes)


def decoded(codes: NDArray[Any]) -> Floats:
    """Give the numbers that codes stand for, before they are scaled."""
    if codes.dtype == np.uint16:
        return (codes.astype(np.uint32) << 16).view(np.float32)
    near: Floats = codes.astype(np.float32)
    return near


def copied(shelf: Shelf, scan: Coarse) -> Copy:
    """Make the copy of a block.

    Raises:
        IndexFormatError: if a vector is not finite.
    """
    n, d = shelf.values.shape
    centre = _mean(shelf) if scan == "bits" else np.zeros(d, np.float32)
    shape, dtype = _LAYOUTS[scan](d)
    facts = np.empty((3, n), np.float32)
    made = Copy(np.empty((n, shape), dtype), facts[0], facts[1], facts[2], centre)
    step = max(1, _PIECE_BYTES // (4 * d))

    def fill(starts: Iterator[int]) -> None:
        for start in starts:
            values = np.asarray(shelf.values[start : start + step])
            shelf.check(start, values)
            _fill(scan, values, _part(made, start, start + step))

    in_threads(fill, range(0, n, step))
    return made


def save(copy: Copy, stem: Path) -> None:
    """Write a copy as files whose names begin with the stem's."""
    np.save(_file(stem, "codes"), copy.codes)
    np.save(_file(stem, "facts"), np.stack((copy.scales, copy.errors, copy.lengths)))
    np.save(_file(stem, "centre"), copy.centre)


def files(stem: Path) -> list[Path]:
    """List the files of a saved copy."""
    return [_file(stem, part) for part in ("codes", "facts", "centre")]


def opened(stem: Path, scan: Coarse, n: int, d: int) -> Copy:
    """Map a saved copy of n vectors.

    Raises:
        IndexFormatError: if a file is missing, or holds something else.
    """
    shape, dtype = _LAYOUTS[scan](d)
    # Copied on writing, which never happens: kernels are compiled once more for what is read-only.
    codes, facts, centre = (np.asarray(mapped(path, "c")) for path in files(stem))
    found = [(codes.shape, codes.dtype), (facts.shape, facts.dtype), (centre.shape, centre.dtype)]
    floats = np.dtype(np.float32)
    if found != [((n, shape), np.dtype(dtype)), ((3, n), floats), ((d,), floats)]:
        raise IndexFormatError(
            f"{stem}: a copy of {n} vectors of {d} numbers as {scan} was expected, but the files "
            f"hold {found}; make it anew: {repair(stem)}"
        )
    return Copy(codes, facts[0], facts[1], facts[2], centre)


def _part(copy: Copy, first: int, stop: int) -> Copy:
    span = slice(first, stop)
    return Copy(
        copy.codes[span], copy.scales[span], copy.errors[span], copy.lengths[span], copy.centre
    )


def _file(stem: Path, part: str) -> Path:
    return stem.with_name(f"{stem.name}.{part}.npy")


_LAYOUTS: Mapping[str, Callable[[int], tuple[int, type]]] = {
    "bfloat16": lambda d: (d, np.uint16),
    "float16": lambda d: (d, np.float16),
    "int8": lambda d: (d, np.int8),
    "bits": lambda d: (words(d), np.uint64),
}


def _fill(scan: Coarse, values: Floats, into: Copy) -> None:
    d = values.shape[1]
    if scan == "bits":
        _fill_signs(values - into.centre, into)
        into.lengths[:] = np.sqrt(np.einsum("ij,ij->i", values, values))
        return
    wide = values.astype(np.float64) if np.abs(values).max(initial=0) > _LARGE else values
    into.scales[:] = _scales(scan, values)
    scales: Floats = np.where(into.scales == 0, np.float32(1), into.scales)[:, None]
    near: Floats = rounded(np.asarray(values / scales), scan, into.codes) * scales
    rest = values - near
    lengths = np.sqrt(np.einsum("ij,ij->i", wide, wide))
    lost = np.sqrt(np.einsum("ij,ij->i", rest, rest)) * (1 + slack(d))
    into.lengths[:] = lengths * (1 + slack(d))
    into.errors[:] = lost + slack(d) * into.lengths


def _scales(scan: Coarse, values: Floats) -> Floats:
    largest = np.abs(values).max(axis=1, initial=0).astype(np.float32)
    if scan == "int8":
        return np.asarray(largest / 127, dtype=np.float32)
    if scan == "float16":
        # A power of two, which costs no precision, so that the largest number is about 1.
        return np.asarray(np.exp2(np.ceil(np.log2(np.maximum(largest, 1e-30)))), dtype=np.float32)
    return np.ones_like(largest)


def _fill_signs(values: Floats, into: Copy) -> None:
    """Keep signs, and what makes their inner products unbiased guesses.

    Source:
        Gao & Long, RaBitQ, SIGMOD 2024 (the estimator, without the random rotation).
    """
    into.codes[:] = as_words(values > 0, into.codes.shape[1])
    sums = np.abs(values).sum(axis=1)
    squares = np.einsum("ij,ij->i", values, values)
    into.scales[:] = np.where(sums > 0, squares / np.maximum(sums, 1e-30), 0)
    into.errors[:] = 0


def _mean(shelf: Shelf) -> Floats:
    step = max(1, _PIECE_BYTES // (4 * shelf.values.shape[1]))
    total = np.zeros(shelf.values.shape[1], np.float64)
    for start in range(0, len(shelf.values), step):
        total += np.asarray(shelf.values[start : start + step]).sum(axis=0, dtype=np.float64)
    return np.asarray(total / len(shelf.values), dtype=np.float32)
