"""A page of a PDF, or a part of it, as pixels."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from medrag.errors import InputFileError
from medrag.extras import Library, require
from medrag.images.limits import check_size, decoding
from medrag.records import Box

_POINTS_PER_INCH = 72
# MuPDF fails when two threads are in it; pages are rendered in a thread of their own.
_ONE_AT_A_TIME = Lock()


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
    with _sheet(path, page) as sheet:
        clip = sheet.rect if box is None else pymupdf.Rect(box) & sheet.rect
        scale = dpi / _POINTS_PER_INCH
        check_size(
            path, round(clip.width * scale), round(clip.height * scale), place=f"page {page}"
        )
        pixmap = sheet.get_pixmap(
            matrix=pymupdf.Matrix(scale, scale), clip=clip, colorspace=pymupdf.csRGB, alpha=False
        )
        return rgb_of(pixmap)


def page_size(path: Path, page: int) -> tuple[float, float]:
    """Measure a page as it is displayed, turned and cropped: width and height in points.

    Raises:
        InputFileError: as `read_page`.
    """
    with _sheet(path, page) as sheet:
        return float(sheet.rect.width), float(sheet.rect.height)


@contextmanager
def kept_open() -> Iterator[None]:
    """Keep the PDF that was read last open, in whichever thread, for as long as the block lasts.

    Fonts and pictures that pages share are then read once: a page takes half the time.
    """
    with _ONE_AT_A_TIME:
        _kept.users += 1
    try:
        yield
    finally:
        with _ONE_AT_A_TIME:
            _kept.users -= 1
            if not _kept.users:
                _kept.close()


def rgb_of(pixmap: Library) -> NDArray[np.uint8]:
    """Give the pixels of a PyMuPDF pixmap of three colours without alpha, (h, w, 3)."""
    # samples_mv, not samples: the second would be a copy of its own.
    rows = np.frombuffer(pixmap.samples_mv, dtype=np.uint8).reshape(pixmap.height, pixmap.stride)
    return rows[:, : pixmap.width * 3].reshape(pixmap.height, pixmap.width, 3).copy()


@contextmanager
def _sheet(path: Path, page: int) -> Iterator[Library]:
    require("pymupdf").TOOLS.mupdf_display_errors(False)
    place = f"page {page}"
    with _ONE_AT_A_TIME, decoding(path, "PDF", place=place), _document(path) as document:
        if document.needs_pass:
            raise InputFileError(path, "the PDF is encrypted; save a copy without password")
        if not 1 <= page <= len(document):
            raise InputFileError(path, f"the PDF has {len(document)} pages", place=place)
        yield document[page - 1]


@contextmanager
def _document(path: Path) -> Iterator[Library]:
    """Open a PDF, or take the one that is kept open; the lock must be held."""
    if not _kept.users:
        with require("pymupdf").open(path, filetype="pdf") as document:
            yield document
        return
    if _kept.path != path:
        _kept.close()
        _kept.document = require("pymupdf").open(path, filetype="pdf")
        _kept.path = path
    yield _kept.document


@dataclass(slots=True)
class _Kept:
    """The PDF that was read last, while anyone wants it to stay open."""

    users: int = 0
    path: Path | None = None
    document: Library = None

    def close(self) -> None:
        if self.document is not None:
            self.document.close()
        self.path = self.document = None


_kept = _Kept()
