"""A small typesetter: headings, hyphenated paragraphs, columns, figures and ruled tables.

Everything is set in the base-14 fonts, so that the PDF needs no font files. What was placed is
remembered with page and box, as the ground truth of tests.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pymupdf

WIDTH, HEIGHT = 504.0, 684.0
LEFT, RIGHT, TOP, BOTTOM = 58.0, 446.0, 74.0, 618.0
GUTTER = 20.0
ROMAN, BOLD, ITALIC, SANS, SANS_BOLD = "tiro", "tibo", "tiit", "helv", "hebo"
INK, QUIET, RULE = (0.10, 0.11, 0.13), (0.40, 0.42, 0.46), (0.62, 0.65, 0.70)
SHY = "\u00ad"

Box = tuple[float, float, float, float]
Draw = Callable[[Any, Box], None]


@dataclass(frozen=True)
class Placed:
    """A figure or table that was set. `box` is its picture or grid, without the caption."""

    kind: str
    number: str
    caption: str
    page: int
    box: Box
    rows: tuple[tuple[str, ...], ...] = ()


def text_width(text: str, font: str, size: float) -> float:
    width: float = pymupdf.get_text_length(text, fontname=font, fontsize=size)
    return width


def broken(text: str, width: float, font: str, size: float, first: float = 0.0) -> list[str]:
    """Break text into lines; soft hyphens are where a word may be parted.

    Args:
        first: room taken at the start of the first line.
    """
    lines: list[str] = []
    line, room = "", width - first
    for word in text.split():
        line, more = _add_word(line, word, room, font, size)
        if more is not None:
            lines.append(line)
            line, room = more, width
    return [*lines, line.replace(SHY, "")]


def _add_word(line: str, word: str, room: float, font: str, size: float) -> tuple[str, str | None]:
    """Give the line with the word, or the full line and what goes to the next one."""
    lead = f"{line} " if line else ""
    if text_width(lead + word.replace(SHY, ""), font, size) <= room:
        return lead + word.replace(SHY, ""), None
    parts = word.replace("-", f"-{SHY}").split(SHY)
    for cut in range(len(parts) - 1, 0, -1):
        head = lead + "".join(parts[:cut]).removesuffix("-") + "-"
        if text_width(head, font, size) <= room:
            return head, "".join(parts[cut:])
    return line, word.replace(SHY, "")


def _broken_row(row: Sequence[str], widths: Sequence[float], font: str) -> list[list[str]]:
    return [broken(cell, width - 10, font, 8) for cell, width in zip(row, widths, strict=True)]


class Typesetter:
    """Set blocks one after the other, from column to column and page to page."""

    def __init__(self, running_title: str) -> None:
        self.doc = pymupdf.open()
        self.running_title = running_title
        self.chapter = ""
        self.placed: list[Placed] = []
        self.outline: list[tuple[int, str, int]] = []
        self.columns = 1
        self.column = 0
        self.column_top = TOP
        self.y = BOTTOM
        self.page: Any = None

    def new_page(self, *, furniture: bool = True) -> None:
        """Begin a page, with its running head and number unless told otherwise."""
        self.page = self.doc.new_page(width=WIDTH, height=HEIGHT)
        self.column, self.column_top, self.y = 0, TOP, TOP
        if furniture:
            number = str(self.doc.page_count)
            left, right = self.running_title, self.chapter
            self.page.insert_text((LEFT, 50), left, fontname=SANS, fontsize=7.5, color=QUIET)
            at = RIGHT - text_width(right, SANS, 7.5)
            self.page.insert_text((at, 50), right, fontname=SANS, fontsize=7.5, color=QUIET)
            self.page.draw_line((LEFT, 56), (RIGHT, 56), color=RULE, width=0.4)
            at = (LEFT + RIGHT - text_width(number, SANS, 8)) / 2
            self.page.insert_text((at, 648), number, fontname=SANS, fontsize=8, color=QUIET)

    def set_columns(self, n: int) -> None:
        """Go on in n columns below what was set so far."""
        self.columns, self.column, self.column_top = n, 0, self.y

    def heading(self, level: int, text: str) -> None:
        """Set a heading: level 1 begins a chapter on a new page, level 2 a section."""
        if level == 1:
            self.chapter = text
            self.new_page()
        size, font, above, below = ((19, SANS_BOLD, 10, 14), (12, SANS_BOLD, 12, 5))[level - 1]
        self.room(above + size * 1.25 + below + 30)
        self.y += above if self.y > self.column_top else 0
        for line in broken(text, self.width, font, size):
            self._line(line, font, size, size * 1.2, INK)
        self.y += below
        self.outline.append((level, text, self.doc.page_count))

    def paragraph(self, text: str, *, font: str = ROMAN, size: float = 10.0) -> None:
        leading = size * 1.28
        for line in broken(text, self.width, font, size):
            self.room(leading)
            self._line(line, font, size, leading, INK)
        self.y += size * 0.55

    def figure(self, number: str, caption: str, draw: Draw, size: tuple[float, float]) -> None:
        """Set a picture of a size in points and its caption below, kept on one page."""
        width, height = size
        lines = self._caption_lines(f"Figure {number}.", caption)
        self.room(height + 10 + len(lines) * 11 + 12)
        self.y += 4
        x0 = self.left + (self.width - width) / 2
        box = (x0, self.y, x0 + width, self.y + height)
        draw(self.page, box)
        self.y += height + 6
        self._set_caption(f"Figure {number}.", lines)
        self.placed.append(Placed("figure", number, caption, self.doc.page_count, box))

    def table(
        self, number: str, caption: str, rows: Sequence[Sequence[str]], shares: Sequence[float]
    ) -> None:
        """Set a ruled table with its caption above; `shares` are the widths of its columns."""
        widths = [self.width * share / sum(shares) for share in shares]
        cells = [
            _broken_row(row, widths, SANS_BOLD if number == 0 else SANS)
            for number, row in enumerate(rows)
        ]
        heights = [max(map(len, row)) * 10.2 + 7 for row in cells]
        lines = self._caption_lines(f"Table {number}.", caption)
        self.room(sum(heights) + len(lines) * 11 + 20)
        self.y += 4
        self._set_caption(f"Table {number}.", lines)
        top = self.y - 4
        self._grid(cells, widths, heights, top)
        self.y = top + sum(heights) + 12
        box = (self.left, top, self.left + self.width, top + sum(heights))
        kept = tuple(tuple(cell.replace(SHY, "") for cell in row) for row in rows)
        self.placed.append(Placed("table", number, caption, self.doc.page_count, box, kept))

    @property
    def width(self) -> float:
        return (RIGHT - LEFT - GUTTER * (self.columns - 1)) / self.columns

    @property
    def left(self) -> float:
        return LEFT + self.column * (self.width + GUTTER)

    def room(self, height: float) -> None:
        """Go to the next column or page unless so much room is left in this one."""
        if self.page is not None and self.y + height <= BOTTOM:
            return
        if self.page is not None and self.column + 1 < self.columns:
            self.column += 1
            self.y = self.column_top
        else:
            self.new_page()

    def balance(self, blocks: Sequence[str]) -> None:
        """Set paragraphs in two columns of about the same height, then go back to one."""
        self.set_columns(2)
        lines = [line for text in blocks for line in [*broken(text, self.width, ROMAN, 10), ""]][
            :-1
        ]
        half = (len(lines) + 1) // 2
        top = self.y
        self.room(min(half * 12.8, BOTTOM - TOP))
        bottom = top
        for column in (lines[:half], lines[half:]):
            for line in column:
                self._line(line, ROMAN, 10, 12.8, INK)
            bottom = max(bottom, self.y)
            self.column, self.y = 1, self.column_top
        self.columns, self.column, self.y = 1, 0, bottom + 8

    def _line(
        self, text: str, font: str, size: float, leading: float, colour: tuple[float, ...]
    ) -> None:
        at = (self.left, self.y + size)
        if text:
            self.page.insert_text(at, text, fontname=font, fontsize=size, color=colour)
        self.y += leading

    def _caption_lines(self, label: str, caption: str) -> list[str]:
        return broken(caption, self.width, SANS, 8.2, text_width(label + " ", SANS_BOLD, 8.2))

    def _set_caption(self, label: str, lines: list[str]) -> None:
        at = text_width(label + " ", SANS_BOLD, 8.2)
        baseline = self.y + 8.2
        self.page.insert_text(
            (self.left, baseline), label, fontname=SANS_BOLD, fontsize=8.2, color=INK
        )
        for number, line in enumerate(lines):
            x = self.left + (at if number == 0 else 0)
            self.page.insert_text((x, self.y + 8.2), line, fontname=SANS, fontsize=8.2, color=INK)
            self.y += 11
        self.y += 8

    def _grid(
        self,
        cells: list[list[list[str]]],
        widths: list[float],
        heights: list[float],
        top: float,
    ) -> None:
        left, right = self.left, self.left + self.width
        self.page.draw_rect(
            (left, top, right, top + heights[0]), color=None, fill=(0.91, 0.93, 0.95)
        )
        y = top
        for number, (row, height) in enumerate(zip(cells, heights, strict=True)):
            x = left
            for lines, width in zip(row, widths, strict=True):
                for i, line in enumerate(lines):
                    at = (x + 5, y + 11 + i * 10.2)
                    font = SANS_BOLD if number == 0 else SANS
                    self.page.insert_text(at, line, fontname=font, fontsize=8, color=INK)
                x += width
            self.page.draw_line((left, y), (right, y), color=RULE, width=0.6)
            y += height
        self.page.draw_line((left, y), (right, y), color=RULE, width=0.6)
        x = left
        for width in [*widths, 0.0]:
            self.page.draw_line((x, top), (x, y), color=RULE, width=0.6)
            x += width
