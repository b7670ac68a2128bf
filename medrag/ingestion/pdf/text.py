"""The text of paragraphs, and the exact boxes on the pages that each stretch of it comes from."""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from medrag.ingestion.pdf.geometry import shared_height, shared_width
from medrag.ingestion.pdf.layout import Paragraph, is_item
from medrag.ingestion.pdf.reading import Line, Page, Word, displayed
from medrag.records import Box, Region

_HYPHENS = ("-", "‐", "\u00ad")
_LAST_PART = re.compile(r"([^\W\d_]+)[-‐]$")
_FIRST_PART = re.compile(r"[^\W\d_]+")
# In points; words of one line that lie further apart may have others between them.
_ROW_GAP = 30.0
_NOWHERE = (0.0, 0.0, 0.0, 0.0)
_WORD = re.compile(r"\S+")

WordFinder = Callable[[int], Sequence[Word]]


class Written(NamedTuple):
    """A text and where its lines begin in it; both tuples run in step."""

    text: str
    lines: tuple[Line, ...]
    starts: tuple[int, ...]


# A page, a box, and whether it is of a whole line.
_Part = tuple[int, Box, bool]


def vocabulary(lines: Iterable[Line]) -> frozenset[str]:
    """Collect the words of a document, to tell a hyphen of a word from one of a line end.

    The second half of a word that a line end may have broken does not count. A word that only ever
    stands before a comma is missed, which is no harm here.
    """
    texts = [line.text for line in lines]
    broken = [place for place, text in enumerate(texts[:-1], 1) if text.endswith(_HYPHENS)]
    for place in broken:
        texts[place] = texts[place].partition(" ")[2]
    return frozenset("\n".join(texts).lower().split())


def written(paragraphs: Sequence[Paragraph], known: Callable[[], frozenset[str]]) -> Written:
    """Join the lines of paragraphs to one text; paragraphs are parted by an empty line.

    Args:
        known: gives the words of the document; called only if a line ends with a hyphen.
    """
    pieces: list[str] = []
    lines: list[Line] = []
    starts: list[int] = []
    length = 0
    for paragraph in paragraphs:
        joint: str | None = "\n\n" if pieces else ""
        for line in paragraph.lines:
            if line is not paragraph.lines[0]:
                joint = _joint(pieces, lines[-1], line, known)
                length = length - 1 if joint is None else length
            pieces.append(joint or "")
            length += len(joint or "")
            starts.append(length)
            lines.append(line)
            pieces.append(line.text)
            length += len(line.text)
    return Written("".join(pieces), tuple(lines), tuple(starts))


def regions(
    text: Written, span: tuple[int, int], pages: Mapping[int, Page], words_of: WordFinder
) -> tuple[Region, ...]:
    """Give the places that text[span[0]:span[1]] comes from, in reading order.

    Whole lines below each other make one box; a line that belongs to it only in part gives the box
    of its words.
    """
    start, end = span
    if start == 0 and end == len(text.text):
        places = _merged([(line.page, line.box, True) for line in text.lines])
    else:
        first = max(bisect_right(text.starts, start) - 1, 0)
        after = bisect_left(text.starts, end)
        parts = [
            _part(line, (max(start - begin, 0), end - begin), words_of)
            for line, begin in zip(text.lines[first:after], text.starts[first:after], strict=True)
        ]
        places = _merged([part for part in parts if part is not None])
    return tuple([Region(page, displayed(box, pages[page])) for page, box in places])


def _joint(
    pieces: list[str], before: Line, line: Line, known: Callable[[], frozenset[str]]
) -> str | None:
    """Say what joins a line to the one before; None if that one loses the hyphen at its end."""
    above = pieces[-1]
    below = line.box[1] > before.box[1] + line.size / 2
    if below and line.text[0].islower() and not above.endswith(_HYPHENS):
        return " "
    if not below and _touches(before, line):
        return ""
    if is_item(line.text):
        return "\n"
    if not above.endswith(_HYPHENS):
        return " "
    last, first = _LAST_PART.search(above), _FIRST_PART.match(line.text)
    if last is None or first is None or not first[0][0].islower():
        return ""
    if not _is_broken(last[1].lower(), first[0].lower(), known()):
        return ""
    pieces[-1] = above[:-1]
    return None


def _touches(before: Line, line: Line) -> bool:
    """Tell whether a line goes on where the one before it ends, in the midst of a word."""
    if line.box[1] > before.box[3] or not -1 < line.box[0] - before.box[2] < 0.15 * line.size:
        return False
    return shared_height(before.box, line.box) > 0.6


def _is_broken(last: str, first: str, known: frozenset[str]) -> bool:
    """Tell whether a hyphen parts a word at a line end, or stands in the word itself."""
    if last + first in known:
        return True
    if f"{last}-{first}" in known:
        return False
    return not (last in known and first in known)


def _part(line: Line, cut: tuple[int, int], words_of: WordFinder) -> _Part | None:
    """The part of a line that a stretch of its characters comes from; None if they are blank."""
    start, end = cut[0], min(cut[1], len(line.text))
    if not line.text[start:end].strip():
        return None
    if not (line.text[:start] + line.text[end:]).strip(" -‐"):
        return line.page, line.box, True
    return line.page, _part_box(line, (start, end), words_of(line.page)), False


def _part_box(line: Line, cut: tuple[int, int], words: Sequence[Word]) -> Box:
    """The box of the words of a line that a stretch of its characters touches."""
    spans = [match.span() for match in _WORD.finditer(line.text)]
    chosen = [i for i, (start, end) in enumerate(spans) if start < cut[1] and end > cut[0]]
    x0, y0, x1, y1 = line.box
    inside = sorted(
        [
            (left, right)
            for left, top, right, bottom, _ in words
            if y0 < (top + bottom) / 2 < y1 and x0 - 1 <= (left + right) / 2 <= x1 + 1
        ]
    )
    if chosen and len(inside) == len(spans):
        return inside[chosen[0]][0], y0, inside[chosen[-1]][1], y1
    # MuPDF parts words otherwise here (a hairline space, a glyph without a character): measure.
    width = (x1 - x0) / len(line.text)
    return x0 + cut[0] * width, y0, x0 + cut[1] * width, y1


def _merged(parts: Sequence[_Part]) -> list[tuple[int, Box]]:
    """Join parts that make one box without taking in others."""
    merged: list[tuple[int, Box]] = []
    last_page, last, last_whole = 0, _NOWHERE, False
    for page, box, whole in parts:
        if page == last_page and whole == last_whole and _goes_on(last, box, whole=whole):
            around = merged[-1][1]
            merged[-1] = (
                page,
                (
                    min(around[0], box[0]),
                    min(around[1], box[1]),
                    max(around[2], box[2]),
                    max(around[3], box[3]),
                ),
            )
        else:
            merged.append((page, box))
        last_page, last, last_whole = page, box, whole
    return merged


def _goes_on(above: Box, below: Box, *, whole: bool) -> bool:
    height = below[3] - below[1]
    gap = below[1] - above[3]
    if gap < -height / 2:
        return shared_height(above, below) > 0.6 and 0 <= below[0] - above[2] < _ROW_GAP
    return whole and gap < height and shared_width(above, below) > 0.5
