"""What stands on every page of a PDF and is no part of its text: running heads and page numbers."""

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from medrag.ingestion.pdf.reading import Line, Page

# Heads and feet stand in the outer eighth of a page, among its first or last few lines.
_ZONE = 0.125
_OUTERMOST = 4
_EDGE = 0.08
_REPEATED_PAGES = 3
_WHITE = 0.6
_NUMBER = re.compile(
    r"[\[(|–—-]*\s*(?:page\s+|p\.\s*)?(?:\d{1,4}|[ivxlc]{1,7})(?:\s*(?:of|/)\s*\d{1,4})?\s*[\])|–—-]*",
    re.I,
)
_DIGITS = re.compile(r"\d+")


class Furniture(NamedTuple):
    """One running head or foot: its text, with # for numbers, and the lines it stands in."""

    pattern: str
    lines: tuple[Line, ...]


def without_furniture(pages: Sequence[Page]) -> tuple[list[Page], list[Furniture]]:
    """Take running heads, running feet and page numbers out of the lines of the pages."""
    found: defaultdict[tuple[str, str], list[Line]] = defaultdict(list)
    for page in pages:
        for zone, line in _outer_lines(page):
            found[zone, _pattern(line.text)].append(line)
    kept: list[Furniture] = []
    for (_, pattern), lines in found.items():
        repeated = [n for n in _at_one_height(lines) if _is_apart(n, pages[n.page - 1])]
        if len({line.page for line in repeated}) >= _REPEATED_PAGES:
            kept.append(Furniture(pattern, tuple(repeated)))
        elif pattern == "#":
            edge = [line for line in lines if _is_at_edge(line, pages[line.page - 1])]
            if edge:
                kept.append(Furniture(pattern, tuple(edge)))
    dropped = {id(line) for furniture in kept for line in furniture.lines}
    cleared = [
        page._replace(lines=tuple(line for line in page.lines if id(line) not in dropped))
        for page in pages
    ]
    return cleared, kept


def _outer_lines(page: Page) -> list[tuple[str, Line]]:
    top = page.height * _ZONE
    bottom = page.height - top
    heads = sorted([line for line in page.lines if line.box[3] <= top], key=_height)
    feet = sorted([line for line in page.lines if line.box[1] >= bottom], key=_height)
    return [("head", line) for line in heads[:_OUTERMOST]] + [
        ("foot", line) for line in feet[-_OUTERMOST:]
    ]


def _height(line: Line) -> float:
    return line.box[1]


def _pattern(text: str) -> str:
    if _NUMBER.fullmatch(text):
        return "#"
    return _DIGITS.sub("#", text).strip().casefold()


def _at_one_height(lines: Sequence[Line]) -> list[Line]:
    """Keep the lines at the heights where the text stands on several pages."""
    heights = Counter([round(line.box[3] / 4) for line in lines])
    often = {
        height
        for height in heights
        if heights[height - 1] + heights[height] + heights[height + 1] >= _REPEATED_PAGES
    }
    return [line for line in lines if round(line.box[3] / 4) in often] if often else []


def _is_apart(line: Line, page: Page) -> bool:
    """Tell whether white parts a line from the text further in, as it parts no lines of a text."""
    gap = _WHITE * line.size
    top, bottom = line.box[1] - gap, line.box[3] + gap
    inner = line.box[3] if line.box[1] < page.height / 2 else line.box[1]
    return not any(
        other.box[1] < bottom
        and other.box[3] > top
        and not other.box[1] < inner < other.box[3]
        and other.box[0] < line.box[2]
        and other.box[2] > line.box[0]
        and abs(other.box[1] - line.box[1]) > line.size / 2
        for other in page.lines
    )


def _is_at_edge(line: Line, page: Page) -> bool:
    """Tell whether a number stands alone at the edge of its page."""
    edge = page.height * _EDGE
    if not (line.box[3] <= edge or line.box[1] >= page.height - edge):
        return False
    return all(
        other is line or abs(other.box[1] - line.box[1]) > line.size / 2 for other in page.lines
    )
