"""Headings of a PDF by their type, and the sections under them."""

import itertools
import re
from collections.abc import Sequence
from statistics import median
from typing import NamedTuple

from medrag.ingestion.pdf.layout import Paragraph, continued
from medrag.ingestion.pdf.reading import Page

_LARGER = 0.8
_HEADING_LINES = 3
_HEADING_CHARACTERS = 160
_WORD = re.compile(r"[^\W\d_]{2}")
_SENTENCE = re.compile(r"[,;.]$")
_SLIDE_SHAPE = 1.2
_SLIDE_CHARACTERS = 1200


class Section(NamedTuple):
    """Paragraphs under one heading; `path` holds the headings from the outermost to its own.

    `start`: page and y of its heading, or of its first words where it has none.
    """

    path: tuple[str, ...]
    paragraphs: tuple[Paragraph, ...]
    start: tuple[int, float]


class _Open(NamedTuple):
    level: tuple[float, bool]
    text: str
    heading: Paragraph


def is_heading(paragraph: Paragraph, body: float) -> bool:
    """Tell a heading by its larger or bold type, its length, and that it is no sentence."""
    larger = paragraph.size >= body + _LARGER
    bold = paragraph.bold and paragraph.size >= body - 0.6
    if not (larger or bold) or _n_rows(paragraph) > _HEADING_LINES:
        return False
    text = one_line(paragraph)
    if len(text) > _HEADING_CHARACTERS or not _WORD.search(text):
        return False
    return larger or not _SENTENCE.search(text)


def sections(paragraphs: Sequence[Paragraph], body: float) -> list[Section]:
    """Put paragraphs under their headings, and join those that run over columns and pages.

    A heading that nothing stands under becomes a paragraph of its own, so that no word is lost.
    """
    found: list[Section] = []
    stack: list[_Open] = []
    under: list[Paragraph] = []
    for paragraph in paragraphs:
        if not is_heading(paragraph, body):
            _append(under, paragraph, body)
            continue
        level = (paragraph.size, paragraph.bold)
        _close(found, stack, under, level)
        under = []
        while stack and stack[-1].level <= level:
            stack.pop()
        stack.append(_Open(level, one_line(paragraph), paragraph))
    _close(found, stack, under, (float("inf"), True))
    return found


def slide_sections(pages: Sequence[Sequence[Paragraph]]) -> list[Section]:
    """Make one section of each page, under the largest words in its upper part."""
    found: list[Section] = []
    for paragraphs in pages:
        if not paragraphs:
            continue
        upper = sorted(paragraphs, key=lambda p: p.box[1])[: max(3, len(paragraphs) // 3)]
        title = max(upper, key=lambda p: p.size)
        rest = tuple(p for p in paragraphs if p is not title)
        found.append(Section((one_line(title),), rest or (title,), (title.page, 0.0)))
    return found


def are_slides(pages: Sequence[Page]) -> bool:
    """Tell slides from a text by wide pages with few words."""
    shapes = [page.width / max(page.height, 1.0) for page in pages]
    lengths = [sum(len(line.text) for line in page.lines) for page in pages]
    return bool(pages) and median(shapes) > _SLIDE_SHAPE and median(lengths) < _SLIDE_CHARACTERS


def one_line(paragraph: Paragraph) -> str:
    return " ".join(line.text for line in paragraph.lines)


def _n_rows(paragraph: Paragraph) -> int:
    """Count rows: wide blanks cut one row into several lines."""
    bottoms = [line.box[3] for line in paragraph.lines]
    return 1 + sum(b - a > paragraph.size / 2 for a, b in itertools.pairwise(bottoms))


def _append(under: list[Paragraph], paragraph: Paragraph, body: float) -> None:
    """Add a paragraph, or join it to the last one of the text that it goes on with."""
    place = next(
        (i for i in range(len(under) - 1, -1, -1) if abs(under[i].size - body) < 0.6), None
    )
    if place is not None:
        last = under[place]
        end = last.lines[-1]
        apart = end.page != paragraph.page or last.column != paragraph.column
        near = paragraph.page - end.page <= 2
        if apart and near and continued(last, paragraph):
            joined = last.lines + paragraph.lines
            under[place] = last._replace(lines=joined, column=paragraph.column)
            return
    under.append(paragraph)


def _close(
    found: list[Section], stack: list[_Open], under: list[Paragraph], level: tuple[float, bool]
) -> None:
    path = tuple(entry.text for entry in stack)
    if under:
        first = stack[-1].heading if stack else under[0]
        found.append(Section(path, tuple(under), (first.page, first.box[1])))
    elif stack and stack[-1].level <= level:
        lone = stack[-1].heading
        found.append(Section(path[:-1], (lone,), (lone.page, lone.box[1])))
