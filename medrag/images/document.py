"""A page of a PDF, or a part of it, as pixels."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from medrag.errors import InputFileError
from medrag.extras import Library, require
from medrag.images.limits import check_size, decoding
from medrag.records import Box

_POINTS_PER_INCH = 72


def read_page(path: Path, page: int, box: Box | None, dpi: int) -> NDArray[np.uint8]:
    """Render a page as it is displayed: turned and cropped.

    Pages count from 1. `box` is the part to render, in points of the displayed page, or None for
    all of it; `dpi` is pixels per inch.

    Returns:
        (h, w, 3) RGB.

    Raises:
        InputFileError: if the PDF is damaged or encrypted, or has no such page or place.
    """
    pymupdf = require("pymupdf")
    pymupdf.TOOLS.mupdf_display_errors(False)
    place = f"page {page}"
    with decoding(path, "PDF", place=place), pymupdf.open(path, filetype="pdf") as document:
        if document.needs_pass:
            raise InputFileError(path, "the PDF is encrypted; save a copy without password")
        if not 1 <= page <= len(document):
            raise InputFileError(path, f"the PDF has {len(document)} pages", place=place)
        sheet = document[page - 1]
        clip = sheet.rect if box is None else pymupdf.Rect(box) & sheet.rect
        scale = dpi / _POINTS_PER_INCH
        check_size(path, round(clip.width * scale), round(clip.height * scale), place=place)
        pixmap = sheet.get_pixmap(
            matrix=pymupdf.Matrix(scale, scale), clip=clip, colorspace=pymupdf.csRGB, alpha=False
        )
        return rgb_of(pixmap)


def rgb_of(pixmap: Library) -> NDArray[np.uint8]:
    """Give the pixels of a PyMuPDF pixmap of three colours without alpha, (h, w, 3)."""
    rows = np.frombuffer(pixmap.samples, dtype=np.uint8).reshape(pixmap.height, pixmap.stride)
    return rows[:, : pixmap.width * 3].reshape(pixmap.height, pixmap.width, 3).copy()
