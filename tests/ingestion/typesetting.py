"""Typeset small PDFs whose text, order and places are known, for the tests of the PDF reader."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pymupdf

WIDTH, HEIGHT, MARGIN, GUTTER = 420.0, 595.0, 50.0, 24.0
SIZE, LEADING, HEAD = 10.0, 12.5, 40.0
RUNNING_HEAD = "A running head of the book"
_CONSONANTS, _VOWELS = "bdfgklmnprst", "aeiou"


@dataclass(frozen=True)
class Layout:
    """How pages are set: columns, display rotation, points cut off on all sides."""

    columns: int = 1
    rotation: int = 0
    crop: float = 0.0
    heads: bool = True


def word(index: int) -> str:
    """A pronounceable word that no other index has; from four letters on."""
    letters = ""
    for _ in range(3):
        index, c = divmod(index, len(_CONSONANTS))
        index, v = divmod(index, len(_VOWELS))
        letters += _CONSONANTS[c] + _VOWELS[v]
    return letters + ("n" if index == 0 else f"n{index}")


def prose(start: int, n_words: int) -> str:
    """Sentences of words that occur nowhere else, of nine words each."""
    words = [word(start + i) for i in range(n_words)]
    for i in range(0, n_words, 9):
        words[i] = words[i].capitalize()
        end = min(i + 8, n_words - 1)
        words[end] += "."
    return " ".join(words)


class Typesetter:
    """Set headings and paragraphs line by line, breaking long words at line ends with a hyphen."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.document = pymupdf.open()
        self.column_width = (WIDTH - 2 * MARGIN - GUTTER * (layout.columns - 1)) / layout.columns
        self.column = layout.columns
        self.y = HEIGHT
        self.page: Any = None

    def heading(self, text: str) -> None:
        self.y += LEADING
        self._line(text, size=15.0, font="hebo", room=60.0)
        self.y += LEADING / 2

    def paragraph(self, text: str) -> None:
        for line in self._broken(text):
            self._line(line, size=SIZE, font="helv")
        self.y += LEADING * 0.6

    def save(self, path: Path) -> Path:
        for page in self.document:
            if self.layout.crop:
                cut = self.layout.crop
                page.set_cropbox(pymupdf.Rect(cut, cut, WIDTH - cut, HEIGHT - cut))
            page.set_rotation(self.layout.rotation)
        self.document.save(path)
        self.document.close()
        return path

    def _broken(self, text: str) -> list[str]:
        lines, line = [], ""
        for token in text.split():
            longer = f"{line} {token}".strip()
            if _length(longer) <= self.column_width:
                line = longer
                continue
            head, tail = token[:4] + "-", token[4:]
            if len(tail.rstrip(".")) >= 3 and _length(f"{line} {head}") <= self.column_width:
                lines.append(f"{line} {head}".strip())
                line = tail
            else:
                lines.append(line)
                line = token
        return [*lines, line]

    def _line(self, text: str, *, size: float, font: str, room: float = LEADING) -> None:
        if self.y + room > HEIGHT - MARGIN - HEAD:
            self._next_column()
        x = MARGIN + self.column * (self.column_width + GUTTER)
        self.y += LEADING
        self.page.insert_text((x, self.y), text, fontsize=size, fontname=font)

    def _next_column(self) -> None:
        self.column += 1
        if self.column >= self.layout.columns:
            self.column = 0
            self.page = self.document.new_page(width=WIDTH, height=HEIGHT)
            if self.layout.heads:
                number = str(self.document.page_count)
                self.page.insert_text((MARGIN, 42), RUNNING_HEAD, fontsize=8)
                self.page.insert_text((WIDTH / 2, HEIGHT - 36), number, fontsize=8)
        self.y = MARGIN + HEAD / 2


def _length(text: str) -> float:
    return float(pymupdf.get_text_length(text, fontname="helv", fontsize=SIZE))


def typeset(path: Path, layout: Layout, sections: Sequence[tuple[str, Sequence[str]]]) -> Path:
    """Set sections, each a heading and its paragraphs, and save them as a PDF."""
    setter = Typesetter(layout)
    for heading, paragraphs in sections:
        if heading:
            setter.heading(heading)
        for text in paragraphs:
            setter.paragraph(text)
    return setter.save(path)
