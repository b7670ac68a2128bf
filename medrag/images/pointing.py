"""What a question points at, as pictures to look at and as words.

A model takes a place best from a picture with the place outlined, and a small thing best from a
crop of it; both are references to the question's own picture, so that nothing is stored.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from medrag.errors import InputFileError
from medrag.images.reading import read_image
from medrag.records import Box, ImageRef, Question, QuestionRegion

# Of the shorter side of a picture: what is shown around a point.
_AROUND_POINT = 0.05
# Of a side of a picture: a box that reaches over its edge by no more was rounded, and is cut there.
_EDGE = 0.01
# Of the greatest value of a mask: nearer to it, or to 0, than this is what lossy saving does.
_NOISE = 0.2
# The white of a mask is far above the numbers that a tool gives to structures.
_MOST_LABEL = 63


@dataclass(frozen=True, slots=True)
class RegionView:
    """One region of a question, ready to be shown.

    Attributes:
        number: as it is drawn onto `marked`, from 1 in each picture; None where it is not drawn.
        box: the place in pixels of the picture: a box itself, about a point, or about a mask.
        marked: the picture with all that the question points at in it outlined.
        words: which part is meant, for those who only read.
    """

    region: QuestionRegion
    number: int | None
    box: Box | None
    marked: ImageRef | None
    words: str


@dataclass(frozen=True, slots=True)
class _Found:
    box: Box
    size: tuple[int, int]
    share: float


def region_views(question: Question) -> tuple[RegionView, ...]:
    """Prepare what a question points at, in the order of its regions.

    A region that has a name alone is told in words.

    Args:
        question: prepared: its images are `ImageRef` with absolute paths. A mask is a picture, or
            for a slice of a scan a scan, of the size of its picture.

    Raises:
        ValueError: if a region names a picture that the question does not have, has no place and
            no name or several places, or lies outside its picture; names the region.
        InputFileError: if a picture or a mask cannot be read, or a mask is empty, has more than
            two values, or is of another size than its picture.
    """
    found = _all_found(question)
    marked, numbers = _marked(question, found)
    return tuple(
        RegionView(
            region,
            numbers[place],
            each.box if each else None,
            marked.get(region.image) if each else None,
            _words(region, each),
        )
        for place, (region, each) in enumerate(zip(question.regions, found, strict=True))
    )


def pointed_images(question: Question, views: Sequence[RegionView]) -> tuple[ImageRef, ...]:
    """Give the pictures of a question, those that it points at with the places outlined."""
    marked = {view.region.image: view.marked for view in views if view.marked is not None}
    images = (each for each in question.images if isinstance(each, ImageRef))
    return tuple(marked.get(number, image) for number, image in enumerate(images))


def unmarked(image: ImageRef) -> ImageRef:
    """Give a picture without marks and hashes: equal for the plain and the pointed picture."""
    return replace(image, marks=(), sha256=None, phash=None)


def with_marks(image: ImageRef, boxes: Sequence[Box]) -> ImageRef:
    """Give a picture with further boxes drawn onto it, in pixels of what is shown of it."""
    return replace(image, marks=(*image.marks, *boxes), sha256=None, phash=None)


def shown_size(image: ImageRef) -> tuple[int, int]:
    """Measure a picture as it is shown: width and height in pixels.

    Raises:
        InputFileError: if it cannot be read.
    """
    height, width = read_image(unmarked(image)).shape[:2]
    return width, height


def check_regions(question: Question) -> None:
    """Refuse regions that make no sense.

    Raises:
        ValueError, InputFileError: as `region_views`.
    """
    _all_found(question)


def mask_box(mask: NDArray[np.bool_]) -> Box:
    """Give the box about what a mask holds.

    Args:
        mask: (h, w), not all false.
    """
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return (float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1))


def read_mask(path: str, image: ImageRef, size: tuple[int, int]) -> NDArray[np.bool_]:
    """Read which pixels of a picture a mask means: those that are not black.

    Args:
        path: of a picture; or of a scan, of which the slice is taken that `image` is.
        image: the picture that the mask belongs to.
        size: width and height of the picture.

    Returns:
        (h, w).

    Raises:
        InputFileError: as `region_views`.
    """
    pixels = read_image(ImageRef(path, axis=image.axis, slice=image.slice)).max(axis=2)
    found = (pixels.shape[1], pixels.shape[0])
    if found != size:
        raise InputFileError(
            Path(path),
            f"is a mask of {found[0]} x {found[1]} pixels, and its picture has {size[0]} x "
            f"{size[1]}; save the mask at the size of the picture",
        )
    most = int(pixels.max())
    if most == 0:
        raise InputFileError(Path(path), "is a mask that is all black; paint what is meant white")
    share = pixels.astype(np.float32) / most
    held: NDArray[np.bool_] = share > 0.5
    n_shaded = int(((share > _NOISE) & (share < 1 - _NOISE)).sum())
    # Small numbers are labels, and of several nobody said which one is meant.
    labelled = most <= _MOST_LABEL and bool(((pixels > 0) & (pixels < most)).any())
    # A few shades stand along edges, where a mask was stretched or saved with loss.
    if labelled or n_shaded > max(0.01 * share.size, 0.25 * int(held.sum())):
        raise InputFileError(
            Path(path),
            "is a mask of several shades; what is meant must be white and all else black",
        )
    return held


def _all_found(question: Question) -> list[_Found | None]:
    sizes: dict[int, tuple[int, int]] = {}
    found: list[_Found | None] = []
    for number, region in enumerate(question.regions, start=1):
        called = f"region {number}"
        if not _has_place(question, region, called):
            found.append(None)
            continue
        image = _image(question, region)
        if region.image not in sizes:
            sizes[region.image] = shown_size(image)
        size = sizes[region.image]
        if region.mask is not None:
            mask = read_mask(region.mask, image, size)
            found.append(_Found(mask_box(mask), size, float(mask.mean())))
        else:
            found.append(_inside(region, called, size))
    return found


def _has_place(question: Question, region: QuestionRegion, called: str) -> bool:
    """Tell whether a region is more than a name, and refuse what is neither."""
    n_images = len(question.images)
    if not 0 <= region.image < n_images:
        has = f"{n_images} picture{'' if n_images == 1 else 's'}"
        raise ValueError(f"{called} lies in picture {region.image + 1}, but the question has {has}")
    places = [each for each in (region.box, region.point, region.mask) if each is not None]
    if len(places) > 1 or not (places or (region.name or "").strip()):
        raise ValueError(f"{called} must be one of a box, a point and a mask, or have a name")
    return bool(places)


def _image(question: Question, region: QuestionRegion) -> ImageRef:
    image = question.images[region.image]
    return image if isinstance(image, ImageRef) else ImageRef(str(image))


def _inside(region: QuestionRegion, called: str, size: tuple[int, int]) -> _Found:
    width, height = size
    picture = f"picture {region.image + 1} of {width} x {height} pixels"
    if region.point is not None:
        x, y = region.point
        if not (0 <= x <= width and 0 <= y <= height):
            raise ValueError(f"{called}, the point ({x:g}, {y:g}), lies outside {picture}")
        reach = max(2.0, _AROUND_POINT * min(size))
        box = (max(0, x - reach), max(0, y - reach), min(width, x + reach), min(height, y + reach))
        return _Found(box, size, 0.0)
    x0, y0, x1, y1 = region.box or (0.0, 0.0, 0.0, 0.0)
    written = f"the box ({x0:g}, {y0:g}, {x1:g}, {y1:g})"
    if not (x0 < x1 and y0 < y1):
        raise ValueError(f"{called}, {written}, is empty; expected x0 < x1 and y0 < y1")
    beyond = max(-x0 / width, -y0 / height, x1 / width - 1, y1 / height - 1)
    inside = (max(0.0, x0), max(0.0, y0), min(float(width), x1), min(float(height), y1))
    across, down = inside[2] - inside[0], inside[3] - inside[1]
    if beyond > _EDGE or across <= 0 or down <= 0:
        raise ValueError(f"{called}, {written}, reaches outside {picture}")
    return _Found(inside, size, across * down / (width * height))


def _marked(
    question: Question, found: Sequence[_Found | None]
) -> tuple[dict[int, ImageRef], list[int | None]]:
    """Outline the places of each picture, and say which number each has there."""
    boxes: dict[int, list[Box]] = {}
    numbers: list[int | None] = []
    for region, each in zip(question.regions, found, strict=True):
        drawn = boxes.setdefault(region.image, [])
        if each is not None:
            drawn.append(each.box)
        numbers.append(None if each is None else len(drawn))
    marked = {}
    for region in question.regions:
        if drawn := boxes[region.image]:
            marked[region.image] = with_marks(_image(question, region), drawn)
    return marked, numbers


def _words(region: QuestionRegion, found: _Found | None) -> str:
    """Say which part is meant: what it is called, where it lies, and how much of the picture."""
    place = f"picture {region.image + 1}"
    name = " ".join((region.name or "").split())
    said = f"{name}: " if name else ""
    if found is None:
        return f"{name} in {place}"
    corners = "({:.0f}, {:.0f}) to ({:.0f}, {:.0f})".format(*found.box)
    if region.point is not None:
        return f"{said}the point ({region.point[0]:.0f}, {region.point[1]:.0f}) in {place}"
    share = f"{found.share:.1%}" if found.share < 0.1 else f"{found.share:.0%}"
    if region.mask is not None:
        return f"{said}an outlined area, {share} of {place}, within the box from {corners}"
    return f"{said}the box from {corners} in {place}, {share} of it"
