"""Places in a question's pictures: those asked about and those of the answer, drawn over them.

The drawing is SVG above the picture, in the pixels of the original: it stays sharp at any size,
and each place can be read by its title. What was asked about is blue, dashed and lettered, what
the answer names orange and numbered, so that no colour alone tells the two apart; each line lies
on a dark one, so that it is seen on white bone and black air alike.
"""

import base64
import io
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from string import ascii_uppercase
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from medrag.errors import MedragError
from medrag.images.pointing import mask_box, read_mask
from medrag.records import Box, ImageRef, QuestionRegion
from medrag.reporting.markup import Html, element
from medrag.reporting.words import shortened

Who = Literal["asked", "answer", "step"]

# More tags than these would cover the picture.
_MOST_TAGS = 15
_MOST_LISTED = 12
_MASK_LONGEST = 480
_LABEL_CHARACTERS = 60
# Sides of the picture, in which a tag is one line of text and a point is a ring.
_TAG = 19
_RING = 40
_TOLD = {"asked": "asked about", "answer": "of the answer", "step": "found by this step"}
_TINT = (76, 190, 255, 110)


@dataclass(frozen=True, slots=True)
class Outline:
    """One place to draw.

    Attributes:
        who: who named it.
        tag: what is written beside it; empty for nothing.
        mask: a data URI of the pixels meant, of the size of the picture; None without.
        problem: why it cannot be drawn; empty if it can.
    """

    who: Who
    tag: str
    label: str = ""
    box: Box | None = None
    point: tuple[float, float] | None = None
    mask: str | None = None
    problem: str = ""


def outlines_of(
    regions: Sequence[QuestionRegion],
    number: int,
    who: Who,
    *,
    image: ImageRef | None = None,
    size: tuple[int, int] | None = None,
) -> tuple[Outline, ...]:
    """Prepare the places of one picture; their tags count all regions.

    Args:
        number: of the picture, from 0.
        image: the picture, with an absolute path, and its size in pixels: what a mask needs.
    """
    outlines = []
    for place, region in enumerate(regions):
        if region.image != number:
            continue
        label = " ".join((region.name or "").split())[:_LABEL_CHARACTERS]
        outline = Outline(who, _tag(who, place), label, region.box, region.point)
        if region.mask is not None:
            outlines.append(_masked(outline, region.mask, image, size))
        elif region.box is not None or region.point is not None:
            outlines.append(outline)
    return tuple(outlines)


def overlay(outlines: Sequence[Outline], size: tuple[int, int]) -> Html:
    """Draw places over a picture; nothing where there is none.

    Args:
        size: width and height of the original picture, whose pixels the places count.
    """
    drawn = [each for each in outlines if not each.problem]
    if not drawn:
        return Html("")
    tagged = len(drawn) <= _MOST_TAGS
    shapes = [_shape(each, size) for each in drawn]
    # After all shapes, or the lines of one would cross out the tag of another.
    shapes += [_tag_of(each, size) for each in drawn if each.tag and tagged]
    told = "; ".join(map(outline_words, drawn[:_MOST_LISTED])) + _more(drawn)
    return element(
        "svg",
        element("title", "Places in the picture"),
        element("desc", told),
        *shapes,
        class_="overlay",
        role="img",
        viewBox=f"0 0 {size[0]} {size[1]}",
        preserveAspectRatio="none",
    )


def legend(outlines: Sequence[Outline]) -> Html:
    """List places below their picture; where they are too many for tags, by their names."""
    if not outlines:
        return Html("")
    listed = outlines if len(outlines) <= _MOST_TAGS else ()
    entries = [
        element(
            "li",
            element("b", each.tag, class_="tag") if each.tag else "",
            outline_words(replace(each, tag="")),
            class_=f"place-{each.who}",
        )
        for each in listed
    ]
    if not listed:
        entries = [
            element("li", element("b", str(n), class_="tag"), words, class_=f"place-{who}")
            for (who, words), n in _counted(outlines).most_common(_MOST_LISTED)
        ]
    return element("ul", *entries, class_="places", aria_label="Places in the picture")


def outline_words(outline: Outline) -> str:
    """Say who named a place, what it is called and where it lies."""
    where = outline.problem
    if not where and outline.mask is not None:
        where = "outlined area"
    elif not where and outline.box is not None:
        where = "box ({:.0f}, {:.0f}) to ({:.0f}, {:.0f})".format(*outline.box)
    elif not where and outline.point is not None:
        where = "point ({:.0f}, {:.0f})".format(*outline.point)
    parts = [f"{outline.tag}:" if outline.tag else "", outline.label and f"{outline.label},", where]
    return f"{' '.join(filter(None, parts))}, {_TOLD[outline.who]}"


def _tag(who: Who, place: int) -> str:
    if who != "asked":
        return str(place + 1)
    return ascii_uppercase[place] if place < len(ascii_uppercase) else ""


def _more(outlines: Sequence[Outline]) -> str:
    left = len(outlines) - _MOST_LISTED
    return f"; {left} more place{'s' if left > 1 else ''}" if left > 0 else ""


def _counted(outlines: Sequence[Outline]) -> Counter[tuple[Who, str]]:
    return Counter((each.who, f"{each.label or 'places'}, {_TOLD[each.who]}") for each in outlines)


def _masked(
    outline: Outline, mask: str, image: ImageRef | None, size: tuple[int, int] | None
) -> Outline:
    try:
        if image is None or size is None:
            return replace(outline, problem="an outlined area that is not shown")
        held = read_mask(mask, image, size)
    except (MedragError, OSError) as error:
        return replace(outline, problem=f"an outlined area that cannot be shown: {error}")
    return replace(outline, mask=_mask_uri(held), box=mask_box(held))


def _mask_uri(mask: NDArray[np.bool_]) -> str:
    """Give a mask as a tinted picture that is clear elsewhere."""
    from PIL import Image

    shade = Image.fromarray(mask.astype(np.uint8) * 255)
    scale = min(1.0, _MASK_LONGEST / max(shade.size))
    small = shade.resize((max(1, round(shade.width * scale)), max(1, round(shade.height * scale))))
    tinted = Image.new("RGBA", small.size, (*_TINT[:3], 0))
    tinted.putalpha(small.point(lambda value: value * _TINT[3] // 255))
    out = io.BytesIO()
    tinted.save(out, "PNG", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(out.getvalue()).decode('ascii')}"


def _shape(outline: Outline, size: tuple[int, int]) -> Html:
    pieces: list[Html] = [element("title", outline_words(outline))]
    if outline.mask is not None:
        pieces.append(element("image", href=outline.mask, width=size[0], height=size[1],
                              preserveAspectRatio="none"))  # fmt: skip
    elif outline.box is not None:
        x0, y0, x1, y1 = outline.box
        place = {"x": f"{x0:g}", "y": f"{y0:g}", "width": f"{x1 - x0:g}", "height": f"{y1 - y0:g}"}
        pieces += [element("rect", class_=kind, **place) for kind in ("halo", "line")]
    elif outline.point is not None:
        x, y = outline.point
        ring = {"cx": f"{x:g}", "cy": f"{y:g}", "r": f"{max(size) / _RING:.1f}"}
        pieces += [element("circle", class_=kind, **ring) for kind in ("halo", "line")]
    return element("g", *pieces, class_=f"place-{outline.who}")


def _tag_of(outline: Outline, size: tuple[int, int]) -> Html:
    """Write a tag at the upper left corner of a place: above it, or within where there is no room.

    What the answer names has its tag at the upper right corner, as the two are often about one
    place.
    """
    height = max(size) / _TAG
    width = height * (0.5 + 0.6 * len(outline.tag))
    box = outline.box
    if box is None:
        x, y = outline.point or (0.0, 0.0)
        reach = max(size) / _RING
        box = (x - reach, y - reach, x + reach, y + reach)
    left = box[0] if outline.who == "asked" else box[2] - width
    top = box[1] - height if box[1] >= height else box[1]
    left = min(max(0.0, left), max(0.0, size[0] - width))
    top = min(max(0.0, top), max(0.0, size[1] - height))
    plate = element("rect", class_="plate", x=f"{left:.1f}", y=f"{top:.1f}", width=f"{width:.1f}",
                    height=f"{height:.1f}", rx=f"{height / 6:.1f}")  # fmt: skip
    words = element(
        "text", outline.tag, x=f"{left + width / 2:.1f}", y=f"{top + height * 0.76:.1f}",
        font_size=f"{height * 0.78:.1f}",
    )  # fmt: skip
    return element("g", plate, words, class_=f"place-{outline.who}", aria_hidden="true")


def region_names(regions: Sequence[QuestionRegion]) -> str:
    """List what regions without a place are called, for the words about a question."""
    named = [
        shortened(region.name, _LABEL_CHARACTERS)
        for region in regions
        if region.name and region.box is None and region.point is None and region.mask is None
    ]
    return ", ".join(named)
