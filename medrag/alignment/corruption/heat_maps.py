"""Where a finding lies: heat maps from files, from boxes, and as files."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from medrag.alignment.corruption.drawing import Levels
from medrag.alignment.corruption.files import write_picture
from medrag.errors import InputFileError
from medrag.extras import require
from medrag.images import read_image
from medrag.images.formats import format_of
from medrag.images.limits import decoding
from medrag.images.marking import touched
from medrag.records import Box, ImageRef

# Of Pillow, for more than 8 bits of grey. How many of them a file uses cannot be told, and the
# level that means 1 with it.
_DEEP = ("I", "F")


def heat_of_box(box: Box, size: tuple[int, int]) -> Levels:
    """Make a heat map that is 1 in the pixels that a box touches, and 0 elsewhere.

    Args:
        box: in pixels of the picture; what reaches beyond the picture is cut off.
        size: (h, w) of the picture.

    Returns:
        (h, w).

    Raises:
        ValueError: if no pixel of the picture lies in the box.
    """
    return heat_of_boxes([box], size)


def heat_of_boxes(boxes: Sequence[Box], size: tuple[int, int]) -> Levels:
    """Make a heat map that is 1 in the pixels of any of several boxes; see `heat_of_box`."""
    heat = np.zeros(size, dtype=np.float32)
    for box in boxes:
        try:
            left, top, right, bottom = touched(box, size[1], size[0])
        except ValueError as error:
            raise ValueError(f"box {box}: {error}") from error
        heat[top:bottom, left:right] = 1.0
    return heat


def read_heat_map(path: Path, size: tuple[int, int]) -> Levels:
    """Read a heat map over a picture: black is 0, white is 1; scaled bilinearly to its size.

    Args:
        path: a picture of 8 bits of grey.
        size: (h, w) of the picture.

    Returns:
        (h, w) in [0, 1].

    Raises:
        InputFileError: if the file is no such picture, has colours or more than 8 bits, is too
            large, or is black everywhere.
    """
    _check_depth(path)
    pixels = read_image(ImageRef(str(path)))
    if (pixels != pixels[:, :, :1]).any():
        raise InputFileError(
            path,
            "has colours, expected a heat map in levels of grey; save the map, not its picture",
        )
    if not pixels.any():
        raise InputFileError(
            path, "is black everywhere, so that no noise would be added; leave the picture out"
        )
    levels = pixels[:, :, 0].astype(np.float32) / np.float32(255)
    if levels.shape == size:
        return levels
    image = require("PIL.Image")
    scaled = image.fromarray(levels).resize(size[::-1], image.Resampling.BILINEAR)
    return np.clip(np.asarray(scaled, dtype=np.float32), 0.0, 1.0)


def write_heat_map(boxes: Sequence[Box], size: tuple[int, int], folder: Path) -> str:
    """Write the heat map of several boxes as PNG, named by its content.

    Returns:
        The path of the file, for `Noise.heat_map`.

    Raises:
        ValueError: if no pixel of the picture lies in a box.
        MedragError: if the file cannot be written.
    """
    grey = (heat_of_boxes(boxes, size) * 255).astype(np.uint8)
    return write_picture(np.repeat(grey[:, :, None], 3, axis=2), folder).path


def _check_depth(path: Path) -> None:
    with decoding(path, "heat map"):
        if format_of(path) != "raster":
            raise InputFileError(path, "is no heat map; expected PNG or another picture file")
        with require("PIL.Image").open(path) as image:
            mode = str(image.mode)
    if mode.startswith(_DEEP):
        raise InputFileError(
            path, f"has more than 8 bits of grey (mode {mode}); save it with 8, 255 for 1"
        )
