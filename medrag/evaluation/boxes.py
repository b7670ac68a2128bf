"""Measures of places: boxes in the plane and in space, masks and points.

A box is (x0, y0, x1, y1), or (x0, y0, z0, x1, y1, z1) in space; coordinates grow to the right and
down. An item with neither a reference nor a predicted box is right (1): nothing is there, and
nothing was said to be; with one of the two only, it is wrong (0). Whether an answer said so, or
could not be read, is for the caller to tell.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from medrag.evaluation.statistics import WeightedStatistic

Floats = NDArray[np.float64]
Scale = Literal["pixels", "unit", "thousand"]
Layout = Literal["corners", "size"]

_FULL: dict[str, float] = {"unit": 1.0, "thousand": 1000.0}


@dataclass(frozen=True, slots=True)
class MatchedPoints:
    """Points found: pairs within reach, and how many there were on either side."""

    n_matched: int
    n_predicted: int
    n_reference: int


def to_pixels(
    boxes: ArrayLike,
    *,
    width: float,
    height: float,
    scale: Scale = "pixels",
    layout: Layout = "corners",
) -> Floats:
    """Convert boxes of a named convention to corners in pixels.

    Args:
        boxes: (n, 4).
        width, height: of the picture, in pixels.
        scale: "pixels"; "unit", shares of width and height in [0, 1]; "thousand", in [0, 1000].
        layout: "corners" (x0, y0, x1, y1) or "size" (x0, y0, width, height).

    Returns:
        (n, 4). Boxes in pixels may reach over the picture's edge.

    Raises:
        ValueError: if a convention is unknown, a box is not finite, outside its scale or inside
            out (x1 < x0 or y1 < y0).
    """
    if scale not in ("pixels", *_FULL) or layout not in ("corners", "size"):
        raise ValueError(
            f"unknown convention {scale!r}, {layout!r}; scales are pixels, unit and thousand, "
            "layouts are corners and size"
        )
    if width <= 0 or height <= 0:
        raise ValueError(f"a picture must have a size, got {width} x {height}")
    corners = _rows(boxes, 4).copy()
    if layout == "size":
        corners[:, 2:] += corners[:, :2]
    for box in corners:
        _check(box.tolist(), scale)
    if scale != "pixels":
        corners *= np.array([width, height, width, height]) / _FULL[scale]
    return corners


def iou_matrix(predicted: ArrayLike, reference: ArrayLike) -> Floats:
    """Compute intersection over union of every pair, in the plane or in space.

    Args:
        predicted: (n, 4) or (n, 6).
        reference: (m, 4) or (m, 6), alike.

    Returns:
        (n, m) in [0, 1]; 0 where neither box has an area (or volume).

    Raises:
        ValueError: if the two are of different dimension.
    """
    left = _rows(predicted)[:, None, :]
    right = _rows(reference)[None, :, :]
    if not left.size or not right.size:
        return np.zeros((left.shape[0], right.shape[1]))
    if left.shape[2] != right.shape[2]:
        raise ValueError(f"boxes of {left.shape[2]} and {right.shape[2]} numbers do not compare")
    n = left.shape[2] // 2
    overlap = np.minimum(left[..., n:], right[..., n:]) - np.maximum(left[..., :n], right[..., :n])
    shared = np.prod(np.maximum(overlap, 0), axis=-1)
    union = _content(left, n) + _content(right, n) - shared
    return np.where(union > 0, shared / np.where(union > 0, union, 1), 0.0)


def matched_ious(predicted: ArrayLike, reference: ArrayLike) -> Floats:
    """Pair boxes one to one, the best pair first, and give the IoU of each pair, falling.

    Returns:
        (min(n, m),); pairs that do not touch have 0.
    """
    ious = iou_matrix(predicted, reference)
    pairs = []
    for _ in range(min(ious.shape)):
        row, column = np.unravel_index(np.argmax(ious), ious.shape)
        pairs.append(max(float(ious[row, column]), 0.0))
        ious[row, :] = ious[:, column] = -1
    return np.array(pairs, dtype=np.float64)


def mean_iou(predicted: ArrayLike, reference: ArrayLike) -> float:
    """Average the IoU of matched pairs over all boxes of the longer side of one item.

    A box too many costs as much as a missing one, so naming many places does not pay. For one
    box on either side it is their IoU.
    """
    return _of_longer_side(predicted, reference, lambda ious: float(ious.sum()))


def accuracy_at_iou(predicted: ArrayLike, reference: ArrayLike, *, threshold: float = 0.5) -> float:
    """Give the share of boxes of the longer side that have a partner of at least this IoU."""
    return _of_longer_side(predicted, reference, lambda ious: float((ious >= threshold).sum()))


def average_precision(
    predicted: Sequence[ArrayLike],
    reference: Sequence[ArrayLike],
    *,
    confidence: Sequence[Sequence[float] | None] | None = None,
    threshold: float = 0.5,
) -> WeightedStatistic:
    """Make average precision over all boxes of all items a statistic; mAP50 for one class.

    Within an item predictions are taken by confidence, and each takes the free reference box of
    highest IoU, if that reaches the threshold. Precision at a recall is the best at any higher
    one (all points). Predictions of equal confidence are one step of the curve.

    Args:
        predicted: boxes of each item.
        reference: as many; boxes of each item.
        confidence: of each box of each item, higher is surer; None, for all or for an item, takes
            the order of the answer: all first boxes before all second ones.

    Returns:
        In [0, 1]; nan without a reference box. With several classes, average over them.

    Raises:
        ValueError: if the rows differ in number.

    Source:
        Everingham et al., IJCV 2010, in the all-point form of 2010 to 2012; matching as in COCO
        (Lin et al., ECCV 2014).
    """
    given: Sequence[Sequence[float] | None] = confidence or [None] * len(predicted)
    scores, items, hits = [], [], []
    n_reference = np.zeros(len(predicted))
    for item, (boxes, wanted, sure) in enumerate(zip(predicted, reference, given, strict=True)):
        ranked = np.arange(0, -len(_rows(boxes)), -1) if sure is None else np.asarray(sure)
        scores.append(ranked.astype(np.float64))
        hits.append(_hits(iou_matrix(boxes, wanted), scores[-1], threshold))
        items.append(np.full(len(ranked), item))
        n_reference[item] = len(_rows(wanted))
    every = np.concatenate([*scores, np.zeros(0)])
    order = np.argsort(-every, kind="stable")
    ends = np.flatnonzero(np.diff(every[order], append=-np.inf) != 0)
    owners = np.concatenate([*items, np.zeros(0)]).astype(np.int64)[order]
    is_hit = np.concatenate([*hits, np.zeros(0, dtype=bool)])[order]

    def value(weights: Floats) -> Floats:
        n_wanted = weights @ n_reference
        drawn = weights[:, owners]
        n_hits = np.cumsum(drawn * is_hit, axis=1)[:, ends]
        n_named = np.cumsum(drawn, axis=1)[:, ends]
        precision = n_hits / np.where(n_named > 0, n_named, 1)
        best = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
        area = (np.diff(n_hits, axis=1, prepend=0) * best).sum(axis=1)
        return np.where(n_wanted > 0, area / np.where(n_wanted > 0, n_wanted, 1), np.nan)

    return WeightedStatistic(value)


def dice(predicted: ArrayLike, reference: ArrayLike) -> float:
    """Compute twice the shared part over the sum of two masks; 1 if both are empty.

    Raises:
        ValueError: if the masks differ in shape.
    """
    left, right = np.asarray(predicted, dtype=bool), np.asarray(reference, dtype=bool)
    if left.shape != right.shape:
        raise ValueError(f"masks must be alike in shape, got {left.shape} and {right.shape}")
    total = int(left.sum()) + int(right.sum())
    return 2 * int((left & right).sum()) / total if total else 1.0


def matched_points(predicted: ArrayLike, reference: ArrayLike, *, reach: float) -> MatchedPoints:
    """Pair points one to one, the nearest pair first, up to a distance.

    Args:
        predicted: (n, 2) or (n, 3).
        reference: (m, 2) or (m, 3), alike.
        reach: the greatest distance of a pair, in the unit of the points.

    Raises:
        ValueError: if reach is negative.
    """
    if reach < 0:
        raise ValueError(f"reach must not be negative, got {reach}")
    left, right = np.atleast_2d(np.asarray(predicted)), np.atleast_2d(np.asarray(reference))
    if not left.size or not right.size:
        return MatchedPoints(0, _n_rows(left), _n_rows(right))
    distances = np.linalg.norm(left[:, None, :] - right[None, :, :], axis=-1)
    n_matched = 0
    while n_matched < min(distances.shape) and distances.min() <= reach:
        row, column = np.unravel_index(np.argmin(distances), distances.shape)
        distances[row, :] = distances[:, column] = np.inf
        n_matched += 1
    return MatchedPoints(n_matched, len(left), len(right))


def _of_longer_side(
    predicted: ArrayLike, reference: ArrayLike, total: Callable[[Floats], float]
) -> float:
    n = max(len(_rows(predicted)), len(_rows(reference)))
    return total(matched_ious(predicted, reference)) / n if n else 1.0


def _hits(ious: Floats, scores: Floats, threshold: float) -> NDArray[np.bool_]:
    hits = np.zeros(len(ious), dtype=bool)
    free = ious.copy()
    for row in np.argsort(-scores, kind="stable") if free.shape[1] else ():
        column = int(np.argmax(free[row]))
        if free[row, column] >= threshold:
            hits[row] = True
            free[:, column] = -1
    return hits


def _rows(boxes: ArrayLike, n_numbers: int | None = None) -> Floats:
    rows = np.asarray(boxes, dtype=np.float64)
    if not rows.size:
        return np.zeros((0, n_numbers or 4))
    allowed = (4, 6) if n_numbers is None else (n_numbers,)
    if rows.ndim != 2 or rows.shape[1] not in allowed:
        numbers = " or ".join(str(n) for n in allowed)
        raise ValueError(f"expected rows of {numbers} numbers, got an array of {rows.shape}")
    return rows


def _check(box: list[float], scale: Scale) -> None:
    if not np.isfinite(box).all():
        raise ValueError(f"box {box} is not finite")
    if box[2] < box[0] or box[3] < box[1]:
        raise ValueError(f"box {box} is inside out: its second corner lies before the first")
    full = _FULL.get(scale)
    # A hair more than the full scale is rounding: 0.1 + 0.9 of a size layout.
    if full is not None and (min(box) < 0 or max(box) > full * (1 + 1e-9)):
        raise ValueError(f"box {box} leaves the scale {scale!r}, from 0 to {full:g}")


def _content(boxes: Floats, n: int) -> Floats:
    content: Floats = np.prod(np.maximum(boxes[..., n:] - boxes[..., :n], 0), axis=-1)
    return content


def _n_rows(points: NDArray[np.float64]) -> int:
    return len(points) if points.size else 0
