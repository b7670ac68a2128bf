"""Outlines that are drawn onto a picture, so that whoever looks at it sees which part is meant."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from medrag.records import Box

# Green is in no radiograph, stained slide or fundus photograph; red is in the latter two.
COLOUR = (0, 255, 0)
_INK = (0, 0, 0)
# An outline of one pixel in so many of the shorter side is about 3 pixels wide where a model is
# shown a picture scaled to 900.
_SHARE = 300
_THINNEST = 2
# Five rows of three dots a digit, one octal digit a row. Of our own: how a font is drawn changes
# with its library, and the hash of a marked picture must not.
_DIGITS = (
    0o75557, 0o26227, 0o71747, 0o71717, 0o55711, 0o74717, 0o74757, 0o71111, 0o75757, 0o75717,
)  # fmt: skip


def marked(pixels: NDArray[np.uint8], marks: Sequence[Box]) -> NDArray[np.uint8]:
    """Draw the outlines of boxes, and their numbers from 1 where there are several.

    An outline lies around its box and covers nothing of it, except where the box touches the edge
    of the picture. A box that reaches beyond the picture is cut off at its edge.

    Args:
        pixels: (h, w, 3) RGB; not changed.
        marks: in pixels, with fractions rounded outwards.

    Returns:
        (h, w, 3), a picture of its own; all pixels but those of outlines and numbers are as before.

    Raises:
        ValueError: if a box has no pixel of the picture inside.
    """
    drawn = pixels.copy()
    width = thickness(pixels.shape[0], pixels.shape[1])
    boxes = [touched(mark, pixels.shape[1], pixels.shape[0]) for mark in marks]
    for box in boxes:
        _outline(drawn, box, width)
    if len(boxes) > 1:
        # After all outlines: a number must stay readable where boxes cross.
        for number, box in enumerate(boxes, start=1):
            _number(drawn, box, str(number), width)
    return drawn


def touched(box: Box, width: int, height: int) -> tuple[int, int, int, int]:
    """Give the pixels that a box touches, as (left, top, right, bottom) with the last two open.

    Raises:
        ValueError: if there are none, or an edge is no number.
    """
    if not all(math.isfinite(edge) for edge in box):
        raise ValueError("the box has edges that are no numbers")
    left, top = max(0, math.floor(box[0])), max(0, math.floor(box[1]))
    right, bottom = min(width, math.ceil(box[2])), min(height, math.ceil(box[3]))
    if left >= right or top >= bottom:
        empty = box[0] >= box[2] or box[1] >= box[3]
        raise ValueError(
            "the box is empty, expected left < right and top < bottom"
            if empty
            else f"the box lies outside the picture of {width} x {height} pixels"
        )
    return left, top, right, bottom


def thickness(height: int, width: int) -> int:
    """Say how many pixels wide the outlines of a picture are."""
    return max(_THINNEST, round(min(height, width) / _SHARE))


def _outline(drawn: NDArray[np.uint8], box: tuple[int, int, int, int], width: int) -> None:
    height, across = drawn.shape[:2]
    left, top = max(0, box[0] - width), max(0, box[1] - width)
    right, bottom = min(across, box[2] + width), min(height, box[3] + width)
    drawn[top : top + width, left:right] = COLOUR
    drawn[max(top, bottom - width) : bottom, left:right] = COLOUR
    drawn[top:bottom, left : left + width] = COLOUR
    drawn[top:bottom, max(left, right - width) : right] = COLOUR


def _number(
    drawn: NDArray[np.uint8], box: tuple[int, int, int, int], text: str, width: int
) -> None:
    """Write a number on a tag above the box, or within it where there is no room above."""
    tag = _tag(text, width)
    top = box[1] - width - tag.shape[0]
    top = top if top >= 0 else box[1]
    left = max(0, min(box[0] - width, drawn.shape[1] - tag.shape[1]))
    room = drawn[top : top + tag.shape[0], left : left + tag.shape[1]]
    room[:] = np.where(tag[: room.shape[0], : room.shape[1], None], _INK, COLOUR)


def _tag(text: str, scale: int) -> NDArray[np.bool_]:
    """Give a number with a border of one dot, (7 scale, (4 n + 1) scale); true is ink."""
    shapes = [np.array([*f"{_DIGITS[int(digit)]:015b}"]).reshape(5, 3) == "1" for digit in text]
    dots = np.concatenate([np.pad(shape, ((1, 1), (1, 0))) for shape in shapes], axis=1)
    bordered: NDArray[np.bool_] = np.pad(dots, ((0, 0), (0, 1)))
    return bordered.repeat(scale, axis=0).repeat(scale, axis=1)
