"""The little graph of the facts that an answer cites, as inline SVG."""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

from medrag.records import Citation
from medrag.reporting.markup import Html, element, joined, text

_WIDTH, _ROW, _NODE = 172, 68, 22
_GAP = 190
_LINE = 15
_MOST = 14
_LEVELS = 3


@dataclass(frozen=True, slots=True)
class _Edge:
    marker: int
    head: str
    relation: str
    tail: str


def facts_graph(citations: Sequence[Citation], anchor: str) -> Html | None:
    """Draw the facts among citations in one picture; None if there is none.

    Args:
        anchor: what the ids of the citations' cards begin with; each edge leads to its card.
    """
    edges = [_edge(each) for each in citations if each.passage.kind == "fact"][:_MOST]
    edges = [edge for edge in edges if edge.head and edge.tail]
    if not edges:
        return None
    places = _places(edges)
    width = max(x for x, _ in places.values()) + _WIDTH + 4
    height = max(y for _, y in places.values()) + _ROW / 2 + 4
    drawn = [_drawn_edge(edge, places, _label_at(edge, edges), anchor) for edge in edges]
    drawn += [_drawn_node(name, place) for name, place in places.items()]
    told = "; ".join(f"{e.head} {e.relation} {e.tail} [{e.marker}]" for e in edges)
    return Html(
        f'<svg class="graph" role="img" aria-label="{text(told)}" '
        f'viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" height="{height:.0f}">'
        f'<defs><marker id="{anchor}tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" '
        'markerHeight="7" orient="auto"><path d="M0 0.6 L7.4 4 L0 7.4 z"></path></marker></defs>'
        f"{joined(*drawn)}</svg>"
    )


def readable(relation: str) -> str:
    """Give a relation as words: "has_finding" as "has finding"."""
    return relation.replace("_", " ").strip()


def _edge(citation: Citation) -> _Edge:
    fields = citation.passage.fields
    head, relation, tail = (str(fields.get(key, "")) for key in ("head", "relation", "tail"))
    return _Edge(citation.marker, head, readable(relation), tail)


def _places(edges: Sequence[_Edge]) -> dict[str, tuple[float, float]]:
    """Put the nodes in columns: what is only a head to the left, what is told of it to the right.

    Returns:
        Left edge and middle of each node.
    """
    levels = _levels(edges)
    columns: dict[int, list[str]] = {}
    for name, level in levels.items():
        columns.setdefault(level, []).append(name)
    most = max(len(names) for names in columns.values())
    places = {}
    for level, names in columns.items():
        start = (most - len(names)) / 2
        for number, name in enumerate(names):
            y = (start + number + 0.5) * _ROW + 2
            places[name] = (2.0 + level * (_WIDTH + _GAP), y)
    return places


def _levels(edges: Sequence[_Edge]) -> dict[str, int]:
    """Give each node a column, right of its heads where no cycle forbids it; at most three."""
    levels = {name: 0 for edge in edges for name in (edge.head, edge.tail)}
    for _ in range(_LEVELS - 1):
        for edge in edges:
            if edge.head != edge.tail:
                reach = min(levels[edge.head] + 1, _LEVELS - 1)
                levels[edge.tail] = max(levels[edge.tail], reach)
    used = sorted(set(levels.values()))
    return {name: used.index(level) for name, level in levels.items()}


def _drawn_node(name: str, place: tuple[float, float]) -> Html:
    x, y = place
    lines = textwrap.wrap(name, _NODE, max_lines=3, placeholder="…") or [""]
    height = len(lines) * _LINE + 14
    box = element(
        "rect", x=f"{x:.0f}", y=f"{y - height / 2:.1f}", width=_WIDTH, height=height, rx=9,
        class_="node",
    )  # fmt: skip
    words = [
        element(
            "text", line, x=f"{x + _WIDTH / 2:.0f}",
            y=f"{y + (number - (len(lines) - 1) / 2) * _LINE + 4.5:.1f}", class_="name",
        )
        for number, line in enumerate(lines)
    ]  # fmt: skip
    return joined(box, *words, element("title", name)) if len(lines) < 3 else joined(box, *words)


def _label_at(edge: _Edge, edges: Sequence[_Edge]) -> float:
    """Give the place of a label along its edge: where edges that share an end lie apart."""
    leaving = sum(other.head == edge.head for other in edges)
    arriving = sum(other.tail == edge.tail for other in edges)
    return 0.60 if leaving >= arriving else 0.38


def _drawn_edge(edge: _Edge, places: dict[str, tuple[float, float]], t: float, anchor: str) -> Html:
    (x0, y0), (x1, y1) = places[edge.head], places[edge.tail]
    if x1 > x0:
        start, end = x0 + _WIDTH, x1 - 2
    else:  # back, or within a column: around the right side
        start, end = x0 + _WIDTH, x1 + _WIDTH + 2
    bend = max(60.0, abs(end - start) / 2)
    back = bend if x1 > x0 else -bend
    bends = f"{start + bend:.0f} {y0:.1f} {end - back:.0f} {y1:.1f}"
    path = f"M{start:.0f} {y0:.1f} C{bends} {end:.0f} {y1:.1f}"
    mid_x = _bezier(t, start, start + bend, end - back, end)
    mid_y = _bezier(t, y0, y0, y1, y1)
    label = textwrap.shorten(edge.relation, 18, placeholder="…")
    half = 3.3 * (len(label) + len(str(edge.marker)) + 3) + 4
    plate = element(
        "rect", x=f"{mid_x - half:.1f}", y=f"{mid_y - 10:.1f}", width=f"{2 * half:.1f}", height=20,
        rx=10, class_="plate",
    )  # fmt: skip
    words = element(
        "text", label, " ", element("tspan", f"[{edge.marker}]", class_="marker"),
        x=f"{mid_x:.1f}", y=f"{mid_y + 4:.1f}", class_="relation",
    )  # fmt: skip
    line = Html(f'<path d="{path}" class="edge" marker-end="url(#{anchor}tip)"></path>')
    return joined(line, element("a", plate, words, href=f"#{anchor}{edge.marker}"))


def _bezier(t: float, a: float, b: float, c: float, d: float) -> float:
    s = 1 - t
    return s**3 * a + 3 * s * s * t * b + 3 * s * t * t * c + t**3 * d
