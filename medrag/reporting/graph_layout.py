"""Where the nodes of a small graph stand: in columns by how far they are from what is told."""

import textwrap
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

COLUMN = 152
WIDTH, _GAP = 980, 178  # of all columns on a page; between two, where there is room
LINE, PADDING, LABEL_LINE = 15, 14, 13
BETWEEN = 16
_CHARACTERS = 20  # of a name on one line, and lines of it
_LINES = 3
_COLUMNS = 4
_SWEEPS = 6
_LABEL = 15  # characters of a relation on one line


@dataclass(frozen=True, slots=True)
class Node:
    """A concept: its name, whether the question names it, and the marker of its term if cited."""

    name: str
    asked: bool = False
    marker: int | None = None


@dataclass(frozen=True, slots=True)
class Edge:
    """A fact between two nodes, which it names by their keys.

    Attributes:
        markers: of the citations that state it; none where it was read and not cited.
        of_fact: whether a fact states it, and not only a term that lists its parents.
        names: of head and tail, as the first passage writes them.
    """

    head: str
    relation: str
    tail: str
    markers: tuple[int, ...] = ()
    denied: bool = False
    uncertain: bool = False
    of_fact: bool = False
    names: tuple[str, str] = ("", "")


@dataclass(frozen=True, slots=True)
class Place:
    """Left edge, middle, and height of a node's box."""

    x: float
    y: float
    height: float


@dataclass(frozen=True, slots=True)
class Layout:
    """Where everything stands.

    Attributes:
        places: of the nodes.
        starts, stops: the height at which each edge leaves its head and reaches its tail.
        at_tail: whether each edge's label stands before its tail, and not behind its head.
    """

    places: Mapping[str, Place]
    starts: tuple[float, ...]
    stops: tuple[float, ...]
    at_tail: tuple[bool, ...]


class _End(NamedTuple):
    edge: int
    is_tail: bool
    labelled: bool
    other: str


def name_lines(node: Node, characters: int = _CHARACTERS) -> list[str]:
    """Wrap a node's name, with its marker; at most three lines, the last cut."""
    marker = f" [{node.marker}]" if node.marker is not None else ""
    lines = textwrap.wrap(
        f"{node.name}{marker}", characters, max_lines=_LINES, placeholder=f"…{marker}"
    )
    return lines or [""]


def label_lines(edge: Edge) -> list[str]:
    """Wrap a relation with its first markers, two lines at most."""
    marked = " ".join(f"[{marker}]" for marker in edge.markers[:3])
    said = textwrap.wrap(edge.relation, _LABEL, max_lines=2, placeholder="…") or [""]
    if marked and len(said[-1]) + len(marked) + 1 > _LABEL + 3 and len(said) < 2:
        return [*said, marked]
    return [*said[:-1], f"{said[-1]} {marked}".strip()]


def label_height(edge: Edge) -> float:
    return len(label_lines(edge)) * LABEL_LINE + 6.0


def columns(nodes: Mapping[str, Node], edges: Sequence[Edge]) -> Layout:
    """Place nodes in at most four columns: a head left of its tails, unless a cycle forbids it.

    Equal input gives equal places. Within a column, nodes stand in the order of the means of their
    neighbours, which crosses few edges, and near these. An edge's label stands at the end that it
    shares with the fewest others, and a node is as high as the labels at one side of it.

    Source:
        Sugiyama, Tagawa & Toda, IEEE Trans. SMC 11(2), 1981 (layers, and order by barycentres).
    """
    levels = _levels(nodes, edges)
    near = _neighbours(nodes, edges)
    by_level: list[list[str]] = [[] for _ in range(max(levels.values(), default=-1) + 1)]
    for key in nodes:
        by_level[levels[key]].append(key)
    for sweep in range(_SWEEPS):
        order = by_level if sweep % 2 == 0 else by_level[::-1]
        for column in order:
            position = {key: place for each in by_level for place, key in enumerate(each)}
            column.sort(key=lambda key: _mean([position[o] for o in near[key]], position[key]))
    at_tail = _labelled_tails(edges, levels)
    ends = _ends(edges, levels, at_tail)
    heights = {key: len(name_lines(node)) * LINE + float(PADDING) for key, node in nodes.items()}
    for key, sides in ends.items():
        highest = max(sum(_slots(several, edges)) for several in sides.values())
        heights[key] = max(heights[key], highest + 4)
    middles = _middles(by_level, near, heights)
    n = len(by_level)
    gap = min(_GAP, (WIDTH - n * COLUMN) / max(n - 1, 1))
    places = {
        key: Place(2.0 + levels[key] * (COLUMN + gap), middles[key], heights[key]) for key in nodes
    }
    starts, stops = _ports(edges, ends, middles)
    return Layout(places, starts, stops, at_tail)


def _labelled_tails(edges: Sequence[Edge], levels: Mapping[str, int]) -> tuple[bool, ...]:
    """Tell of each edge whether its label stands at its tail, and not at its head.

    All labels between two columns stand at one side, that which most edges there prefer: at both,
    they would meet.
    """
    preferred = [_prefers_tail(edge, edges, levels) for edge in edges]
    sides = Counter[tuple[int, str]]()
    for edge, tail in zip(edges, preferred, strict=True):
        rise = abs(levels[edge.tail] - levels[edge.head])
        if rise < 2:
            # An edge within a column has its label at the right of it and nowhere else.
            sides[_side(edge, tail, levels)] += 1 if rise else len(edges)

    def fits(edge: Edge, tail: bool) -> bool:
        gap, side = _side(edge, tail, levels)
        return (side == "behind") == (sides[gap, "behind"] > sides[gap, "before"])

    return tuple(
        tail != (levels[edge.head] != levels[edge.tail] and not fits(edge, tail)
                 and fits(edge, not tail))
        for edge, tail in zip(edges, preferred, strict=True)
    )  # fmt: skip


def _prefers_tail(edge: Edge, edges: Sequence[Edge], levels: Mapping[str, int]) -> bool:
    """Prefer the end that an edge shares with the fewest others."""
    if levels[edge.head] == levels[edge.tail]:
        return False
    leaving = sum(other.head == edge.head for other in edges)
    return leaving >= sum(other.tail == edge.tail for other in edges)


def _side(edge: Edge, at_tail: bool, levels: Mapping[str, int]) -> tuple[int, str]:
    """Name the gap where a label stands: "behind" the column left of it, or "before" the next."""
    head, tail = levels[edge.head], levels[edge.tail]
    own, other = (tail, head) if at_tail else (head, tail)
    return (own - 1, "before") if other < own else (own, "behind")


def _ends(
    edges: Sequence[Edge], levels: Mapping[str, int], at_tail: Sequence[bool]
) -> dict[str, dict[str, list[_End]]]:
    """Gather the ends of edges at each side of each node."""
    ends: dict[str, dict[str, list[_End]]] = {}
    for number, edge in enumerate(edges):
        rise = levels[edge.tail] - levels[edge.head]
        labelled = at_tail[number]
        head, tail = ("right" if rise >= 0 else "left"), ("left" if rise > 0 else "right")
        for key, side, end in (
            (edge.head, head, _End(number, False, not labelled, edge.tail)),
            (edge.tail, tail, _End(number, True, labelled, edge.head)),
        ):
            ends.setdefault(key, {}).setdefault(side, []).append(end)
    return ends


def _slots(several: Sequence[_End], edges: Sequence[Edge]) -> list[float]:
    """Give the height that each end takes at a side: that of its label, or nearly nothing."""
    bare = 5.0 if any(end.labelled for end in several) else 0.0
    return [label_height(edges[end.edge]) + 4 if end.labelled else bare for end in several]


def _ports(
    edges: Sequence[Edge],
    ends: Mapping[str, Mapping[str, Sequence[_End]]],
    middles: Mapping[str, float],
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Say at which height each edge leaves its head and reaches its tail."""
    heights: dict[tuple[int, bool], float] = {}
    for key, sides in ends.items():
        for several in sides.values():
            # In the order of where they lead to, so that they do not cross at once.
            ordered = sorted(several, key=lambda end: (middles[end.other], end.edge, end.is_tail))
            slots = _slots(ordered, edges)
            y = middles[key] - sum(slots) / 2
            for end, slot in zip(ordered, slots, strict=True):
                heights[end.edge, end.is_tail] = y + slot / 2
                y += slot
    numbers = range(len(edges))
    return tuple(heights[n, False] for n in numbers), tuple(heights[n, True] for n in numbers)


def _levels(nodes: Mapping[str, Node], edges: Sequence[Edge]) -> dict[str, int]:
    levels = dict.fromkeys(nodes, 0)
    forward = _without_cycles(nodes, edges)
    for _ in range(_COLUMNS - 1):
        for head, tail in forward:
            reach = min(levels[head] + 1, _COLUMNS - 1)
            levels[tail] = max(levels[tail], reach)
    tails = {tail for _, tail in forward}
    for key in nodes:
        # What nothing leads to stands beside what it leads to.
        reached = [levels[tail] for head, tail in forward if head == key]
        if key not in tails and reached:
            levels[key] = max(0, min(reached) - 1)
    used = sorted(set(levels.values()))
    return {key: used.index(level) for key, level in levels.items()}


def _without_cycles(nodes: Mapping[str, Node], edges: Sequence[Edge]) -> list[tuple[str, str]]:
    """List the edges but for those that close a cycle, the first ones kept."""
    after: dict[str, set[str]] = {key: {key} for key in nodes}
    kept = []
    for edge in edges:
        if edge.head not in after[edge.tail]:
            kept.append((edge.head, edge.tail))
            for reached in after.values():
                if edge.head in reached:
                    reached |= after[edge.tail]
    return kept


def _neighbours(nodes: Mapping[str, Node], edges: Sequence[Edge]) -> dict[str, list[str]]:
    near: dict[str, list[str]] = {key: [] for key in nodes}
    for edge in edges:
        if edge.head != edge.tail:
            near[edge.head].append(edge.tail)
            near[edge.tail].append(edge.head)
    return near


def _middles(
    by_level: Sequence[Sequence[str]],
    near: Mapping[str, Sequence[str]],
    heights: Mapping[str, float],
) -> dict[str, float]:
    """Stack each column, then draw its nodes towards their neighbours without an overlap."""
    middles: dict[str, float] = {}
    for column in by_level:
        total = sum(heights[key] + BETWEEN for key in column)
        y = -total / 2
        for key in column:
            middles[key] = y + (heights[key] + BETWEEN) / 2
            y += heights[key] + BETWEEN
    for _ in range(_SWEEPS):
        for column in by_level:
            wanted = {key: _mean([middles[o] for o in near[key]], middles[key]) for key in column}
            placed = dict(wanted)
            for above, below in pairwise(column):
                least = placed[above] + (heights[above] + heights[below]) / 2 + BETWEEN
                placed[below] = max(placed[below], least)
            # Pushed down only; moved up by as much as that is too far on the whole.
            shift = _mean([placed[key] - wanted[key] for key in column], 0.0)
            middles.update({key: placed[key] - shift for key in column})
    return middles


def _mean(values: Sequence[float], default: float) -> float:
    return sum(values) / len(values) if values else default
