"""Lines of a page that has no text layer, read from its picture by OCR."""

from collections.abc import Callable, Sequence
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medrag.errors import MissingExtraError
from medrag.extras import Library, require
from medrag.images.document import rgb_of
from medrag.ingestion.pdf.reading import Line, Page, normalised
from medrag.records import Box

_DPI = 200
_POINTS_PER_INCH = 72
_LEAST_SCORE = 0.5
# Letters fill about this much of the height of the box that OCR draws around a line.
_SIZE_OF_BOX = 0.75
_SAME_SIZE = 0.3

# (h, w, 3) RGB uint8 to (quadrilateral of four (x, y) in pixels, text, score) and seconds; the
# list is None where nothing was read. RapidOCR is one.
OcrEngine = Callable[[NDArray[np.uint8]], tuple[Sequence[Sequence[Any]] | None, Any]]


def installed_engine() -> OcrEngine | None:
    """Give RapidOCR if the extra `ocr` installed it, else None."""
    try:
        module = require("rapidocr_onnxruntime", extra="ocr")
    except MissingExtraError:
        return None
    engine: OcrEngine = module.RapidOCR()
    return engine


def read_by_ocr(document: Library, page: Page, engine: OcrEngine) -> Page:
    """Give a page the lines that OCR reads on it, without those it is not sure of."""
    pymupdf = require("pymupdf")
    pixmap = document[page.number - 1].get_pixmap(dpi=_DPI, colorspace=pymupdf.csRGB, alpha=False)
    found, _ = engine(rgb_of(pixmap))
    scale = _POINTS_PER_INCH / _DPI
    boxes: list[tuple[Box, str]] = []
    for corners, text, score in found or ():
        read = normalised(str(text)).strip()
        if read and float(score) >= _LEAST_SCORE:
            xs = [float(x) * scale for x, _ in corners]
            ys = [float(y) * scale for _, y in corners]
            boxes.append(((min(xs), min(ys), max(xs), max(ys)), read))
    sizes = _even([(box[3] - box[1]) * _SIZE_OF_BOX for box, _ in boxes])
    lines = [
        Line(page.number, box, read, size, bold=False, block=0)
        for (box, read), size in zip(boxes, sizes, strict=True)
    ]
    return page._replace(lines=tuple(lines))


def _even(sizes: Sequence[float]) -> list[float]:
    """Give lines of nearly one height one size: OCR measures letters, not fonts."""
    usual = median(sizes) if sizes else 0.0
    return [round(usual if abs(size - usual) <= _SAME_SIZE * usual else size, 1) for size in sizes]
