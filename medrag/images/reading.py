"""Any picture that a reference names, as RGB pixels."""

import math
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from medrag.errors import InputFileError
from medrag.images.dicom import read_frame
from medrag.images.document import read_page
from medrag.images.formats import format_of
from medrag.images.hashing import perceptual_hash, pixel_sha256
from medrag.images.limits import decoding
from medrag.images.marking import marked, touched
from medrag.images.raster import read_raster
from medrag.images.volume import read_slice
from medrag.records import Box, ImageRef

_DPI = 144
_POINTS_PER_INCH = 72


def read_image(ref: ImageRef, *, dpi: int = _DPI) -> NDArray[np.uint8]:
    """Decode a picture: an image file, a PDF page or figure, a DICOM frame, a NIfTI slice.

    The content of the file decides what it is, not its name.

    Args:
        ref: with an absolute path. `page` must be given for a PDF, `axis` and `slice` for a
            volume, of which `frame` is the time; `frame` is otherwise the first by default. `box`
            is in points for a PDF, else in pixels of the decoded picture. `marks` are drawn onto
            the part that `box` cut out, and count its pixels (of a PDF: at 144 dpi).
        dpi: resolution of a PDF page; other pictures keep theirs.

    Returns:
        (h, w, 3) RGB.

    Raises:
        InputFileError: if the file or the place in it cannot be read, or is too large.
    """
    path = Path(ref.path)
    pixels, scale = _decoded(path, ref, dpi)
    if not ref.marks:
        return pixels
    boxes = [(x0 * scale, y0 * scale, x1 * scale, y1 * scale) for x0, y0, x1, y1 in ref.marks]
    try:
        return marked(pixels, boxes)
    except ValueError as error:
        raise InputFileError(path, str(error), place=f"marks {ref.marks}") from error


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


@dataclass(frozen=True, slots=True)
class Origin:
    """Where what a reference shows begins in the whole picture or page.

    Attributes:
        left, top: in the units of `ImageRef.box`: points of a PDF, else pixels.
        unit: how many of these are one pixel of what is shown (of a PDF at 144 dpi).
    """

    left: float
    top: float
    unit: float


def origin(ref: ImageRef) -> Origin:
    """Say where what a reference shows begins; the file is not read."""
    left, top = (max(0.0, edge) for edge in (ref.box or (0.0, 0.0))[:2])
    if ref.page is not None:
        return Origin(left, top, _POINTS_PER_INCH / _DPI)
    # As the pixels that a box touches are shown.
    return Origin(float(math.floor(left)), float(math.floor(top)), 1.0)


def _decoded(path: Path, ref: ImageRef, dpi: int) -> tuple[NDArray[np.uint8], float]:
    """Give the part that is meant, and how many of its pixels one of a mark's is."""
    with decoding(path, "picture"):
        kind = format_of(path)
    if kind == "pdf":
        if ref.page is None:
            raise InputFileError(
                path, "is a PDF, and no page of it was named; give the page as a picture"
            )
        return read_page(path, ref.page, ref.box, dpi), dpi / _DPI
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
    return (pixels if ref.box is None else _cropped(path, pixels, ref.box)), 1.0


def _cropped(path: Path, pixels: NDArray[np.uint8], box: Box) -> NDArray[np.uint8]:
    """Cut out the pixels that a box touches."""
    try:
        left, top, right, bottom = touched(box, pixels.shape[1], pixels.shape[0])
    except ValueError as error:
        raise InputFileError(path, str(error), place=f"box {box}") from error
    return np.ascontiguousarray(pixels[top:bottom, left:right])
