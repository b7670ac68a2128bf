"""Which picture, and which part of it, the arguments of a tool mean."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal, get_args

from medrag.images.reading import origin
from medrag.records import Box, ImageRef

Coordinates = Literal["original", "unit", "thousand"]
# The greatest number of a scale of its own.
_FULL: Mapping[Coordinates, float | None] = {"original": None, "unit": 1.0, "thousand": 1000.0}
# How a model is told of them.
COORDINATES: Mapping[Coordinates, str] = {
    "original": "in pixels of that picture",
    "unit": "as fractions of its width and height from 0 to 1",
    "thousand": "in thousandths of its width and height from 0 to 1000",
}
_SHOWN = 80


def check_coordinates(coordinates: str) -> None:
    """Refuse a name that is no `Coordinates`.

    Raises:
        ValueError: naming those that are.
    """
    if coordinates not in get_args(Coordinates):
        known = ", ".join(get_args(Coordinates))
        raise ValueError(f"coordinates must be one of {known}, got {coordinates!r}")


def chosen_image(arguments: Mapping[str, Any], images: Sequence[ImageRef]) -> int:
    """Give the place, from 0, of the picture that "image" names by its number; the first without.

    Raises:
        ValueError: if there is no such picture.
    """
    number = arguments.get("image", 1)
    if not images:
        raise ValueError("there is no picture to look at; answer without this tool")
    if isinstance(number, float) and number.is_integer():
        number = int(number)
    if not isinstance(number, int) or isinstance(number, bool) or not 1 <= number <= len(images):
        raise ValueError(f'"image" must be a number from 1 to {len(images)}, got {told(number)}')
    return number - 1


def read_box(value: Any, size: tuple[int, int], coordinates: Coordinates) -> Box:
    """Read [left, top, right, bottom] of a part of a picture.

    Args:
        value: what the model wrote.
        size: width and height of the picture in pixels.
        coordinates: what the numbers count.

    Returns:
        In pixels, within the picture, with at least a part of a pixel inside.

    Raises:
        ValueError: if it is no such box, is empty, or has nothing of the picture inside.
    """
    form = f"[left, top, right, bottom] {COORDINATES[coordinates]}"
    if not (isinstance(value, list | tuple) and len(value) == 4 and all(map(_is_number, value))):
        raise ValueError(f'"box" must be four numbers {form}, got {told(value)}')
    width, height = size
    full = _FULL[coordinates]
    scale = (width / full, height / full) if full else (1.0, 1.0)
    left, top, right, bottom = (float(each) * scale[i % 2] for i, each in enumerate(value))
    if left >= right or top >= bottom:
        raise ValueError(f"the box {told(value)} is empty; give {form}, left < right, top < bottom")
    inside = max(left, 0.0), max(top, 0.0), min(right, float(width)), min(bottom, float(height))
    if inside[0] >= inside[2] or inside[1] >= inside[3]:
        raise ValueError(
            f"the box {told(value)} lies outside the picture of {width} x {height} pixels; "
            f"give {form}"
        )
    return inside


def read_name(arguments: Mapping[str, Any]) -> str | None:
    """Give what the model calls the part, on one line and cut; None where it says nothing."""
    name = arguments.get("name")
    return " ".join(name.split())[:_SHOWN] or None if isinstance(name, str) else None


def widened(box: Box, size: tuple[int, int], *, margin: float, least: int) -> Box:
    """Add a margin to a box, and make it at least so many pixels wide and high.

    Args:
        box: in pixels, within the picture.
        size: width and height of the picture.
        margin: share of the box's own width and height, added on each side.

    Returns:
        Whole pixels within the picture; moved inwards where it would reach beyond.
    """
    edges = [0, 0, 0, 0]
    for axis, whole in enumerate(size):
        low, high = box[axis], box[axis + 2]
        around = (high - low) * margin
        # A margin is cut off at the edge of the picture; what is too small then is moved inwards.
        start, end = max(math.floor(low - around), 0), min(math.ceil(high + around), whole)
        length = max(end - start, min(least, whole))
        start = min(max(start - (length - (end - start)) // 2, 0), whole - length)
        edges[axis], edges[axis + 2] = start, start + length
    return edges[0], edges[1], edges[2], edges[3]


def part_of(image: ImageRef, box: Box) -> ImageRef:
    """Give the part of a picture as a picture of its own, without marks.

    Args:
        image: may be a part itself.
        box: in pixels of what is shown of `image`.
    """
    start = origin(image)
    x0, y0, x1, y1 = (edge * start.unit for edge in box)
    whole = (start.left + x0, start.top + y0, start.left + x1, start.top + y1)
    return replace(image, box=whole, marks=(), sha256=None, phash=None)


def told(value: Any) -> str:
    """Repeat what a model wrote, cut."""
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def _is_number(value: Any) -> bool:
    return (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        # A whole number of hundreds of digits is no float.
        and abs(value) < 1e9
    )
