"""The textbook: its words, its figures and the order in which they are set."""

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PIL import Image

from making import drawings
from making.layout import (
    BOLD,
    BOTTOM,
    INK,
    ITALIC,
    LEFT,
    QUIET,
    RIGHT,
    ROMAN,
    SANS,
    SANS_BOLD,
    WIDTH,
    Box,
    Draw,
    Placed,
    Typesetter,
    broken,
    text_width,
)
from making.words import CONTENTS_NOTE, INDEX, NOTICE, REFERENCES, TEXT

TITLE = "Reading Medical Images"
SUBTITLE = "A short illustrated primer of the chest radiograph, the fundus and the blood smear"


def write_book(path: Path, pictures: Mapping[str, Path]) -> list[Placed]:
    """Set the textbook and write its PDF.

    Args:
        pictures: the image file of each name that the text's bitmap figures use.

    Returns:
        The figures and tables with page and box, in reading order.
    """
    setter = Typesetter(TITLE)
    _title_page(setter)
    setter.new_page()  # the contents, set once the pages of the sections are known
    for block in TEXT:
        _set(setter, block, pictures)
    _references(setter)
    _index(setter)
    _contents(setter)
    _save(setter, path)
    return setter.placed


def _set(setter: Typesetter, block: Mapping[str, Any], pictures: Mapping[str, Path]) -> None:
    kind = block["kind"]
    if kind in ("chapter", "section"):
        setter.heading(1 if kind == "chapter" else 2, block["text"])
    elif kind == "paragraph":
        setter.paragraph(block["text"])
    elif kind == "columns":
        setter.balance(block["texts"])
    elif kind == "table":
        setter.table(block["number"], block["caption"], block["rows"], block["shares"])
    else:
        draw = _draw(block["draw"], pictures)
        setter.figure(block["number"], block["caption"], draw, block["size"])


def _draw(names: str | list[str], pictures: Mapping[str, Path]) -> Draw:
    if isinstance(names, str):
        drawn: Draw = getattr(drawings, names)
        return drawn
    return lambda page, box: _place(page, box, [pictures[name] for name in names])


def _place(page: Any, box: Box, files: list[Path]) -> None:
    """Set pictures side by side in a box, 8 points apart."""
    x0, y0, x1, y1 = box
    width = (x1 - x0 - 8 * (len(files) - 1)) / len(files)
    for number, file in enumerate(files):
        left = x0 + number * (width + 8)
        page.insert_image(
            (left, y0, left + width, y1), stream=_smaller(file), keep_proportion=False
        )


def _smaller(file: Path) -> bytes:
    with Image.open(file) as image:
        small = image.copy()
    small.thumbnail((380, 380), Image.Resampling.LANCZOS)
    out = io.BytesIO()
    small.save(out, "JPEG", quality=82, optimize=True)
    return out.getvalue()


def _title_page(setter: Typesetter) -> None:
    setter.new_page(furniture=False)
    page = setter.page
    page.draw_rect((0, 0, WIDTH, 250), color=None, fill=(0.10, 0.20, 0.31))
    page.insert_text((LEFT, 190), TITLE, fontname=SANS_BOLD, fontsize=30, color=(1, 1, 1))
    for i, line in enumerate(broken(SUBTITLE, 330, SANS, 13)):
        page.insert_text((LEFT, 290 + i * 18), line, fontname=SANS, fontsize=13, color=INK)
    page.insert_text((LEFT, 400), "The medrag developers", fontname=SANS, fontsize=10, color=INK)
    for i, line in enumerate(broken(NOTICE, RIGHT - LEFT, ITALIC, 9.5)):
        page.insert_text((LEFT, 520 + i * 13), line, fontname=ITALIC, fontsize=9.5, color=QUIET)


def _contents(setter: Typesetter) -> None:
    page = setter.doc[1]
    page.insert_text((LEFT, 96), "Contents", fontname=SANS_BOLD, fontsize=19, color=INK)
    y = 128.0
    for level, text, number in setter.outline:
        font, indent = (BOLD, 0) if level == 1 else (ROMAN, 14)
        y += 6 if level == 1 else 0
        page.insert_text((LEFT + indent, y), text, fontname=font, fontsize=10, color=INK)
        start = LEFT + indent + text_width(text + " ", font, 10)
        dots = "." * int((RIGHT - 18 - start) / text_width(".", ROMAN, 10))
        page.insert_text((start, y), dots, fontname=ROMAN, fontsize=10, color=QUIET)
        end = RIGHT - text_width(str(number), ROMAN, 10)
        page.insert_text((end, y), str(number), fontname=ROMAN, fontsize=10, color=INK)
        y += 15
    for i, line in enumerate(broken(CONTENTS_NOTE, RIGHT - LEFT, ITALIC, 9)):
        at = (LEFT, min(y + 24, BOTTOM - 30) + i * 12)
        page.insert_text(at, line, fontname=ITALIC, fontsize=9, color=QUIET)


def _references(setter: Typesetter) -> None:
    setter.heading(1, "References")
    for number, text in enumerate(REFERENCES, start=1):
        setter.paragraph(f"{number}. {text}", size=9)


def _index(setter: Typesetter) -> None:
    setter.heading(1, "Index")
    pages = _pages_of(setter)
    lines = [f"{word}, {', '.join(map(str, pages[word]))}" for word in INDEX if pages[word]]
    setter.set_columns(2)
    for line in lines:
        setter.paragraph(line, size=8.5)
    setter.set_columns(1)


def _pages_of(setter: Typesetter) -> dict[str, list[int]]:
    """Find the pages of the chapters that name each word of the index."""
    first = next(number for _, _, number in setter.outline)
    last = next(number for _, text, number in setter.outline if text == "References")
    texts = {n: _plain(setter.doc[n - 1].get_text()) for n in range(first, last)}
    return {word: [n for n, text in texts.items() if word in text] for word in INDEX}


def _plain(text: str) -> str:
    return text.replace("-\n", "").replace("\n", " ").lower()


def _save(setter: Typesetter, path: Path) -> None:
    setter.doc.set_toc([list(entry) for entry in setter.outline])
    setter.doc.set_metadata(
        {
            "title": TITLE,
            "author": "The medrag developers",
            "subject": "Synthetic sample text. Not for clinical use. CC0-1.0.",
            "producer": "medrag corpora/sample/make.py",
            "creationDate": "D:20260101000000Z",
            "modDate": "D:20260101000000Z",
        }
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    setter.doc.save(path, garbage=4, deflate=True, no_new_id=True)
    setter.doc.close()
