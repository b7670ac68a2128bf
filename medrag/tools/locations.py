"""Boxes as Florence-2 writes them, and the way from the square it was shown back to the picture."""

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from medrag.extras import require
from medrag.records import Box

BINS = 1000
_PHRASE = re.compile(r"(?P<words>[^<]*)(?P<places>(?:<loc_[0-9]+>)+)")
_PLACE = re.compile(r"<loc_([0-9]+)>")
# Written around phrases by some tasks; a tag of any other name may be a part of no phrase either.
_TAG = re.compile(r"</?(?!loc_)[A-Za-z_]+>")
_LONGEST_NAME = 200


@dataclass(frozen=True, slots=True)
class Located:
    """A phrase and one box of it, in shares of the width and height of what was shown."""

    phrase: str
    box: Box


def read_locations(text: str) -> list[Located]:
    """Read the boxes of a text such as "effusion<loc_10><loc_20><loc_500><loc_600>".

    Four places are a box: left, top, right, bottom, each the middle of one of 1,000 bins. Several
    boxes may follow one phrase. Places beyond the bins, boxes without an inside, and places that
    are left over after the last four are dropped.
    """
    found = []
    for match in _PHRASE.finditer(_TAG.sub("", text)):
        phrase = " ".join(match["words"].split()).strip(" .,;")[:_LONGEST_NAME]
        # Long digits are no bin, and Python refuses to read endless ones.
        places = [int(each[:6]) for each in _PLACE.findall(match["places"])]
        for start in range(0, len(places) - 3, 4):
            left, top, right, bottom = places[start : start + 4]
            if left < right < BINS and top < bottom < BINS:
                shares = [(each + 0.5) / BINS for each in (left, top, right, bottom)]
                found.append(Located(phrase, (shares[0], shares[1], shares[2], shares[3])))
    return found


@dataclass(frozen=True, slots=True)
class Square:
    """A picture in the middle of a black square.

    Attributes:
        pixels: (side, side, 3) RGB.
        scale: pixels of the square for one of the picture.
        left, top: where the picture begins in it.
        size: width and height of the picture.
    """

    pixels: NDArray[np.uint8]
    scale: float
    left: int
    top: int
    size: tuple[int, int]


def squared(pixels: NDArray[np.uint8], side: int) -> Square:
    """Scale a picture so that its longer side fills a square, and put black on both other sides.

    Args:
        pixels: (h, w, 3) RGB.

    Source:
        The preparation of AG-KD, arXiv 2508.04572.
    """
    library = require("PIL.Image")
    height, width = pixels.shape[:2]
    scale = side / max(height, width)
    new = max(1, round(width * scale)), max(1, round(height * scale))
    small = library.fromarray(pixels).resize(new, library.Resampling.BILINEAR)
    left, top = (side - new[0]) // 2, (side - new[1]) // 2
    square = np.zeros((side, side, 3), dtype=np.uint8)
    square[top : top + new[1], left : left + new[0]] = np.asarray(small)
    return Square(square, scale, left, top, (width, height))


def in_picture(box: Box, square: Square) -> Box | None:
    """Give a box of the square in pixels of the picture; None where it lies on the black alone.

    Args:
        box: in shares of the square's sides.
    """
    side, (width, height) = square.pixels.shape[0], square.size
    x0, x1 = ((box[i] * side - square.left) / square.scale for i in (0, 2))
    y0, y1 = ((box[i] * side - square.top) / square.scale for i in (1, 3))
    left, top, right, bottom = max(x0, 0.0), max(y0, 0.0), min(x1, width), min(y1, height)
    if left >= right or top >= bottom:
        return None
    return float(left), float(top), float(right), float(bottom)
