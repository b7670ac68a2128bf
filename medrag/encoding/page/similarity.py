"""Where on a page the words of a question find their like, and boxes around it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from medrag.encoding.page.patches import PatchGrid
from medrag.extras import require
from medrag.images import page_size
from medrag.records import Box, ImageRef


@dataclass(frozen=True, slots=True, eq=False)
class SimilarityMap:
    """How like each token of a question is to each patch of a page.

    Attributes:
        tokens: texts of the tokens, as the model's tokenizer writes them.
        asked: (n_tokens,); whether a token is of the question itself, and not of what the model
            puts around every question.
        values: (n_tokens, rows, columns) cosines in [-1, 1].
        frame: the part of the page or picture that the patches cover: points for a page of a PDF,
            pixels for a picture; see `medrag.records`.
    """

    tokens: tuple[str, ...]
    asked: NDArray[np.bool_]
    values: NDArray[np.float32]
    frame: Box


class ScoredBox(NamedTuple):
    """A box in the frame's units, fit for a `Region`, and its highest mean similarity."""

    box: Box
    score: float


def similarities(
    question: NDArray[np.float32], page: NDArray[np.float32], grid: PatchGrid
) -> NDArray[np.float32]:
    """Compare vectors of a question with the patches of a page.

    Args:
        question: (n_tokens, d) unit rows.
        page: (grid.n_tokens, d) unit rows, in token order.
        grid: of the page.

    Returns:
        (n_tokens, rows, columns) cosines; the overview of a model with tiles is left out.
    """
    products = question @ page[grid.places.ravel()].T
    maps: NDArray[np.float32] = np.clip(products, -1, 1).reshape(-1, *grid.places.shape)
    return maps


def asked_tokens(
    tokens: NDArray[np.int64], around: NDArray[np.int64], special: Sequence[int]
) -> NDArray[np.bool_]:
    """Tell the tokens of a question from those that the model puts around every one.

    Args:
        tokens: identities of those that the question has.
        around: likewise of an empty question.
        special: identities that are never of a text.

    Returns:
        (len(tokens),).
    """
    start = _n_equal(tokens, around)
    stop = len(tokens) - min(_n_equal(tokens[::-1], around[::-1]), len(tokens) - start)
    places = np.arange(len(tokens))
    found: NDArray[np.bool_] = (places >= start) & (places < stop) & ~np.isin(tokens, special)
    return found


def frame_of(ref: ImageRef, pixels: NDArray[np.uint8]) -> Box:
    """Give the part of a page in points, or of a picture in pixels, that a reference shows."""
    if ref.page is None:
        height, width = pixels.shape[:2]
        left, top = (0.0, 0.0) if ref.box is None else (max(0.0, ref.box[0]), max(0.0, ref.box[1]))
        return (float(left // 1), float(top // 1), left // 1 + width, top // 1 + height)
    width, height = page_size(Path(ref.path), ref.page)
    box = ref.box or (0.0, 0.0, width, height)
    return (max(0.0, box[0]), max(0.0, box[1]), min(width, box[2]), min(height, box[3]))


def boxes(
    found: SimilarityMap,
    *,
    tokens: Sequence[int] | None = None,
    share: float = 0.7,
    at_most: int = 5,
) -> list[ScoredBox]:
    """Box the parts of a page that are most like a question.

    The maps of the tokens are averaged. Patches count whose mean lies at least `share` of the way
    from the least to the greatest mean of the page; those that touch, corners included, are one
    region, and its box holds them all. On a page of one value nothing stands out.

    Args:
        found: the maps.
        tokens: indices of the tokens that count; None for those that were asked.
        share: in (0, 1]; the higher, the smaller the boxes.
        at_most: boxes.

    Returns:
        Best first, of equal ones the topmost and leftmost.

    Raises:
        ValueError: if there are no such tokens, or a number is out of its range.
    """
    if not 0 < share <= 1:
        raise ValueError(f"share must be above 0 and at most 1, got {share}")
    if at_most < 1:
        raise ValueError(f"at_most must be at least 1, got {at_most}")
    chosen = np.flatnonzero(found.asked) if tokens is None else np.asarray(tokens, dtype=np.int64)
    if not len(chosen) or not np.all((chosen >= 0) & (chosen < len(found.tokens))):
        raise ValueError(
            f"tokens must be indices of the {len(found.tokens)} tokens of the question, at least "
            f"one, got {chosen.tolist()}"
        )
    mean = found.values[chosen].astype(np.float64).mean(axis=0)
    low, high = float(mean.min()), float(mean.max())
    if high == low:
        return []
    regions = _regions(mean >= low + share * (high - low))
    scored = [
        ScoredBox(_box(region, mean.shape, found.frame), _peak(mean, region)) for region in regions
    ]
    return sorted(scored, key=lambda one: (-one.score, one.box[1], one.box[0]))[:at_most]


# Rows and columns of a region of patches, ends excluded.
_Slices = tuple[slice, slice]


def _regions(marked: NDArray[np.bool_]) -> list[tuple[_Slices, NDArray[np.bool_]]]:
    """Find connected patches: the extent of each region, and which patches in it are of it."""
    measure = require("skimage.measure")
    labels = measure.label(marked, connectivity=2)
    return [(region.slice, region.image) for region in measure.regionprops(labels)]


def _peak(mean: NDArray[np.float64], region: tuple[_Slices, Any]) -> float:
    extent, inside = region
    return float(mean[extent][inside].max())


def _box(region: tuple[_Slices, Any], shape: tuple[int, ...], frame: Box) -> Box:
    (down, across), _ = region
    left, top, right, bottom = frame
    width, height = (right - left) / shape[1], (bottom - top) / shape[0]
    # The last edge is the frame's own: a sum of steps may pass it by a bit.
    return (
        left + across.start * width,
        top + down.start * height,
        right if across.stop == shape[1] else left + across.stop * width,
        bottom if down.stop == shape[0] else top + down.stop * height,
    )


def _n_equal(one: NDArray[np.int64], two: NDArray[np.int64]) -> int:
    """Count how many values two sequences begin with alike."""
    n = min(len(one), len(two))
    return int(np.argmin(np.append(one[:n] == two[:n], False)))
