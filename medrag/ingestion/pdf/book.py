"""A PDF taken apart: what is text, figure, table, furniture, and what is left out, and why."""

import itertools
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from medrag.extras import Library
from medrag.ingestion.pdf.captions import Caption, figure_caption, table_caption
from medrag.ingestion.pdf.figures import Figure, decorations, figures_on, undecorated
from medrag.ingestion.pdf.furniture import Furniture, without_furniture
from medrag.ingestion.pdf.geometry import holds
from medrag.ingestion.pdf.layout import (
    Paragraph,
    body_size,
    line_pitches,
    paragraphs,
    reading_order,
)  # fmt: skip
from medrag.ingestion.pdf.matter import reason_of_section, reasons_of_pages
from medrag.ingestion.pdf.reading import Page
from medrag.ingestion.pdf.sections import Section, are_slides, sections, slide_sections
from medrag.ingestion.pdf.tables import Table, tables_on


class LeftOut(NamedTuple):
    """Something that is no passage: a code of `reasons`, the pages, and what it is."""

    reason: str
    pages: tuple[int, ...]
    detail: str


class Book(NamedTuple):
    """All of a PDF. Sections, figures and tables are in reading order."""

    pages: dict[int, Page]
    sections: tuple[Section, ...]
    figures: tuple[Figure, ...]
    tables: tuple[Table, ...]
    left_out: tuple[LeftOut, ...]


class _Parts(NamedTuple):
    """A page taken apart."""

    paragraphs: list[Paragraph]
    figures: list[Figure]
    tables: list[Table]


def take_apart(document: Library, pages: Sequence[Page], *, keep_all: bool) -> Book:
    """Sort what stands on the pages of a document.

    Args:
        document: the open PDF; the tables of some pages are read from it.
        pages: all of them, in order.
        keep_all: keep front matter, contents, index and reference lists as text.
    """
    cleared, furniture = without_furniture(pages)
    dropped = {} if keep_all else reasons_of_pages(cleared)
    left_out = [*_furniture(furniture), *_sideways(pages), *_dropped_pages(dropped)]
    kept = [page for page in cleared if page.number not in dropped]
    body = body_size(line for page in kept for line in page.lines)
    pitches = line_pitches([page.lines for page in kept])
    repeated = decorations(kept)
    parts = [_parts(document, undecorated(page, repeated), body, pitches) for page in kept]
    _join_over_pages(parts, body)
    texts = [part.paragraphs for part in parts]
    if are_slides(kept):
        found = slide_sections(texts)
    else:
        found = sections([p for text in texts for p in text], body)
    chosen, matter = (found, []) if keep_all else _chosen(found, len(pages))
    return Book(
        {page.number: page for page in cleared},
        tuple(chosen),
        tuple(figure for part in parts for figure in part.figures),
        tuple(table for part in parts for table in part.tables),
        tuple(left_out + matter),
    )


def _parts(
    document: Library,
    page: Page,
    body: float,
    pitches: dict[int, float],
) -> _Parts:
    """Take a page apart: its tables, then its figures, then the text that is in neither."""
    found = paragraphs(reading_order(page.lines, page.width), pitches)
    tables: list[Table] = []
    if page.shapes:
        captions = [c for c in (table_caption(p, body) for p in found) if c]
        tables = tables_on(document, page, captions)
    if tables:
        page, found = _without(page, tables, pitches)
    figures: list[Figure] = []
    if page.pictures or page.shapes:
        captions = [c for c in (figure_caption(p, body) for p in found) if c]
        figures = figures_on(page, found, captions, [table.box for table in tables])
    if figures:
        found = _without_figures(found, figures)
    return _Parts(found, figures, tables)


def _join_over_pages(parts: Sequence[_Parts], body: float) -> None:
    """Give a figure at the foot of a page the caption that begins the next page."""
    for before, after in itertools.pairwise(parts):
        if not before.figures or not after.paragraphs:
            continue
        lowest = max(range(len(before.figures)), key=lambda i: before.figures[i].box[3])
        figure = before.figures[lowest]
        caption = figure_caption(after.paragraphs[0], body)
        if figure.caption or caption is None or caption.paragraph.page != figure.page + 1:
            continue
        if not any(p.box[1] > figure.box[3] for p in before.paragraphs):
            before.figures[lowest] = figure._replace(caption=caption)
            del after.paragraphs[0]


def _without(
    page: Page, tables: Sequence[Table], pitches: dict[int, float]
) -> tuple[Page, list[Paragraph]]:
    """Read a page again without the lines of its tables, which look like columns."""
    taken = _lines_of(table.caption for table in tables)
    lines = tuple(
        line
        for line in page.lines
        if id(line) not in taken and not any(holds(table.box, line.box) for table in tables)
    )
    rest = page._replace(lines=lines)
    return rest, paragraphs(reading_order(lines, page.width), pitches)


def _without_figures(found: Sequence[Paragraph], figures: Sequence[Figure]) -> list[Paragraph]:
    taken = _lines_of(figure.caption for figure in figures)
    taken |= {id(line) for figure in figures for line in figure.labels}
    kept: list[Paragraph] = []
    for paragraph in found:
        lines = tuple(line for line in paragraph.lines if id(line) not in taken)
        if lines:
            kept.append(paragraph._replace(lines=lines))
    return kept


def _lines_of(captions: Iterable[Caption | None]) -> set[int]:
    return {
        id(line) for caption in captions if caption is not None for line in caption.paragraph.lines
    }


def _chosen(found: Sequence[Section], n_pages: int) -> tuple[list[Section], list[LeftOut]]:
    """Leave out the sections whose headings say that they answer no question."""
    chosen: list[Section] = []
    left: dict[tuple[str, str], set[int]] = {}
    for section in found:
        first = section.paragraphs[0]
        reason = reason_of_section(section.path, first.page, n_pages)
        if reason is None:
            chosen.append(section)
            continue
        pages = left.setdefault((reason, " > ".join(section.path)), set())
        pages.update(line.page for p in section.paragraphs for line in p.lines)
    return chosen, [
        LeftOut(reason, tuple(sorted(pages)), f"section {title!r}")
        for (reason, title), pages in left.items()
    ]


def _furniture(found: Sequence[Furniture]) -> list[LeftOut]:
    return [
        LeftOut(
            "boilerplate",
            tuple(sorted({line.page for line in furniture.lines})),
            "page numbers"
            if furniture.pattern == "#"
            else f"running head or foot {furniture.lines[0].text!r}",
        )
        for furniture in found
    ]


def _sideways(pages: Sequence[Page]) -> list[LeftOut]:
    return [
        LeftOut(
            "boilerplate",
            (page.number,),
            f"words across the reading direction: {' '.join(n.text for n in page.sideways)[:80]!r}",
        )
        for page in pages
        if page.sideways
    ]


def _dropped_pages(reasons: dict[int, str]) -> list[LeftOut]:
    by_reason: dict[str, list[int]] = {}
    for number, reason in reasons.items():
        by_reason.setdefault(reason, []).append(number)
    return [LeftOut(reason, tuple(numbers), "whole pages") for reason, numbers in by_reason.items()]
