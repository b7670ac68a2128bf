"""Which token of a page model sees which part of the picture."""

from dataclasses import dataclass
from math import isqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class PatchGrid:
    """The patches of one picture, by their places among its picture tokens.

    Attributes:
        places: (rows, columns); which picture token sees the patch, from 0. Every row is as high
            as another, and every column as wide: together they are the whole picture.
        overview: (rows, columns) of the tokens that see the whole picture once more, coarsely;
            None for a model that does not.
    """

    places: NDArray[np.int64]
    overview: NDArray[np.int64] | None = None

    @property
    def n_tokens(self) -> int:
        """Count the picture tokens."""
        return int(self.places.size + (0 if self.overview is None else self.overview.size))


def patch_grid(processor: Any, height: int, width: int) -> PatchGrid:
    """Find how the processor of a model cuts a picture of a size into patches.

    The families that transformers 5 knows differ:

    - ColPali (PaliGemma) squeezes any picture into one square of square patches;
    - ColQwen2 and its like choose a grid by the shape of the picture and merge patches 2 x 2;
    - ColModernVBERT (Idefics3) stretches the picture to whole tiles, row by row, each of them a
      square of patches in its own token order, and adds all of it once more as one last tile.

    Args:
        processor: of transformers; it is asked with a blank picture where the size decides.
        height: in pixels.
        width: in pixels.

    Raises:
        ValueError: if the processor is of none of these families.
    """
    cutter = processor.image_processor
    if hasattr(cutter, "merge_size"):
        blank = cutter(images=[_blank(height, width)], return_tensors="pt")
        _, rows, columns = (int(n) for n in blank["image_grid_thw"][0])
        merged = int(cutter.merge_size)
        return PatchGrid(_square(rows // merged, columns // merged))
    if hasattr(cutter, "do_image_splitting"):
        # Asked, not computed: get_number_of_image_patches of transformers 5.23 is wrong where the
        # longest edge is no multiple of a tile.
        blank = cutter(
            images=[[_blank(height, width)]], return_row_col_info=True, return_tensors="pt"
        )
        side = isqrt(int(processor.image_seq_len))
        return tiled_grid(int(blank["rows"][0][0]), int(blank["cols"][0][0]), side)
    n_tokens = int(getattr(processor, "image_seq_length", 0))
    if n_tokens < 1 or isqrt(n_tokens) ** 2 != n_tokens:
        raise ValueError(
            f"{type(processor).__name__} does not say how it cuts a picture into patches; expected "
            "the processor of a ColPali, ColQwen2 or ColModernVBERT model"
        )
    return PatchGrid(_square(isqrt(n_tokens), isqrt(n_tokens)))


def tiled_grid(rows: int, columns: int, side: int) -> PatchGrid:
    """Lay out tiles of side x side patches, followed by one tile of the whole picture.

    Args:
        rows: of tiles; 0 (with 0 columns) for a picture that is one tile, and nothing else.
        columns: of tiles.
        side: patches along each side of a tile.
    """
    if rows * columns == 0:
        return PatchGrid(_square(side, side))
    tokens = np.arange(rows * columns * side * side, dtype=np.int64)
    # (tile row, tile column, row, column) to (tile row, row, tile column, column).
    spread = tokens.reshape(rows, columns, side, side).transpose(0, 2, 1, 3)
    places = np.ascontiguousarray(spread).reshape(rows * side, columns * side)
    return PatchGrid(places, tokens.size + _square(side, side))


def _square(rows: int, columns: int) -> NDArray[np.int64]:
    return np.arange(rows * columns, dtype=np.int64).reshape(rows, columns)


def _blank(height: int, width: int) -> NDArray[np.uint8]:
    return np.zeros((height, width, 3), dtype=np.uint8)
