"""Figures of a PDF from the geometry of its pages: placed pictures, drawings, captions."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from medrag.ingestion.pdf.captions import Caption
from medrag.ingestion.pdf.geometry import (
    area,
    bounds,
    clusters,
    common,
    holds,
    shared_height,
    shared_width,
)  # fmt: skip
from medrag.ingestion.pdf.layout import Paragraph
from medrag.ingestion.pdf.reading import Line, Page, Picture, Shape
from medrag.records import Box

_TOUCHING = 3.0
_WHOLE_PAGE = 0.9
# Of a picture without caption: smaller ones are icons, bullets and logos.
_LEAST_SIDE = 36.0
_LEAST_SHARE = 0.012
_LEAST_PIXELS = 32
_THIN = 2.0
# Of a drawing without caption: fewer strokes are arrows, frames and rules.
_LEAST_STROKES = 12
_LEAST_DRAWN_SHARE = 0.03
_TEXT_SHARE = 0.25
_PANEL_CHARACTERS = 200
_REPEATED_SHARE = 0.2
_REPEATED_PAGES = 3
_SIDE_GAP = 40.0
_CAPTION_BELOW_COST = 15.0
_LABEL_GAP = 16.0
_ROW_SHARE = 0.6
_PART_GAP = 24.0
_LABEL_CHARACTERS = 40


class Figure(NamedTuple):
    """A figure: where it is drawn, its caption if it has one, and the lines that label it."""

    page: int
    box: Box
    caption: Caption | None
    labels: tuple[Line, ...]


class Graphic(NamedTuple):
    """Pictures and drawn shapes that touch each other. `drawn`: it holds no picture."""

    box: Box
    drawn: bool
    strokes: int
    least_pixels: int


def decorations(pages: Sequence[Page]) -> frozenset[tuple[int, ...]]:
    """Find pictures and shapes that come back on many pages at one place: logos, backgrounds."""
    places: Counter[tuple[int, ...]] = Counter()
    for page in pages:
        places.update({_mark(picture) for picture in page.pictures})
        places.update({_mark(shape) for shape in page.shapes})
    least = max(_REPEATED_PAGES, _REPEATED_SHARE * len(pages))
    return frozenset(place for place, n in places.items() if n >= least)


def undecorated(page: Page, repeated: frozenset[tuple[int, ...]]) -> Page:
    """Take what `decorations` found from a page: a running rule is no rule of a table."""
    return page._replace(
        pictures=tuple(p for p in page.pictures if _mark(p) not in repeated),
        shapes=tuple(s for s in page.shapes if _mark(s) not in repeated),
    )


def figures_on(
    page: Page,
    paragraphs: Sequence[Paragraph],
    captions: Sequence[Caption],
    taken: Sequence[Box],
) -> list[Figure]:
    """Find the figures of a page.

    Args:
        paragraphs: all of the page.
        captions: those of figures among them.
        taken: boxes that are no figures, such as tables.
    """
    if not page.pictures and not page.shapes:
        return []
    graphics = _graphics(page, taken)
    owned, free = _assigned(graphics, paragraphs, captions, page)
    figures = [_figure(page, paragraphs, parts, caption) for caption, parts in owned]
    figures += [_figure(page, paragraphs, [g], None) for g in free if _stands_alone(g, page)]
    return sorted((f for f in figures if f is not None), key=lambda f: (f.box[1], f.box[0]))


def _mark(thing: Picture | Shape) -> tuple[int, ...]:
    """Name a thing by its place, and a picture by its bytes too: figures may share a place."""
    place = tuple(round(side / 2) for side in thing.box)
    return (*place, *thing.pixels, thing.size) if isinstance(thing, Picture) else place


def _graphics(page: Page, taken: Sequence[Box]) -> list[Graphic]:
    whole = (0.0, 0.0, page.width, page.height)
    pictures = [(common(p.box, whole), min(p.pixels), 0) for p in page.pictures]
    shapes = [(common(s.box, whole), -1, 1) for s in page.shapes if not _is_panel(s, page)]
    things = [
        thing
        for thing in (*pictures, *shapes)
        if thing[0][2] >= thing[0][0]
        and thing[0][3] >= thing[0][1]
        and area(thing[0]) < _WHOLE_PAGE * area(whole)
        and not any(holds(box, thing[0]) for box in taken)
    ]
    groups = clusters([box for box, _, _ in things], _TOUCHING)
    return [_graphic([things[i] for i in members]) for members in groups]


def _graphic(things: Sequence[tuple[Box, int, int]]) -> Graphic:
    pixels = [n for _, n, _ in things if n >= 0]
    return Graphic(
        bounds(box for box, _, _ in things), not pixels, sum(n for _, _, n in things),
        max(pixels, default=0),
    )  # fmt: skip


def _is_panel(shape: Shape, page: Page) -> bool:
    """Tell whether a shape is the ground or frame of a box of text."""
    if (
        not shape.plain
        or min(shape.box[2] - shape.box[0], shape.box[3] - shape.box[1]) < _LEAST_SIDE
    ):
        return False
    inside = [line for line in page.lines if holds(shape.box, line.box)]
    return sum(len(line.text) for line in inside) >= _PANEL_CHARACTERS


def _assigned(
    graphics: Sequence[Graphic],
    paragraphs: Sequence[Paragraph],
    captions: Sequence[Caption],
    page: Page,
) -> tuple[list[tuple[Caption, list[Graphic]]], list[Graphic]]:
    """Give each graphic to the nearest caption that no text parts it from."""
    captioned = {id(caption.paragraph) for caption in captions}
    walls = [p.box for p in paragraphs if id(p) not in captioned and len(p.lines) > 1]
    owned: list[list[Graphic]] = [[] for _ in captions]
    free: list[Graphic] = []
    for graphic in graphics:
        costs = [_distance(graphic.box, c.paragraph.box, page.height) for c in captions]
        least = min(costs, default=float("inf"))
        nearest = costs.index(least) if least < float("inf") else -1
        alone = nearest < 0 or _is_rule(graphic)
        if alone or _parted(graphic.box, captions[nearest].paragraph.box, walls):
            free.append(graphic)
        else:
            owned[nearest].append(graphic)
    for parts in owned:
        free = _gathered(parts, free)
    return [(c, parts) for c, parts in zip(captions, owned, strict=True) if parts], free


def _gathered(parts: list[Graphic], free: Sequence[Graphic]) -> list[Graphic]:
    """Add to the parts of a figure what stands in row with them; give what is left."""
    left = list(free)
    for part in parts:
        beside = [g for g in left if not _is_rule(g) and _is_beside(part.box, g.box)]
        parts += beside
        left = [g for g in left if g not in beside]
    return left


def _is_beside(a: Box, b: Box) -> bool:
    across = max(a[0], b[0]) - min(a[2], b[2])
    return shared_height(a, b) > _ROW_SHARE and across <= _PART_GAP


def _distance(box: Box, caption: Box, height: float) -> float:
    """How far a graphic is from a caption, in points; infinite if they do not go together."""
    if shared_width(box, caption) >= 0.3:
        above, below = caption[1] - box[3], box[1] - caption[3]
        gap = max(above, 0.0) if above >= below else below + _CAPTION_BELOW_COST
        return gap if gap < 0.4 * height else float("inf")
    gap = max(caption[0] - box[2], box[0] - caption[2])
    beside = shared_height(box, caption) >= 0.5 and gap <= _SIDE_GAP
    return gap + _CAPTION_BELOW_COST if beside else float("inf")


def _parted(box: Box, caption: Box, walls: Iterable[Box]) -> bool:
    top, bottom = min(box[3], caption[3]), max(box[1], caption[1])
    return any(
        top < (wall[1] + wall[3]) / 2 < bottom
        and shared_width(wall, box) > 0.3
        and not holds(box, wall)
        for wall in walls
    )


def _is_rule(graphic: Graphic) -> bool:
    width, height = graphic.box[2] - graphic.box[0], graphic.box[3] - graphic.box[1]
    return graphic.drawn and min(width, height) < 4 * _THIN


def _stands_alone(graphic: Graphic, page: Page) -> bool:
    """Tell whether a graphic without caption is a figure, and no icon, frame or ground."""
    box = graphic.box
    share = area(box) / (page.width * page.height)
    if min(box[2] - box[0], box[3] - box[1]) < _LEAST_SIDE or share < _LEAST_SHARE:
        return False
    if not graphic.drawn:
        return graphic.least_pixels >= _LEAST_PIXELS
    text = sum(area(line.box) for line in page.lines if holds(box, line.box))
    return (
        graphic.strokes >= _LEAST_STROKES
        and share >= _LEAST_DRAWN_SHARE
        and text < _TEXT_SHARE * area(box)
    )


def _figure(
    page: Page,
    paragraphs: Sequence[Paragraph],
    parts: Sequence[Graphic],
    caption: Caption | None,
) -> Figure | None:
    """Put a figure together; None where its box is most of the page or its labels are its text."""
    others = [p for p in paragraphs if caption is None or p is not caption.paragraph]
    box = bounds(part.box for part in parts)
    if all(part.drawn for part in parts):
        box = _with_labels(box, others)
    if area(box) > _WHOLE_PAGE * page.width * page.height:
        return None
    labels = tuple(line for p in others for line in p.lines if holds(box, line.box))
    length = sum(len(line.text) for line in page.lines)
    # A scanned page with a text layer is a picture too: its text must not become labels.
    if sum(len(line.text) for line in labels) > max(_PANEL_CHARACTERS, 0.5 * length):
        return Figure(page.number, box, caption, ()) if caption else None
    return Figure(page.number, box, caption, labels)


def _with_labels(box: Box, paragraphs: Sequence[Paragraph]) -> Box:
    """Widen the box of a drawing by the short lines at its edges, such as those of axes."""
    reach = (
        box[0] - _LABEL_GAP, box[1] - _LABEL_GAP, box[2] + _LABEL_GAP, box[3] + _LABEL_GAP
    )  # fmt: skip
    near = [
        p.box
        for p in paragraphs
        if len(p.lines) <= 2 and len(p.start) <= _LABEL_CHARACTERS and holds(reach, p.box)
    ]
    return bounds((box, *near))
