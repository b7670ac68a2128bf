"""Pixels as models and servers are given them: no more than they may be, and as files."""

import io
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from medrag.extras import require


def at_most(pixels: NDArray[np.uint8], most: int | None) -> NDArray[np.uint8]:
    """Make a picture smaller where it has more pixels than it may.

    Args:
        pixels: (h, w, 3) RGB.
        most: of them; None for no bound.

    Returns:
        Of the same proportions, each side at least one pixel.
    """
    height, width = pixels.shape[:2]
    if most is None or height * width <= most:
        return pixels
    scale = sqrt(most / (height * width))
    return resized(pixels, (max(1, int(height * scale)), max(1, int(width * scale))))


def resized(pixels: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Bring a picture (h, w, 3) to a height and width."""
    if pixels.shape[:2] == size:
        return pixels
    library = require("PIL.Image")
    picture = library.fromarray(pixels).resize(size[::-1], library.Resampling.BICUBIC)
    return np.asarray(picture, dtype=np.uint8)


def png(pixels: NDArray[np.uint8]) -> bytes:
    """Write a picture (h, w, 3) as PNG."""
    stream = io.BytesIO()
    # Level 1 is nearly as small as level 9, and several times faster.
    require("PIL.Image").fromarray(pixels).save(stream, format="PNG", compress_level=1)
    return stream.getvalue()


def jpeg(pixels: NDArray[np.uint8], quality: int) -> bytes:
    """Write a picture (h, w, 3) as JPEG, its colours at full resolution.

    Args:
        quality: 1 to 95.
    """
    stream = io.BytesIO()
    picture = require("PIL.Image").fromarray(pixels)
    picture.save(stream, format="JPEG", quality=quality, subsampling=0)
    return stream.getvalue()
