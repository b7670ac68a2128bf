"""Names of pictures: the same pixels, and pixels that look the same."""

import hashlib
from functools import cache

import numpy as np
from numpy.typing import NDArray

from medrag.extras import require

_SIDE = 32
_KEPT = 8


def pixel_sha256(pixels: NDArray[np.uint8]) -> str:
    """Hash decoded pixels with their shape: equal for equal pictures, whatever their file format.

    Args:
        pixels: (h, w, 3) RGB.

    Returns:
        64 hexadecimal digits.
    """
    digest = hashlib.sha256(np.array(pixels.shape, dtype="<i8").tobytes())
    digest.update(np.ascontiguousarray(pixels).data)
    return digest.hexdigest()


def perceptual_hash(pixels: NDArray[np.uint8]) -> str:
    """Hash what a picture looks like: scaling, recompression and mild edits change few bits.

    The picture is averaged to 32 x 32 grey values; the signs of its 64 lowest cosine coefficients
    about their median are the bits. The constant term carries brightness only and is replaced by
    the next coefficient of the diagonal. Mirrored or turned pictures hash differently.

    Args:
        pixels: (h, w, 3) RGB.

    Returns:
        16 hexadecimal digits; all zero for a picture of one colour.

    Source:
        Zauner, "Implementation and benchmarking of perceptual image hash functions", 2010
        (the DCT hash of pHash).
    """
    image = require("PIL.Image")
    grey = image.fromarray(pixels).convert("L").resize((_SIDE, _SIDE), image.Resampling.BOX)
    basis = _cosines()
    spectrum = basis @ np.asarray(grey, dtype=np.float64) @ basis.T
    lowest = spectrum[:_KEPT, :_KEPT].copy()
    lowest[0, 0] = spectrum[_KEPT, _KEPT]
    # A coefficient of a few thousandths is rounding, not picture.
    coefficients = np.round(lowest.ravel(), 2)
    bits = coefficients > np.median(coefficients)
    return np.packbits(bits).tobytes().hex()


def hamming(first: str, second: str) -> int:
    """Count the bits in which two perceptual hashes differ, 0 to 64.

    Raises:
        ValueError: if the two are not hexadecimal numbers of one length.
    """
    if len(first) != len(second):
        raise ValueError(f"hashes must have one length, got {first!r} and {second!r}")
    return (int(first, 16) ^ int(second, 16)).bit_count()


@cache
def _cosines() -> NDArray[np.float64]:
    """Rows of the orthonormal DCT-II of 32 values, the lowest frequencies only."""
    n = np.arange(_SIDE)
    k = np.arange(_KEPT + 1)[:, None]
    basis: NDArray[np.float64] = np.sqrt(2 / _SIDE) * np.cos(np.pi * (2 * n + 1) * k / (2 * _SIDE))
    basis[0] /= np.sqrt(2)
    return basis
