"""Boxes in an answer: JSON, <box> tags, lists of four numbers, pairs of points."""

import json
import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

from medrag.evaluation.parsed import Boxes, Unparsed
from medrag.records import Box

_NUMBER = r" ?([-+]?\d+(?:\.\d+)?) ?"
_COMMA = r"[,;\s]"
_LIST = re.compile(rf"\[{_NUMBER},{_NUMBER},{_NUMBER},{_NUMBER}\]")
_PAIR = re.compile(rf"\({_NUMBER},{_NUMBER}\) ?,? ?\({_NUMBER},{_NUMBER}\)")
_TAG = re.compile(
    rf"<(?:box|bbox)>[\[( ]?{_NUMBER}{_COMMA}{_NUMBER}{_COMMA}{_NUMBER}{_COMMA}{_NUMBER}"
)
_EMPTY = re.compile(r"\[ ?\]")
_CORNERS = (
    ("x1", "y1", "x2", "y2"),
    ("x0", "y0", "x1", "y1"),
    ("xmin", "ymin", "xmax", "ymax"),
    ("x_min", "y_min", "x_max", "y_max"),
    ("left", "top", "right", "bottom"),
)
_SIZED = (("x", "y", "w", "h"), ("x", "y", "width", "height"))


def read_boxes(text: str) -> Boxes | Unparsed:
    """Read boxes in the order given, as (x0, y0, x1, y1) in the numbers of the answer.

    JSON is read first, also inside other words: lists of four numbers at any depth, and objects
    with four named corners or with a corner and a size. Then come <box> tags, lists of four and
    pairs of points. An empty list ("[]"), where no box stands beside it, says that there is none;
    words ("no box") do not. Points alone ("[1, 2]") are no boxes and are not read.
    """
    text = text.replace("\n", " ")
    found = _from_json(text)
    if found is not None:
        return Boxes(tuple(found))
    for pattern in (_TAG, _LIST, _PAIR):
        boxes = [box for match in pattern.finditer(text) if (box := _box(match.groups()))]
        if boxes:
            return Boxes(tuple(boxes))
    return Boxes(()) if _EMPTY.search(text) else Unparsed("no box")


def _from_json(text: str) -> list[Box] | None:
    starts = [place for char in "[{" if (place := text.find(char)) >= 0]
    end = max(text.rfind("]"), text.rfind("}"))
    if not starts or end < min(starts):
        return None
    try:
        value = json.loads(text[min(starts) : end + 1])
    except (ValueError, RecursionError):  # lists nested without end are no answer either
        return None
    return list(_walk(value)) or None


def _walk(value: Any) -> Iterator[Box]:
    """Visit lists and objects in order, without recursion."""
    stack = [value]
    while stack:
        top = stack.pop()
        if isinstance(top, Mapping):
            if box := _named(top):
                yield box
            else:
                stack.extend(reversed(list(top.values())))
        elif isinstance(top, list):
            if box := _box(top):
                yield box
            else:
                stack.extend(reversed(top))


def _named(corners: Mapping[str, Any]) -> Box | None:
    for names in _CORNERS:
        if all(name in corners for name in names):
            return _box([corners[name] for name in names])
    for names in _SIZED:
        if all(name in corners for name in names):
            sized = _box([corners[name] for name in names])
            return sized and (sized[0], sized[1], sized[0] + sized[2], sized[1] + sized[3])
    return None


def _box(values: Any) -> Box | None:
    """Make a box of four finite numbers; None of anything else."""
    if len(values) != 4 or any(isinstance(each, bool | list | dict) for each in values):
        return None
    try:
        x0, y0, x1, y1 = (float(each) for each in values)
    except (TypeError, ValueError, OverflowError):
        return None
    return (x0, y0, x1, y1) if all(map(math.isfinite, (x0, y0, x1, y1))) else None
