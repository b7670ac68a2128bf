"""Boxes on a page: (x0, y0, x1, y1) in points, origin at the top left."""

from collections.abc import Iterable, Sequence

from medrag.records import Box


def area(box: Box) -> float:
    """Square points that a box covers; 0 if it is empty."""
    return max(0.0, box[2] - box[0]) * max(0.0, box[3] - box[1])


def bounds(boxes: Iterable[Box]) -> Box:
    """The smallest box around some boxes, of which there must be one."""
    x0, y0, x1, y1 = zip(*boxes, strict=True)
    return min(x0), min(y0), max(x1), max(y1)


def common(a: Box, b: Box) -> Box:
    """What two boxes share; its sides are in the wrong order if they share nothing."""
    return max(a[0], b[0]), max(a[1], b[1]), min(a[2], b[2]), min(a[3], b[3])


def holds(box: Box, inner: Box) -> bool:
    """Tell whether the centre of one box lies in another."""
    x, y = (inner[0] + inner[2]) / 2, (inner[1] + inner[3]) / 2
    return box[0] <= x <= box[2] and box[1] <= y <= box[3]


def shared_width(a: Box, b: Box) -> float:
    """How much of the narrower box's width the two have in common, in [0, 1]."""
    narrower = max(min(a[2] - a[0], b[2] - b[0]), 1e-6)
    return max(0.0, min(a[2], b[2]) - max(a[0], b[0])) / narrower


def shared_height(a: Box, b: Box) -> float:
    """How much of the lower box's height the two have in common, in [0, 1]."""
    lower = max(min(a[3] - a[1], b[3] - b[1]), 1e-6)
    return max(0.0, min(a[3], b[3]) - max(a[1], b[1])) / lower


def clusters(boxes: Sequence[Box], gap: float) -> list[list[int]]:
    """Group boxes that touch, or lie no further than `gap` apart, directly or through others.

    Returns:
        Indices into `boxes`, ascending in each group; groups in the order of their first box.
    """
    groups: list[tuple[Box, list[int]]] = []
    for index in sorted(range(len(boxes)), key=lambda i: boxes[i][1]):
        around, members = boxes[index], [index]
        apart: list[tuple[Box, list[int]]] = []
        for box, others in groups:
            if _near(around, box, gap):
                around, members = bounds((around, box)), members + others
            else:
                apart.append((box, others))
        groups = [*apart, (around, members)]
    return sorted(sorted(members) for _, members in _settled(groups, gap))


def turned(box: Sequence[float], turn: int, width: float, height: float) -> Box:
    """Turn a box clockwise with its page; width and height are those before turning."""
    x0, y0, x1, y1 = box
    if turn == 90:
        return height - y1, x0, height - y0, x1
    if turn == 180:
        return width - x1, height - y1, width - x0, height - y0
    if turn == 270:
        return y0, width - x1, y1, width - x0
    return x0, y0, x1, y1


def unturned(box: Box, turn: int, width: float, height: float) -> Box:
    """Undo `turned`; width and height are those after turning."""
    return turned(box, (360 - turn) % 360, width, height)


def _near(a: Box, b: Box, gap: float) -> bool:
    return a[0] - gap <= b[2] and b[0] - gap <= a[2] and a[1] - gap <= b[3] and b[1] - gap <= a[3]


def _settled(groups: list[tuple[Box, list[int]]], gap: float) -> list[tuple[Box, list[int]]]:
    """Join groups until none is near another: joining makes boxes that reach further."""
    while True:
        joined: list[tuple[Box, list[int]]] = []
        for box, members in groups:
            for place, (other, others) in enumerate(joined):
                if _near(box, other, gap):
                    joined[place] = bounds((box, other)), others + members
                    break
            else:
                joined.append((box, members))
        if len(joined) == len(groups):
            return joined
        groups = joined
