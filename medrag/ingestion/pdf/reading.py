"""One PDF page as plain values: its lines of text, placed pictures and drawn shapes.

Everything is in the reading frame of the page: points, origin at the top left, turned so that most
text runs from left to right. `displayed` takes a box back to the page as a person sees it.
"""

import unicodedata
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from medrag.extras import Library, require
from medrag.ingestion.pdf.geometry import turned, unturned
from medrag.ingestion.pdf.opening import failing_as
from medrag.records import Box

# NFKC would read 10 to the power of 9 as 109, and one half as 12.
_KEPT = frozenset("²³¹⁰⁴⁵⁶⁷⁸⁹⁺⁻₀₁₂₃₄₅₆₇₈₉₊₋¼½¾⅓⅔⅛⅜⅝⅞™®©")
_INVISIBLE = ("\u00ad", "\u200b", "\u200c", "\u200d", "\u2060", "\ufeff", "\x00")
# Block types of MuPDF's structured text, and compressions that it hands on as they are.
_IMAGE, _VECTOR = 1, 3
_COPIED = frozenset({"/DCTDecode", "/JPXDecode"})
_SUPERSCRIPT = 1
_BOLD = 16
# Above and below the base line in font sizes: what Latin letters fill. Boxes of fonts are taller,
# and would take in words of the lines beside.
_ASCENT, _DESCENT = 0.8, 0.22
_UPRIGHT = (1.0, 0.0)
# By how many degrees a page is turned, clockwise, to read text that runs in a direction.
_DIRECTIONS = {0: _UPRIGHT, 90: (0.0, -1.0), 180: (-1.0, 0.0), 270: (0.0, 1.0)}


# Box and text; flat, because books have millions.
Word = tuple[float, float, float, float, str]


class Line(NamedTuple):
    """A line of text. `size` is of the font, in points; `block` numbers MuPDF's text blocks."""

    page: int
    box: Box
    text: str
    size: float
    bold: bool
    block: int


class Picture(NamedTuple):
    """A placed image: its box, its width and height in pixels, and its bytes."""

    box: Box
    pixels: tuple[int, int]
    size: int


class Shape(NamedTuple):
    """A drawn path; `plain` if it is a rectangle or a straight line along the page's sides."""

    box: Box
    plain: bool


class Page(NamedTuple):
    """A page in its reading frame. `turn`: degrees that it was turned by, clockwise.

    `sideways` are lines that run in another direction than most. `words` are kept where they are
    likely to be needed; `read_words` gives them anyway.
    """

    number: int
    width: float
    height: float
    turn: int
    lines: tuple[Line, ...]
    sideways: tuple[Line, ...]
    pictures: tuple[Picture, ...]
    shapes: tuple[Shape, ...]
    words: tuple[Word, ...] = ()


def copies_images(document: Library) -> bool:
    """Tell whether MuPDF copies all images with the text, rather than compressing some anew.

    Raises:
        InputFileError: if MuPDF cannot read the objects of the file.
    """
    with failing_as(Path(document.name), None):
        return all(
            document.xref_get_key(xref, "Filter")[1].strip("[] ") in _COPIED
            for xref in range(1, document.xref_length())
            if document.xref_is_image(xref)
        )


def read_page(
    document: Library, number: int, *, long_block: int = 1000, copied: bool = False
) -> Page:
    """Read one page, from 1: its text, pictures and shapes, from one interpretation of it.

    Args:
        long_block: with so many characters in one of its blocks, the page keeps its words.
        copied: what `copies_images` said of the document; False is always right, and slower.

    Raises:
        InputFileError: if MuPDF cannot read the page.
    """
    with failing_as(Path(document.name), f"page {number}"):
        return _read_page(document, number, long_block, copied)


def read_words(document: Library, page: Page) -> tuple[Word, ...]:
    """Read the words of a page with their boxes in its reading frame, in the order of the file.

    Raises:
        InputFileError: if MuPDF cannot read the page.
    """
    if page.words:
        return page.words
    pymupdf = require("pymupdf")
    with failing_as(Path(document.name), f"page {page.number}"):
        sheet = document[page.number - 1]
        flags = pymupdf.TEXTFLAGS_DICT & ~pymupdf.TEXT_PRESERVE_IMAGES
        text = pymupdf.TextPage(sheet.get_displaylist().get_textpage(flags))
        return _words(text, page.turn, tuple(sheet.rect)[2:])


def displayed(box: Box, page: Page) -> Box:
    """Take a box from the reading frame back to the page as displayed, cut at its edges."""
    x0, y0, x1, y1 = unturned(box, page.turn, page.width, page.height)
    width, height = (page.width, page.height) if page.turn % 180 == 0 else (page.height, page.width)
    return (
        round(min(max(x0, 0.0), width), 2),
        round(min(max(y0, 0.0), height), 2),
        round(min(max(x1, 0.0), width), 2),
        round(min(max(y1, 0.0), height), 2),
    )


def normalised(text: str) -> str:
    """Undo ligatures and other compatibility forms; drop what cannot be seen.

    Superscript digits and fractions stay as they are, because they would change a number.
    """
    if text.isascii():
        return text
    for invisible in _INVISIBLE:
        if invisible in text:
            text = text.replace(invisible, "")
    if unicodedata.is_normalized("NFKC", text):
        return text
    if _KEPT.isdisjoint(text):
        return unicodedata.normalize("NFKC", text)
    return "".join([c if c in _KEPT else unicodedata.normalize("NFKC", c) for c in text])


def _read_page(document: Library, number: int, long_block: int, copied: bool) -> Page:
    pymupdf = require("pymupdf")
    sheet = document[number - 1]
    sides = tuple(sheet.rect)[2:]
    flags = pymupdf.TEXTFLAGS_DICT | pymupdf.TEXT_COLLECT_VECTORS
    if copied and not sheet.rotation:
        text = sheet.get_textpage(flags=flags)
        blocks = text.extractDICT()["blocks"]
        placed = [block for block in blocks if block["type"] == _IMAGE]
    else:
        # A display list is interpreted once for text and images, and is in displayed coordinates,
        # while Page.get_textpage leaves the rotation of the page out.
        drawn = sheet.get_displaylist()
        text = pymupdf.TextPage(drawn.get_textpage(flags & ~pymupdf.TEXT_PRESERVE_IMAGES))
        blocks = text.extractDICT()["blocks"]
        images = pymupdf.TextPage(drawn.get_textpage(pymupdf.TEXT_PRESERVE_IMAGES))
        placed = images.extractIMGINFO()
    turn = _turn(blocks)
    lines, sideways = _lines(number, blocks, turn, sides)
    width, height = sides if turn % 180 == 0 else sides[::-1]
    return Page(
        number=number,
        width=width,
        height=height,
        turn=turn,
        lines=lines,
        sideways=sideways,
        pictures=_pictures(placed, turn, sides),
        shapes=_shapes(sheet, blocks, turn),
        words=_words(text, turn, sides) if _has_long_block(lines, long_block) else (),
    )


def _pictures(
    placed: list[dict[str, Any]], turn: int, sides: tuple[float, float]
) -> tuple[Picture, ...]:
    return tuple(
        [
            Picture(turned(i["bbox"], turn, *sides), (i["width"], i["height"]), i["size"])
            for i in placed
        ]
    )


def _shapes(sheet: Library, blocks: list[dict[str, Any]], turn: int) -> tuple[Shape, ...]:
    found = [block for block in blocks if block["type"] == _VECTOR]
    if not found:
        return ()
    sides = tuple(sheet.rect)[2:]
    if all(block.get("isrect") for block in found):
        return tuple(Shape(turned(block["bbox"], turn, *sides), plain=True) for block in found)
    # The box of a stroked curve leaves room for its sharpest possible corner; read the paths.
    matrix = sheet.rotation_matrix
    return tuple(
        Shape(turned(drawing["rect"] * matrix, turn, *sides), _is_plain(drawing))
        for drawing in sheet.get_drawings()
    )


def _is_plain(drawing: dict[str, Any]) -> bool:
    """Tell whether a path is made of rectangles and lines along the sides of the page."""
    return all(
        item[0] in ("re", "qu")
        or (
            item[0] == "l"
            and (abs(item[1].x - item[2].x) < 0.1 or abs(item[1].y - item[2].y) < 0.1)
        )
        for item in drawing["items"]
    )


def _has_long_block(lines: Sequence[Line], limit: int) -> bool:
    lengths: Counter[int] = Counter()
    for line in lines:
        lengths[line.block] += len(line.text)
    return any(length > limit for length in lengths.values())


def _words(text: Library, turn: int, sides: tuple[float, float]) -> tuple[Word, ...]:
    found = text.extractWORDS()
    if not turn:
        return tuple([word[:5] for word in found])
    return tuple([(*turned(word[:4], turn, *sides), word[4]) for word in found])


def _turn(blocks: list[dict[str, Any]]) -> int:
    """Tell by how many degrees the page must be turned, clockwise, to read most of its text."""
    lines = [line for block in blocks for line in block.get("lines", ())]
    if all(line["dir"] == _UPRIGHT for line in lines):
        return 0
    lengths: Counter[int] = Counter()
    for line in lines:
        length = sum(len(span["text"]) for span in line["spans"])
        for turn, along in _DIRECTIONS.items():
            lengths[turn] += length * _is_along(line["dir"], along)
    return lengths.most_common(1)[0][0]


def _lines(
    number: int, blocks: list[dict[str, Any]], turn: int, sides: tuple[float, float]
) -> tuple[tuple[Line, ...], tuple[Line, ...]]:
    """Give the lines along the reading direction, and the others; without what lies outside."""
    width, height = 2 * sides[0], 2 * sides[1]
    along = _DIRECTIONS[turn]
    lines: list[Line] = []
    sideways: list[Line] = []
    seen: set[tuple[float, float, str]] = set()
    for block_number, block in enumerate(blocks):
        for raw in block.get("lines", ()):
            box = raw["bbox"]
            if not (0 <= box[0] + box[2] <= width and 0 <= box[1] + box[3] <= height):
                continue
            text, size, bold = _spans(raw["spans"])
            # Bold by printing twice would say everything twice.
            key = (box[0] // 1, box[1] // 1, text)
            if not text or key in seen:
                continue
            seen.add(key)
            straight = raw["dir"] == along or _is_along(raw["dir"], along)
            if straight:
                box = _tight(raw, size, turn, sides)
            line = Line(number, box, text, size, bold, block_number)
            (lines if straight else sideways).append(line)
    return tuple(lines), tuple(sideways)


def _is_along(direction: tuple[float, float], along: tuple[float, float]) -> bool:
    return direction[0] * along[0] + direction[1] * along[1] > 0.99


def _spans(spans: list[dict[str, Any]]) -> tuple[str, float, bool]:
    """Join the spans of a line: its text, its greatest font size, whether all of it is bold."""
    if len(spans) == 1:
        span = spans[0]
        return normalised(span["text"]).strip(), round(span["size"], 1), bool(span["flags"] & _BOLD)
    parts: list[str] = []
    size, bold = 0.0, True
    for span in spans:
        text = span["text"]
        if (
            span["flags"] & _SUPERSCRIPT
            and parts
            and text[:1].isdigit()
            and parts[-1][-1:].isdigit()
        ):
            text = "^" + text
        parts.append(text)
        size = max(size, span["size"])
        bold = bold and (bool(span["flags"] & _BOLD) or text.isspace())
    return normalised("".join(parts)).strip(), round(size, 1), bold


def _tight(raw: dict[str, Any], size: float, turn: int, sides: tuple[float, float]) -> Box:
    """Give the box of the letters of a line in the reading frame."""
    # A superscript stands above the base line of its line; the lowest origin is the line's own.
    if turn:
        x0, y0, x1, y1 = turned(raw["bbox"], turn, *sides)
        origins = [(*span["origin"], *span["origin"]) for span in raw["spans"]]
        base = max([turned(origin, turn, *sides)[1] for origin in origins])
    else:
        x0, y0, x1, y1 = raw["bbox"]
        spans = raw["spans"]
        base = spans[0]["origin"][1]
        if len(spans) > 1:
            base = max([span["origin"][1] for span in spans])
    top, bottom = base - _ASCENT * size, base + _DESCENT * size
    if top < y0:
        top = y0
    if bottom > y1:
        bottom = y1
    # Fonts that lie about their box must not make it empty.
    return (x0, top, x1, bottom) if bottom > top else (x0, y0, x1, y1)
