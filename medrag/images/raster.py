"""PNG, JPEG, WebP, TIFF, BMP, GIF, JPEG 2000 and portable maps, by Pillow."""

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medrag.errors import InputFileError
from medrag.extras import require
from medrag.images.limits import TOO_LARGE, check_size, decoding

# Readers of pictures alone: some of Pillow's others run programs or hold documents.
_READERS = ("Png", "Jpeg", "WebP", "Tiff", "Bmp", "Gif", "Jpeg2K", "Ppm")
_FORMATS = ("PNG", "JPEG", "WEBP", "TIFF", "BMP", "DIB", "GIF", "JPEG2000", "PPM")


def read_raster(path: Path, frame: int | None) -> NDArray[np.uint8]:
    """Decode one frame as it is meant to be seen: turned upright, on white, in 8 bits.

    - The orientation that a camera noted (EXIF) is applied.
    - What is transparent shows white: figures are drawn in dark ink for white paper.
    - Palettes, CMYK and YCbCr become RGB; colour profiles are not applied.
    - More than 8 bits of grey: see `grey_to_uint8`.

    Returns:
        (h, w, 3) RGB.

    Raises:
        InputFileError: if the file is no such picture, is damaged, too large, or lacks the frame.
    """
    operations = require("PIL.ImageOps")
    place = None if frame is None else f"frame {frame}"
    with decoding(path, "picture", place=place), _opened(path) as image:
        _seek(path, image, frame)
        check_size(path, image.width, image.height, place=place)
        return _rgb(operations.exif_transpose(image))


def raster_frames(path: Path) -> int:
    """Count the frames of a picture file, at least 1, without decoding them."""
    with decoding(path, "picture"), _opened(path) as image:
        return int(getattr(image, "n_frames", 1))


def raster_format(path: Path) -> str:
    """Name the format of a picture file as Pillow does: "JPEG", "PNG", "TIFF"."""
    with decoding(path, "picture"), _opened(path) as image:
        return str(image.format)


def grey_to_uint8(values: NDArray[Any]) -> NDArray[np.uint8]:
    """Show grey values of many bits in 8, by a rule that depends on no histogram.

    Whole numbers from 0 are taken to have as many bits as the largest needs, at least 8, since
    12-bit radiographs are stored in 16-bit files: 0..4095 spans black to white. Fractions within
    0..1 span the same. Anything else is stretched from its least to its greatest value.
    """
    finite = np.nan_to_num(values.astype(np.float64), nan=0.0, posinf=0.0, neginf=0.0)
    low, high = float(finite.min()), float(finite.max())
    if low >= 0 and np.issubdtype(values.dtype, np.integer):
        low, high = 0.0, float(2 ** max(8, int(high).bit_length()) - 1)
    elif low >= 0 and high <= 1:
        low, high = 0.0, 1.0
    span = high - low or 1.0
    return np.round((finite - low) / span * 255).astype(np.uint8)


def _opened(path: Path) -> Any:
    pillow = _pillow()
    try:
        return pillow.open(path, formats=_FORMATS)
    except pillow.DecompressionBombError as error:
        # Pillow's own limit, of which ours is about the half, is met before the size is known here.
        raise InputFileError(path, TOO_LARGE) from error


@cache
def _pillow() -> Any:
    """Import the readers by name: Pillow registers only some of them by itself."""
    for reader in _READERS:
        require(f"PIL.{reader}ImagePlugin")
    return require("PIL.Image")


def _seek(path: Path, image: Any, frame: int | None) -> None:
    n_frames = int(getattr(image, "n_frames", 1))
    if not 0 <= (frame or 0) < n_frames:
        raise InputFileError(path, f"the file has {n_frames} frames", place=f"frame {frame}")
    if frame:
        image.seek(frame)


def _rgb(image: Any) -> NDArray[np.uint8]:
    if image.mode in ("I", "F") or image.mode.startswith("I;"):
        grey = grey_to_uint8(np.asarray(image))
        return np.repeat(grey[:, :, None], 3, axis=2)
    if image.has_transparency_data:
        pillow = _pillow()
        layer = image.convert("RGBA")
        paper = pillow.new("RGBA", layer.size, "white")
        image = pillow.alpha_composite(paper, layer)
    return np.array(image.convert("RGB"), dtype=np.uint8)
