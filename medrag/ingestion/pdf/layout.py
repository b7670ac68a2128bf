"""Lines of a page in the order a person reads them, and the paragraphs that they form."""

import itertools
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from statistics import median
from typing import NamedTuple, TypeVar

from medrag.ingestion.pdf.geometry import bounds, shared_height
from medrag.ingestion.pdf.reading import Line
from medrag.records import Box

_BULLET = re.compile(r"[•‣▪▫–◦○●■□➢✓\uf0b7](?:\s|$)|(?:\(?\d{1,2}[.)]|\(?[a-z]\))\s")
_BULLET_STARTS = frozenset("•‣▪▫–◦○●■□➢✓\uf0b7(0123456789")
# Where a line that begins with one of these stands, a paragraph begins.
LABEL = re.compile(
    r"(?:fig(?:ure|\.)?|table|tab\.|plate|scheme|box|abb(?:ildung|\.))\s*[A-Z]?\d", re.I
)
_LABEL_STARTS = frozenset("FfTtPpSsBbAa")
_ENDED = re.compile(r"[.!?:;…][\"'”’)\]]*$")
# No end mark is longer than this; a search must not run through the whole line.
_TAIL = 24
_TERMINAL = re.compile(r"[.!?:…][\"'”’)\]]*(?:\s?\[[\d,–\- ]+\]|\^?\d{0,2})$")
# A column of text holds lines this long; shorter ones are bullets, numbers or table cells.
_COLUMN_CHARACTERS = 12
_FEW_LINES = 2


T = TypeVar("T")


class Paragraph(NamedTuple):
    """Lines that are read together; they may run over columns and pages.

    `size` is the font size of most of it; `column` counts the columns of the page it begins in.
    """

    lines: tuple[Line, ...]
    size: float
    bold: bool
    column: int

    @property
    def page(self) -> int:
        return self.lines[0].page

    @property
    def box(self) -> Box:
        """Around its lines on its first page."""
        return bounds(line.box for line in self.lines if line.page == self.page)

    @property
    def start(self) -> str:
        return self.lines[0].text


def is_item(text: str) -> bool:
    """Tell whether a line begins an item of a list, with a bullet, a number or a letter."""
    if text[0] not in _BULLET_STARTS and text[1:2] != ")":
        return False
    return _BULLET.match(text) is not None


class Placed(NamedTuple):
    """A line and the number of the column it was read in, counted over the page."""

    line: Line
    column: int


def reading_order(lines: Sequence[Line], width: float) -> list[Placed]:
    """Order the lines of a page: columns from left to right, between what spans them.

    Args:
        width: of the page in points.
    """
    placed: list[Placed] = []
    _read(lines, width, placed, 0)
    return placed


def line_pitches(pages: Iterable[Sequence[Line]]) -> dict[int, float]:
    """Measure the usual distance of base lines in points, by font size rounded to a point."""
    steps: defaultdict[int, Counter[float]] = defaultdict(Counter)
    for lines in pages:
        for above, below in itertools.pairwise(lines):
            step = below.box[3] - above.box[3]
            if above.block == below.block and abs(above.size - below.size) < 0.5 and step > 1:
                steps[round(above.size)][round(step, 1)] += 1
    return {size: median(found.elements()) for size, found in steps.items()}


def body_size(lines: Iterable[Line]) -> float:
    """The font size that most characters are set in; 10 points where there is no text."""
    sizes: Counter[float] = Counter()
    for line in lines:
        sizes[line.size] += len(line.text)
    return sizes.most_common(1)[0][0] if sizes else 10.0


def paragraphs(placed: Sequence[Placed], pitches: dict[int, float]) -> list[Paragraph]:
    """Join lines to paragraphs: by distance, font size, weight, indent and bullets."""
    found: list[Paragraph] = []
    open_lines: list[Line] = []
    column = 0
    for line, of_column in placed:
        if open_lines and (of_column != column or _begins(open_lines, line, pitches)):
            found.append(_paragraph(open_lines, column))
            open_lines = []
        open_lines.append(line)
        column = of_column
    if open_lines:
        found.append(_paragraph(open_lines, column))
    return found


def continued(before: Paragraph, after: Paragraph) -> bool:
    """Tell whether a paragraph at the top of a column goes on with the one before it."""
    last = before.lines[-1].text
    if abs(before.size - after.size) > 0.6 or is_item(after.start):
        return False
    if last.endswith(("-", "‐", "\u00ad")):
        return True
    if _TERMINAL.search(last[-_TAIL:]):
        return False
    if after.start[:1].islower():
        return True
    return len(before.lines) > 1 and _is_full(before)


def _is_full(paragraph: Paragraph) -> bool:
    """Tell whether the last line is as long as those before it: the text was cut by the column."""
    right = max(line.box[2] for line in paragraph.lines)
    last = paragraph.lines[-1].box
    return right - last[2] < 0.1 * (right - last[0])


def _read(lines: Sequence[Line], width: float, placed: list[Placed], depth: int) -> None:
    gutter = _gutter(lines, width) if depth < 3 and len(lines) > 2 * _FEW_LINES else None
    column = placed[-1].column + 1 if placed else 0
    if gutter is None:
        placed.extend(Placed(line, column) for line in _by_rows(lines))
        return
    spanning = _spanning(lines, gutter)
    own = {id(line) for line in spanning}
    beside = [n for n in lines if id(n) not in own]
    for start, end in _bands(spanning):
        between = [n for n in beside if start <= n.box[1] + n.box[3] < end]
        for side in (
            [n for n in between if n.box[2] <= gutter],
            [n for n in between if n.box[0] >= gutter],
        ):
            if side:
                _read(side, width, placed, depth + 1)
        crossing = [n for n in spanning if n.box[1] + n.box[3] == end]
        if crossing:
            column = placed[-1].column + 1 if placed else 0
            if placed and id(placed[-1].line) in own:
                column = placed[-1].column
            placed.extend(Placed(line, column) for line in crossing)


def _spanning(lines: Sequence[Line], gutter: float) -> list[Line]:
    """Find the lines across a gutter, with the short last line of a paragraph of such lines."""
    across = [n for n in lines if n.box[0] < gutter < n.box[2]]
    by_block = {line.block: line for line in sorted(across, key=lambda n: n.box[1])}
    for line in lines:
        above = by_block.get(line.block)
        if above is None or not 0 < line.box[3] - above.box[3] < 1.6 * line.size:
            continue
        alone = all(
            shared_height(line.box, n.box) < 0.3 or n.box[2] <= gutter
            for n in lines
            if n is not line
        )
        if line.box[2] <= gutter and abs(line.box[0] - above.box[0]) < line.size and alone:
            across.append(line)
    return sorted(across, key=lambda n: n.box[1])


def _bands(spanning: Sequence[Line]) -> list[tuple[float, float]]:
    """Split the height of a page (doubled centres) at the lines that span its columns."""
    cuts = sorted({line.box[1] + line.box[3] for line in spanning})
    edges = [float("-inf"), *cuts, float("inf")]
    return list(itertools.pairwise(edges))


def _gutter(lines: Sequence[Line], width: float) -> float | None:
    """Find the x of the white between two columns of text; None if there is one column."""
    lefts = Counter(round(line.box[0]) for line in lines)
    edge = min(lefts) + 0.15 * width
    starts = [x for x, n in lefts.items() if n >= _FEW_LINES and x > edge]
    best, score = None, 0
    for x in sorted(starts):
        left = [n for n in lines if n.box[2] < x]
        right = [n for n in lines if n.box[0] >= x - 1]
        across = len(lines) - len(left) - len(right)
        if not (_is_column(left) and _is_column(right)) or across > len(left) + len(right):
            continue
        if not _side_by_side(left, right):
            continue
        found = min(len(left), len(right)) - across
        if best is None or found > score:
            best, score = x, found
    if best is None:
        return None
    ends = [n.box[2] for n in lines if n.box[2] < best]
    return (max(ends) + best - 1) / 2


def _is_column(lines: Sequence[Line]) -> bool:
    if len(lines) < _FEW_LINES:
        return False
    return sum(len(line.text) for line in lines) >= _COLUMN_CHARACTERS * len(lines)


def _side_by_side(left: Sequence[Line], right: Sequence[Line]) -> bool:
    return shared_height(bounds(n.box for n in left), bounds(n.box for n in right)) > 0.2


def _by_rows(lines: Sequence[Line]) -> list[Line]:
    """Order lines from top to bottom and, at one height, from left to right, block by block."""
    if all(a.box[1] < b.box[1] - 2 for a, b in itertools.pairwise(lines)):
        return list(lines)
    blocks: defaultdict[int, list[Line]] = defaultdict(list)
    for line in lines:
        blocks[line.block].append(line)
    around = {number: bounds(n.box for n in of_block) for number, of_block in blocks.items()}
    ordered = _rows(sorted(blocks), around.__getitem__)
    return [line for number in ordered for line in _rows(blocks[number], lambda n: n.box)]


def _rows(things: Iterable[T], box_of: Callable[[T], Box]) -> list[T]:
    rows: list[list[T]] = []
    for thing in sorted(things, key=lambda t: (box_of(t)[1], box_of(t)[0])):
        if rows and shared_height(box_of(rows[-1][0]), box_of(thing)) > 0.6:
            rows[-1].append(thing)
        else:
            rows.append([thing])
    return [thing for row in rows for thing in sorted(row, key=lambda t: box_of(t)[0])]


def _begins(open_lines: list[Line], line: Line, pitches: dict[int, float]) -> bool:
    """Tell whether a line begins a paragraph after the lines of one."""
    above = open_lines[-1]
    if line.box[1] < above.box[3] and shared_height(above.box, line.box) > 0.6:
        return line.box[0] - above.box[2] > 3 * max(line.size, above.size)
    if abs(above.size - line.size) > 0.6:
        return True
    if above.bold != line.bold and (above.block != line.block or _ended(above) or line.bold):
        return True
    step = line.box[3] - above.box[3]
    pitch = pitches.get(round(line.size)) or 1.3 * line.size
    if step < 0 or step > (1.45 if above.block == line.block else 1.12) * pitch:
        return True
    if line.text[0] in _LABEL_STARTS and LABEL.match(line.text):
        return above.block != line.block or _ended(above)
    return _is_indented(open_lines, line)


def _ended(line: Line) -> bool:
    return _ENDED.search(line.text[-_TAIL:]) is not None


def _is_indented(open_lines: list[Line], line: Line) -> bool:
    """Tell whether a line begins further left or right than the one above, which ends there."""
    above = open_lines[-1]
    shift = line.box[0] - above.box[0]
    if -0.7 * line.size < shift < 0.7 * line.size or is_item(line.text) or not _ended(above):
        return False
    # The line above may be the last piece of a row.
    row = [n.box[0] for n in open_lines[-4:] if n.box[1] < above.box[3] and n.box[3] > above.box[1]]
    return abs(line.box[0] - min(row)) > 0.7 * line.size


def _paragraph(lines: list[Line], column: int) -> Paragraph:
    first = lines[0]
    even = all(line.size == first.size for line in lines)
    size = first.size if even else body_size(lines)
    bold = first.bold and all(line.bold for line in lines)
    return Paragraph(tuple(lines), size, bold, column)
