"""Boxes and points that a model writes, as places in the pictures that it was asked about.

A box lies in the picture that its JSON or the words before it name ("image 2:"); where several
pictures were shown and none is named, it is left out, for a box on the wrong picture is worse than
none. `written_places` lists the forms that are read.
"""

import math
from bisect import bisect_left
from collections.abc import Sequence
from typing import Literal, NamedTuple

# Those who read regions read quantities, too.
from medrag.generation.quantities import quantities_of as quantities_of
from medrag.generation.written import Place, named_images, written_places
from medrag.records import QuestionRegion

Convention = Literal["original", "resized", "unit", "thousand"]
CONVENTIONS: tuple[Convention, ...] = ("original", "resized", "unit", "thousand")

_FULL = {"unit": 1.0, "thousand": 1000.0}
# Numbers may leave their scale by so much of it; beyond, they are on another scale.
_BEYOND = 0.1
_EDGE = 0.01
_LABEL_CHARACTERS = 200


class Shown(NamedTuple):
    """The size of a picture, and that at which the model saw it; in pixels."""

    width: float
    height: float
    seen_width: float
    seen_height: float


def regions_of(
    text: str, convention: Convention, shown: Sequence[Shown | None], *, n_evidence: int = 20
) -> tuple[QuestionRegion, ...]:
    """Read the places that an answer gives, in original pixels; see `written_places`.

    Args:
        convention: what the model's numbers mean where their form does not say it: pixels of the
            original picture, or of the picture as the model saw it, shares of its sides, or
            thousandths.
        shown: the pictures of the question, in order; None for one that the model was not shown.
        n_evidence: markers 1 to this mean evidence; a bare list of such numbers is no box.

    Returns:
        In the order written, each once, clipped to their picture, the first corner of a box above
        and left of the second. `QuestionRegion.name` is the label, if there is one. What is empty,
        not finite or outside of its scale or picture is left out.

    Raises:
        ValueError: if the convention is unknown, or a size is not positive.
    """
    if convention not in CONVENTIONS:
        raise ValueError(f"unknown convention {convention!r}; known are {', '.join(CONVENTIONS)}")
    for each in filter(None, shown):
        if not min(each) > 0:
            raise ValueError(f"a picture must have a size, got {tuple(each)}")
    places = written_places(text, n_evidence=n_evidence)
    named = named_images(text)
    # A model counts as it was told, from 1, or as programs do.
    first = 0 if any(place.image == 0 for place in places) else 1
    found: dict[tuple[object, ...], QuestionRegion] = {}
    for place in places:
        image = _image(place, named, first, shown)
        size = None if image is None else shown[image]
        region = None if image is None or size is None else _region(place, image, convention, size)
        if region is not None:
            key = (region.image, region.box, region.point)
            if key not in found or not found[key].name:
                found[key] = region
    return tuple(found.values())


def _image(
    place: Place, named: Sequence[tuple[int, int]], first: int, shown: Sequence[Shown | None]
) -> int | None:
    """Tell which picture a place lies in; None where that cannot be told."""
    number = None if place.image is None else place.image - first
    if number is None:
        before = bisect_left(named, (place.start, -1))
        number = named[before - 1][1] - 1 if before else None
    if number is None:
        seen = [place for place, each in enumerate(shown) if each is not None]
        number = seen[0] if len(seen) == 1 else -1
    return number if 0 <= number < len(shown) else None


def _region(
    place: Place, image: int, convention: Convention, shown: Shown
) -> QuestionRegion | None:
    full = place.full or _FULL.get(convention)
    numbers = place.numbers
    if not all(map(math.isfinite, numbers)):
        return None
    if full is not None:
        if min(numbers) < -_BEYOND * full or max(numbers) > (1 + _BEYOND) * full:
            return None
        scale = (shown.width / full, shown.height / full)
    elif convention == "resized":
        scale = (shown.width / shown.seen_width, shown.height / shown.seen_height)
    else:
        scale = (1.0, 1.0)
    xs = sorted(_clipped(each * scale[0], shown.width) for each in numbers[::2])
    ys = sorted(_clipped(each * scale[1], shown.height) for each in numbers[1::2])
    name = " ".join(place.label.split())[:_LABEL_CHARACTERS] or None
    if len(numbers) == 2:
        inside = _is_inside(numbers[0] * scale[0], shown.width)
        inside = inside and _is_inside(numbers[1] * scale[1], shown.height)
        return QuestionRegion(image, point=(xs[0], ys[0]), name=name) if inside else None
    if xs[0] == xs[1] or ys[0] == ys[1]:
        return None
    return QuestionRegion(image, box=(xs[0], ys[0], xs[1], ys[1]), name=name)


def _clipped(value: float, size: float) -> float:
    return min(max(0.0, value), float(size))


def _is_inside(value: float, size: float) -> bool:
    """Tell whether a point lies in the picture, or beyond its edge by no more than rounding."""
    return -_EDGE * size <= value <= (1 + _EDGE) * size
