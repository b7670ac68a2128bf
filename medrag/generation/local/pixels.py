"""How many pixels an image processor of transformers makes of a picture, and how to have it fewer.

By patches (Qwen-VL) each picture has a size of its own within bounds; by tiles (Idefics3, SmolVLM)
the longest edge of all is the same; others have one fixed size (Gemma 3, LLaVA). A bound for one
picture alone none of them has: it is made smaller before.
"""

from collections.abc import Mapping, Sequence
from math import floor, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

# The Qwen-VL processors refuse a picture that is longer than this against its width.
THINNEST = 200


def by_patches(images: Any) -> bool:
    """Tell whether a processor gives each picture a size of its own, within bounds of pixels."""
    return hasattr(images, "merge_size") and {"shortest_edge", "longest_edge"} <= {*_size(images)}


def own_least(images: Any) -> int | None:
    """Say to how many pixels a processor enlarges what has fewer; None if that is not known.

    Below it a picture takes no fewer tokens, and shows less.
    """
    size = _size(images)
    if by_patches(images):
        return int(size["shortest_edge"])
    if _tile(images):
        return int(size["longest_edge"]) ** 2
    fixed = dict(getattr(images, "crop_size", None) or {}) or size
    sides = [fixed.get("height"), fixed.get("width")]
    return int(sides[0] * sides[1]) if sides[0] and sides[1] else None


def bounds(images: Any, least: int | None, most: int | None) -> dict[str, int]:
    """Give the `size` that a processor is told for all pictures of a prompt.

    Args:
        least, most: pixels of a picture; None for the processor's own. Where they contradict each
            other, the most holds.

    Returns:
        Empty where it takes none, or is to keep its own.
    """
    size = _size(images)
    if by_patches(images):
        longest = int(most or size["longest_edge"])
        shortest = int(least or size["shortest_edge"])
        return {"shortest_edge": min(shortest, longest), "longest_edge": longest}
    tile = _tile(images)
    if most is None or not tile:
        return {}
    return {"longest_edge": min(int(size["longest_edge"]), max(1, int(sqrt(most)) // tile) * tile)}


def within(images: Any, size: tuple[int, int], cap: int | None) -> tuple[int, int]:
    """Say how high and wide a picture is to be given to a processor so that it has fewer pixels.

    By patches it is the size to which the processor would bring it, so that it is resized once.

    Args:
        size: height and width.
        cap: pixels; None for no bound beside the processor's.
    """
    height, width = size
    side = images.patch_size * images.merge_size if by_patches(images) else 1
    rounded = [max(side, round(each / side) * side) for each in size]
    if cap is None or rounded[0] * rounded[1] <= cap:
        return height, width
    scale = sqrt(cap / (height * width))
    lower = [max(side, floor(each * scale / side) * side) for each in size]
    # Of a thin picture the one side cannot be less, so the other has to be.
    longer = 0 if height > width else 1
    lower[longer] = min(lower[longer], max(side, cap // lower[1 - longer] // side * side))
    return lower[0], lower[1]


def squared(pixels: NDArray[np.uint8], images: Any) -> NDArray[np.uint8]:
    """Fill a picture up to a square with the mean colour, so that no edge of it is cut off.

    Source:
        Li et al., LLaVA-Med, NeurIPS 2023, as its evaluation prepares pictures.
    """
    height, width = pixels.shape[:2]
    side = max(height, width)
    colour = np.asarray([int(255 * each) for each in images.image_mean], dtype=np.uint8)
    square = np.broadcast_to(colour, (side, side, 3)).copy()
    top, left = (side - height) // 2, (side - width) // 2
    square[top : top + height, left : left + width] = pixels
    return square


def seen(
    images: Any,
    pictures: Sequence[NDArray[np.uint8]],
    tensors: Mapping[str, Any],
    told: Mapping[str, int],
) -> list[tuple[int, int]]:
    """Say how high and wide a model sees each picture that was given to its processor.

    Args:
        tensors: what the processor made of them.
        told: the `bounds` that it was told.
    """
    if (grid := tensors.get("image_grid_thw")) is not None:
        patch = images.patch_size
        return [(int(rows) * patch, int(columns) * patch) for _, rows, columns in grid.tolist()]
    if tile := _tile(images):
        given = {"size": told} if told else {}
        splits = [images.get_number_of_image_patches(*each.shape[:2], given) for each in pictures]
        return [(max(1, rows) * tile, max(1, columns) * tile) for _, rows, columns in splits]
    values = tensors.get("pixel_values")
    if values is not None and values.ndim == 4 and len(values) == len(pictures):
        return [(int(values.shape[2]), int(values.shape[3]))] * len(pictures)
    return [(each.shape[0], each.shape[1]) for each in pictures]


def _size(images: Any) -> dict[str, Any]:
    return {key: each for key, each in dict(images.size or {}).items() if each}


def _tile(images: Any) -> int:
    """Give the side of a tile; 0 where pictures are not cut into tiles of one longest edge."""
    edge = getattr(images, "max_image_size", None)
    return int(edge["longest_edge"]) if edge and "longest_edge" in _size(images) else 0
