"""Tables of a PDF: looked for only where rules on the page, or a caption, promise one."""

import inspect
import itertools
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from medrag.extras import Library, require
from medrag.ingestion.pdf.captions import Caption
from medrag.ingestion.pdf.geometry import area, bounds, common, holds, shared_width
from medrag.ingestion.pdf.opening import failing_as
from medrag.ingestion.pdf.reading import Line, Page, displayed, normalised
from medrag.records import Box

_THIN = 3.0
_LEAST_RULE = 60.0
_ALIGNED = 6.0
_LEAST_RULES = 3
_CAPTION_GAP = 60.0
_MOST_OF_PAGE = 0.9


class Table(NamedTuple):
    """A table: where it stands, the text of its cells row by row, and its caption if it has one.

    Cells that span several columns stand in the first of them; the others are empty.
    """

    page: int
    box: Box
    rows: tuple[tuple[str, ...], ...]
    caption: Caption | None


def tables_on(document: Library, page: Page, captions: Sequence[Caption]) -> list[Table]:
    """Find the ruled tables of a page.

    Args:
        captions: those of tables on the page.
    """
    found: list[Table] = []
    for box, rules, grid in _regions(page, captions):
        inside = [line for line in page.lines if holds(box, line.box)]
        rows = _grid_rows(document, page, box) if grid else ()
        rows = rows or _ruled_rows(inside, rules)
        # One column or one row is a frame around text.
        if len(rows) > 1 and max(sum(bool(cell) for cell in row) for row in rows) > 1:
            # Cells may reach over the ends of the rules.
            around = bounds([box, *(line.box for line in inside)])
            found.append(Table(page.number, around, rows, _nearest(box, captions)))
    return found


def _regions(page: Page, captions: Sequence[Caption]) -> list[tuple[Box, list[float], bool]]:
    """Find boxes between rules of one length, the heights of the rules, and whether a grid."""
    across = _rules(page, horizontal=True)
    upright = _rules(page, horizontal=False)
    regions: list[tuple[Box, list[float], bool]] = []
    for group in _aligned(across):
        box = bounds(group)
        heights = sorted({round((rule[1] + rule[3]) / 2, 1) for rule in group})
        sides = {round(rule[0] / 4) for rule in upright if _touches(rule, box)}
        captioned = _nearest(box, captions) is not None
        enough = len(heights) >= _LEAST_RULES or (captioned and len(heights) >= 2)
        if enough and area(box) < _MOST_OF_PAGE * page.width * page.height:
            regions.append((box, heights, len(sides) >= _LEAST_RULES))
    return _without_nested(regions)


def _rules(page: Page, *, horizontal: bool) -> list[Box]:
    """Give the straight lines of a page in one direction, and the sides of its rectangles."""
    rules: list[Box] = []
    for shape in page.shapes:
        x0, y0, x1, y1 = shape.box
        width, height = x1 - x0, y1 - y0
        if not shape.plain or (width > page.width * 0.98 and height > page.height * 0.5):
            continue
        long, thick = (width, height) if horizontal else (height, width)
        if thick <= _THIN and long >= (_LEAST_RULE / 4 if horizontal else _THIN * 2):
            rules.append(shape.box)
        elif width > _LEAST_RULE / 3 and height > _THIN * 2:
            near, far = (
                ((x0, y0, x1, y0), (x0, y1, x1, y1))
                if horizontal
                else ((x0, y0, x0, y1), (x1, y0, x1, y1))
            )
            rules += [near, far]
    return rules


def _aligned(rules: Sequence[Box]) -> list[list[Box]]:
    """Group horizontal rules that, joined to rows, begin and end at the same places."""
    rows: dict[int, list[Box]] = {}
    for rule in sorted(rules, key=lambda r: (r[1], r[0])):
        rows.setdefault(round((rule[1] + rule[3]) / 4), []).append(rule)
    groups: list[list[Box]] = []
    for row in (whole for pieces in rows.values() for whole in _joined(pieces)):
        if row[2] - row[0] < _LEAST_RULE:
            continue
        for group in groups:
            if abs(group[0][0] - row[0]) < _ALIGNED and abs(group[0][2] - row[2]) < _ALIGNED:
                group.append(row)
                break
        else:
            groups.append([row])
    return groups


def _joined(pieces: Sequence[Box]) -> list[Box]:
    """Join the pieces of one rule: a grid draws it cell by cell."""
    whole: list[Box] = []
    for piece in sorted(pieces):
        if whole and piece[0] - whole[-1][2] < _ALIGNED:
            whole[-1] = bounds((whole[-1], piece))
        else:
            whole.append(piece)
    return whole


def _touches(rule: Box, box: Box) -> bool:
    shared = common(rule, (box[0] - _THIN, box[1] - _THIN, box[2] + _THIN, box[3] + _THIN))
    return shared[2] >= shared[0] and shared[3] > shared[1]


def _without_nested(
    regions: list[tuple[Box, list[float], bool]],
) -> list[tuple[Box, list[float], bool]]:
    kept: list[tuple[Box, list[float], bool]] = []
    for region in sorted(regions, key=lambda r: -area(r[0])):
        if not any(holds(other[0], region[0]) for other in kept):
            kept.append(region)
    return kept


def _nearest(box: Box, captions: Iterable[Caption]) -> Caption | None:
    gaps = [
        (max(c.paragraph.box[1] - box[3], box[1] - c.paragraph.box[3]), n, c)
        for n, c in enumerate(captions)
        if shared_width(box, c.paragraph.box) > 0.3
    ]
    gap, _, caption = min(gaps, default=(float("inf"), 0, None))
    return caption if gap <= _CAPTION_GAP else None


def _grid_rows(document: Library, page: Page, box: Box) -> tuple[tuple[str, ...], ...]:
    """Let MuPDF find the cells of a grid; empty where it finds none."""
    sheet = document[page.number - 1]
    if sheet.rotation or page.turn:
        return ()
    with failing_as(Path(document.name), f"page {page.number}"):
        found = sheet.find_tables(clip=displayed(box, page), **_without_layout_model()).tables
        if not found:
            return ()
        largest = max(found, key=lambda table: area(table.bbox))
        # Its own reading of the cells joins the words of small print and parts commas from them.
        words = sheet.get_text("words", clip=largest.bbox)
        rows = [[_text_in(cell, words) for cell in row.cells] for row in largest.rows]
    return tuple(tuple(row) for row in rows if any(row))


@cache
def _without_layout_model() -> dict[str, bool]:
    pymupdf = require("pymupdf")
    if hasattr(pymupdf, "no_recommend_layout"):
        # Or it prints an advertisement of its layout model.
        pymupdf.no_recommend_layout()
    parameters = inspect.signature(pymupdf.table.find_tables).parameters
    return {"use_layout": False} if "use_layout" in parameters else {}


def _text_in(cell: Box | None, words: Sequence[tuple[Any, ...]]) -> str:
    """Join the words whose middles lie in a cell; a cell that another one covers is None."""
    if cell is None:
        return ""
    x0, y0, x1, y1 = cell
    inside = (
        word[4]
        for word in words
        if x0 <= (word[0] + word[2]) / 2 < x1 and y0 <= (word[1] + word[3]) / 2 < y1
    )
    return _folded(" ".join(inside))


def _folded(text: str) -> str:
    return " ".join(normalised(text).split())


def _ruled_rows(lines: Sequence[Line], rules: Sequence[float]) -> tuple[tuple[str, ...], ...]:
    """Read rows and columns from the white between lines, and rows from rules where they part."""
    if not lines:
        return ()
    columns = _intervals([(line.box[0], line.box[2]) for line in lines], 3.0)
    rows = []
    for top, bottom in itertools.pairwise(rules):
        band = [line for line in lines if top <= (line.box[1] + line.box[3]) / 2 < bottom]
        parted = _row_bands(band) if len(rules) <= _LEAST_RULES + 1 else [band]
        rows += [_cells(row, columns) for row in parted if row]
    return tuple(rows)


def _row_bands(lines: Sequence[Line]) -> list[list[Line]]:
    spans = _intervals([(line.box[1], line.box[3]) for line in lines], 0.0)
    if len(spans) > 1:
        gaps = [b[0] - a[1] for a, b in itertools.pairwise(spans)]
        # Lines of one cell lie closer than rows, unless every cell has one line.
        if max(gaps) > 1.8 * max(min(gaps), 0.5):
            limit = (max(gaps) + min(gaps)) / 2
            spans = _intervals([(line.box[1], line.box[3]) for line in lines], limit)
    return [
        [line for line in lines if top <= (line.box[1] + line.box[3]) / 2 <= bottom]
        for top, bottom in spans
    ]


def _intervals(spans: Iterable[tuple[float, float]], gap: float) -> list[tuple[float, float]]:
    """Join intervals that overlap or lie no further than `gap` apart."""
    joined: list[tuple[float, float]] = []
    for start, end in sorted(spans):
        if joined and start - joined[-1][1] <= gap:
            joined[-1] = joined[-1][0], max(joined[-1][1], end)
        else:
            joined.append((start, end))
    return joined


def _cells(lines: Sequence[Line], columns: Sequence[tuple[float, float]]) -> tuple[str, ...]:
    cells: list[list[str]] = [[] for _ in columns]
    for line in sorted(lines, key=lambda n: (round(n.box[3]), n.box[0])):
        centre = (line.box[0] + line.box[2]) / 2
        column = next((i for i, (a, b) in enumerate(columns) if a <= centre <= b), 0)
        cells[column].append(line.text)
    return tuple(" ".join(parts) for parts in cells)
