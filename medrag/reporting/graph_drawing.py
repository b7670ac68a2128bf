"""A small graph as inline SVG: in columns, or as a tree for a narrow screen."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from medrag.reporting.graph_layout import (
    COLUMN,
    LABEL_LINE,
    LINE,
    PADDING,
    WIDTH,
    Edge,
    Layout,
    Node,
    Place,
    columns,
    label_height,
    label_lines,
    name_lines,
)
from medrag.reporting.markup import Html, element, joined, text

_LETTER, _BOLD = 6.7, 7.4  # width of a letter of a label
_MARKED = re.compile(r"\[(\d+)\]")
_TREE, _INDENT, _DEEPEST = 336, 24, 4
_TREE_CHARACTERS = 38


class _Box(NamedTuple):
    x0: float
    y0: float
    x1: float
    y1: float


class _Route(NamedTuple):
    """The path of an edge, the middle of its label, and what it takes up."""

    path: str
    label: tuple[float, float]
    around: _Box


def drawn_columns(
    nodes: Mapping[str, Node], edges: Sequence[Edge], *, anchor: str, told: str
) -> Html | None:
    """Draw nodes in columns, heads to the left of their tails; None where that is a tangle.

    It is one where labels would cover each other or nodes, or a page would not hold its width.

    Args:
        anchor: what the ids of the citations' cards begin with.
        told: the same in words.
    """
    layout = columns(nodes, edges)
    taken = [_box(place) for place in layout.places.values()]
    around = list(taken)
    lines, labels = [], []
    for number, edge in enumerate(edges):
        label = label_lines(edge)
        width = _label_width(edge, label)
        route = _route(number, edge, layout, width)
        lines.append(_line(route.path, edge, f"{anchor}tip"))
        (x, y), half = route.label, label_height(edge) / 2
        box = _Box(x - width / 2, y - half, x + width / 2, y + half)
        if any(_overlap(box, other) for other in taken) or route.around.x1 > WIDTH + 4:
            return None
        taken.append(box)
        around += [box, route.around]
        labels.append(_label(edge, label, box, anchor))
    places = layout.places
    drawn = [_node(nodes[key], places[key], name_lines(nodes[key]), anchor) for key in nodes]
    return _svg(around, [*lines, *drawn, *labels], f"{anchor}tip", told, "graph wide")


def drawn_tree(
    nodes: Mapping[str, Node], edges: Sequence[Edge], *, anchor: str, told: str, kind: str
) -> Html:
    """Draw nodes below one another, those next to a node indented under it; fits a phone.

    It begins at what the question names, or else where most edges meet. A node that stands already
    is drawn once more at its further edges, without what hangs on it.
    """
    tree = _Tree(nodes, edges, anchor)
    degrees = Counter(end for edge in edges for end in (edge.head, edge.tail))
    for key in sorted(nodes, key=lambda key: (not nodes[key].asked, -degrees[key])):
        if any(key in (edge.head, edge.tail) for edge in tree.waiting):
            tree.add(key, 0)
    return _svg(tree.boxes, tree.drawn, f"{anchor}tip-tree", told, kind)


class _Tree:
    """Draws a tree from the top; `y` is where the next node begins."""

    def __init__(self, nodes: Mapping[str, Node], edges: Sequence[Edge], anchor: str) -> None:
        self.nodes = nodes
        self.waiting = list(edges)
        self.anchor = anchor
        self.boxes: list[_Box] = []
        self.drawn: list[Html] = []
        self.y = 2.0

    def add(self, key: str, depth: int) -> Place:
        """Draw a node, and below it those of its edges that were not drawn before."""
        # Deeper levels stand no further in: a long path must not leave the screen.
        x = 2.0 + min(depth, _DEEPEST) * _INDENT
        width = _TREE - x
        lines = name_lines(self.nodes[key], int(_TREE_CHARACTERS * width / _TREE))
        height = len(lines) * LINE + PADDING
        place = Place(x, self.y + height / 2, height)
        self.drawn.append(_node(self.nodes[key], place, lines, self.anchor, width=width))
        self.boxes.append(_Box(x, self.y, x + width, self.y + height))
        self.y += height + 8
        own = [edge for edge in self.waiting if key in (edge.head, edge.tail)]
        self.waiting = [edge for edge in self.waiting if edge not in own]
        for edge in own:
            self._branch(edge, key, place, depth)
        return place

    def _branch(self, edge: Edge, key: str, near: Place, depth: int) -> None:
        """Draw an edge from the node above, or to it, with the node at its other end."""
        leaves = edge.head == key
        label = f"{'' if leaves else '↑ '}{' '.join(label_lines(edge))}"
        at = self.y
        self.y += 18
        far = self.add(edge.tail if leaves else edge.head, depth + 1)
        stem = near.x + (8 if leaves else 15)
        bottom = near.y + near.height / 2
        # Where nothing stands further in, the line goes around on the left.
        around = f" H{max(near.x - 6, -6):.0f}" if far.x <= near.x else ""
        if leaves:
            path = f"M{stem:.0f} {bottom:.0f}{around} V{far.y:.0f} H{far.x - 2:.0f}"
        else:
            turn = max(near.x - 6, -6) if around else stem
            path = (
                f"M{far.x:.0f} {far.y:.0f} H{turn:.0f} V{bottom + 8:.0f} H{stem} V{bottom + 2:.0f}"
            )
        self.drawn.insert(0, _line(path, edge, f"{self.anchor}tip-tree"))
        left = far.x + 6
        box = _Box(left, at - 2, left + _label_width(edge, [label]), at + 15)
        self.drawn.append(_label(edge, [label], box, self.anchor, plate=False))


def _svg(around: Sequence[_Box], drawn: Sequence[str], tip: str, told: str, kind: str) -> Html:
    x0, y0 = min(box.x0 for box in around) - 3, min(box.y0 for box in around) - 3
    width = max(box.x1 for box in around) + 3 - x0
    height = max(box.y1 for box in around) + 3 - y0
    # Links inside must be reached, which those of a picture ("img") are not.
    return Html(
        f'<svg class="{kind}" role="group" aria-labelledby="{tip}-title" '
        f'viewBox="{x0:.0f} {y0:.0f} {width:.0f} {height:.0f}" width="{width:.0f}" '
        f'height="{height:.0f}"><title id="{tip}-title">Facts: {text(told)}</title><defs>'
        f"{_tip(tip, 'tip')}{_tip(f'{tip}-cited', 'tip cited')}</defs>{joined(*drawn)}</svg>"
    )


def _tip(name: str, kind: str) -> Html:
    return Html(
        f'<marker id="{name}" class="{kind}" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" '
        'markerHeight="8" markerUnits="userSpaceOnUse" orient="auto">'
        '<path d="M0 0.6 L7.4 4 L0 7.4 z"></path></marker>'
    )


def _box(place: Place, width: float = COLUMN) -> _Box:
    half = place.height / 2
    return _Box(place.x, place.y - half, place.x + width, place.y + half)


def _node(
    node: Node, place: Place, lines: Sequence[str], anchor: str, *, width: float = COLUMN
) -> Html:
    height = place.height
    box = element(
        "rect", x=f"{place.x:.0f}", y=f"{place.y - height / 2:.1f}", width=f"{width:.0f}",
        height=f"{height:.0f}", rx=9, class_="node",
    )  # fmt: skip
    words = [
        element(
            "text", line, x=f"{place.x + width / 2:.0f}",
            y=f"{place.y + (number - (len(lines) - 1) / 2) * LINE + 4.5:.1f}", class_="name",
        )
        for number, line in enumerate(lines)
    ]  # fmt: skip
    inside = joined(element("title", node.name), box, *words)
    if node.marker is not None:
        inside = element("a", inside, href=f"#{anchor}{node.marker}")
    return element("g", inside, class_="asked" if node.asked else None)


def _route(number: int, edge: Edge, layout: Layout, width: float) -> _Route:
    """Lead an edge from its head to its tail, straight where its label stands.

    The labels at one side of a node lie one below the other, and so do the nodes of a column.
    """
    head, tail = layout.places[edge.head], layout.places[edge.tail]
    y0, y1 = layout.starts[number], layout.stops[number]
    at_tail = layout.at_tail[number]
    if tail.x == head.x:
        return _around(head.x + COLUMN, y0, y1, width)
    sign = 1.0 if tail.x > head.x else -1.0
    start = head.x + COLUMN if sign > 0 else head.x
    end = tail.x - 2 if sign > 0 else tail.x + COLUMN + 2
    room = min(width + 12, abs(end - start) - 10)
    near, far = (start, end - sign * room) if at_tail else (start + sign * room, end)
    bend = (far - near) / 2
    curve = f"C{near + bend:.0f} {y0:.1f} {far - bend:.0f} {y1:.1f} {far:.0f} {y1:.1f}"
    path = f"M{start:.0f} {y0:.1f} L{near:.0f} {y0:.1f} {curve} L{end:.0f} {y1:.1f}"
    middle = ((far + end) / 2 - sign * 4, y1) if at_tail else ((start + near) / 2, y0)
    around = _Box(min(start, end), min(y0, y1), max(start, end), max(y0, y1))
    return _Route(path, middle, around)


def _around(x: float, y0: float, y1: float, width: float) -> _Route:
    """Lead an edge around the right side of a column, or from a node to itself."""
    near = x + width + 8
    out = near + 26
    curve = f"C{out:.0f} {y0:.1f} {out:.0f} {y1:.1f} {x + 2:.0f} {y1:.1f}"
    path = f"M{x:.0f} {y0:.1f} L{near:.0f} {y0:.1f} {curve}"
    return _Route(path, (x + 4 + width / 2, y0), _Box(x, min(y0, y1), out, max(y0, y1)))


def _line(path: str, edge: Edge, tip: str) -> Html:
    kinds = ["edge"]
    kinds += ["cited"] if edge.markers else []
    kinds += ["denied"] if edge.denied else ["uncertain"] if edge.uncertain else []
    ended = f"{tip}-cited" if edge.markers else tip
    return element("path", d=path, class_=" ".join(kinds), marker_end=f"url(#{ended})")


def _overlap(one: _Box, other: _Box) -> bool:
    return one.x0 < other.x1 and other.x0 < one.x1 and one.y0 < other.y1 and other.y0 < one.y1


def _label_width(edge: Edge, lines: Sequence[str]) -> float:
    """Estimate how wide a label is; what is cited is bold."""
    return max(map(len, lines)) * (_BOLD if edge.markers else _LETTER) + 10


def _label(edge: Edge, lines: Sequence[str], box: _Box, anchor: str, *, plate: bool = True) -> Html:
    x, y = (box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2
    behind = element(
        "rect", x=f"{box.x0:.1f}", y=f"{box.y0:.1f}", width=f"{box.x1 - box.x0:.1f}",
        height=f"{box.y1 - box.y0:.1f}", rx=8, class_="plate",
    ) if plate else ""  # fmt: skip
    single = len(edge.markers) == 1
    words = [
        element("text", line if single else _linked(line, anchor), x=f"{x:.1f}",
                y=f"{y + (n - (len(lines) - 1) / 2) * LABEL_LINE + 4:.1f}", class_="relation")
        for n, line in enumerate(lines)
    ]  # fmt: skip
    inside = joined(behind, *words)
    kind = "said cited" if edge.markers else "said"
    if single:
        return element("a", inside, href=f"#{anchor}{edge.markers[0]}", class_=kind)
    return element("g", inside, class_=kind)


def _linked(line: str, anchor: str) -> Html:
    """Let each of several markers lead to its own card."""
    pieces = _MARKED.split(line)
    return joined(
        *(
            element("a", f"[{piece}]", href=f"#{anchor}{piece}") if number % 2 else piece
            for number, piece in enumerate(pieces)
        )
    )
