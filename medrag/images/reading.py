"""Any picture that a reference names, as RGB pixels."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from medrag.errors import InputFileError
from medrag.images.dicom import read_frame
from medrag.images.document import read_page
from medrag.images.formats import format_of
from medrag.images.hashing import perceptual_hash, pixel_sha256
from medrag.images.limits import decoding
from medrag.images.raster import read_raster
from medrag.images.volume import read_slice
from medrag.records import Box, ImageRef


def read_image(ref: ImageRef, *, dpi: int = 144) -> NDArray[np.uint8]:
    """Decode a picture: an image file, a PDF page or figure, a DICOM frame, a NIfTI slice.

    The content of the file decides what it is, not its name.

    Args:
        ref: with an absolute path. `page` must be given for a PDF, `axis` and `slice` for a
            volume, of which `frame` is the time; `frame` is otherwise the first by default. `box`
            is in points for a PDF, else in pixels of the decoded picture.
        dpi: resolution of a PDF page; other pictures keep theirs.

    Returns:
        (h, w, 3) RGB.

    Raises:
        InputFileError: if the file or the place in it cannot be read, or is too large.
    """
    path = Path(ref.path)
    with decoding(path, "picture"):
        kind = format_of(path)
    if kind == "pdf":
        if ref.page is None:
            raise InputFileError(
                path, "is a PDF, and no page of it was named; give the page as a picture"
            )
        return read_page(path, ref.page, ref.box, dpi)
    if kind == "raster":
        pixels = read_raster(path, ref.frame)
    elif kind == "dicom":
        pixels = read_frame(path, ref.frame or 0)
    elif kind == "nifti":
        if ref.axis is None or ref.slice is None:
            raise InputFileError(path, "is a volume, and no axis and slice of it were named")
        pixels = read_slice(path, ref.axis, ref.slice, ref.frame or 0)
    else:
        raise InputFileError(
            path, "is no picture; expected PNG, JPEG, WebP, TIFF, BMP, GIF, DICOM, NIfTI or PDF"
        )
    return pixels if ref.box is None else _cropped(path, pixels, ref.box)


def identified(ref: ImageRef, pixels: NDArray[np.uint8] | None = None) -> ImageRef:
    """Decode a picture and fill in the hashes of its pixels; nothing is done if they are there.

    `pixels` are what `read_image` would give, where they are at hand.

    Raises:
        InputFileError: as `read_image`.
    """
    if ref.sha256 is not None and ref.phash is not None:
        return ref
    pixels = read_image(ref) if pixels is None else pixels
    return replace(ref, sha256=pixel_sha256(pixels), phash=perceptual_hash(pixels))


def _cropped(path: Path, pixels: NDArray[np.uint8], box: Box) -> NDArray[np.uint8]:
    """Cut out the pixels that a box touches."""
    height, width = pixels.shape[:2]
    place = f"box {box}"
    if not all(math.isfinite(edge) for edge in box):
        raise InputFileError(path, "the box has edges that are no numbers", place=place)
    left, top = max(0, math.floor(box[0])), max(0, math.floor(box[1]))
    right, bottom = min(width, math.ceil(box[2])), min(height, math.ceil(box[3]))
    if left >= right or top >= bottom:
        raise InputFileError(
            path, f"the box lies outside the picture of {width} x {height} pixels", place=place
        )
    return np.ascontiguousarray(pixels[top:bottom, left:right])
