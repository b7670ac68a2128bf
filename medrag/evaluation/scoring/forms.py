"""Measures of answers that are numbers or boxes, item by item."""

import numpy as np

from medrag.evaluation.boxes import accuracy_at_iou, mean_iou
from medrag.evaluation.numbers import converted
from medrag.evaluation.parsed import Boxes, Number
from medrag.evaluation.scorers import Case
from medrag.records import Box, Item

# The share of the right number by which an answer may be off to count as near.
_NEAR = 0.1


def form_values(case: Case) -> dict[str, float]:
    """Measure a number or boxes; nothing for items of other kinds.

    A number: "absolute_error" in the unit of the reference and "relative_error", left out where
    none was read; "within_10_percent". Boxes, in the benchmark's own scale: "mean_iou" and
    "accuracy_at_iou_50", 0 where none was read.
    """
    if case.item.kind == "number" and case.item.references:
        return _of_number(case)
    if case.item.kind == "boxes":
        right, given = reference_boxes(case.item), answered_boxes(case)
        return {
            "mean_iou": mean_iou(given, right),
            "accuracy_at_iou_50": accuracy_at_iou(given, right),
        }
    return {}


def answered_boxes(case: Case) -> list[Box]:
    """Give the boxes of an answer; none where none was read."""
    return list(case.parsed.boxes) if isinstance(case.parsed, Boxes) else []


def reference_boxes(item: Item) -> list[Box]:
    """Give the boxes of the right answer."""
    return [region.box for region in item.regions if region.box is not None]


def _of_number(case: Case) -> dict[str, float]:
    right = _number(case.item.references[0])
    if right is None:
        return {}
    given = _answered(case)
    if given is None:
        return {"within_10_percent": 0.0}
    error = abs(given - right)
    values = {"absolute_error": error, "within_10_percent": float(error <= _NEAR * abs(right))}
    # Of nothing, every error is infinitely large: a count of 0 has no relative error.
    return values | ({"relative_error": error / abs(right)} if right else {})


def _answered(case: Case) -> float | None:
    """Give the number of an answer in the unit of the reference; None if it cannot be."""
    if not isinstance(case.parsed, Number):
        return None
    unit = str(case.item.fields.get("unit") or "")
    try:
        return converted(case.parsed.value, case.parsed.unit, unit)
    except ValueError:
        # Words behind a number ("3 cells") are no unit: the number is taken as it stands.
        return case.parsed.value if not unit else None


def _number(text: str) -> float | None:
    try:
        value = float(text.replace(",", ""))
    except ValueError:
        return None
    return value if np.isfinite(value) else None
