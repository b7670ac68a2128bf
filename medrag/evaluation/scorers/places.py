"""Places and measured numbers: how near an answer comes, where equality would ask too much."""

from collections.abc import Mapping, Sequence
from math import isnan

from medrag.evaluation.boxes import accuracy_at_iou, mean_iou
from medrag.evaluation.numbers import absolute_errors, relative_errors, within_tolerance
from medrag.evaluation.parsed import Boxes, Number
from medrag.evaluation.scorers.correctness import (
    asks_for_boxes,
    in_unit,
    reference_boxes,
    reference_number,
)
from medrag.evaluation.scorers.protocol import Case, Mode, Scored, state_totals, states
from medrag.records import Box

# The share of the right number by which an answer may be off to count as near.
_NEAR = 0.1


class Places:
    """Share of boxes that are found, and of numbers that are near.

    No released scorer is imitated, so both modes agree; only corrected mode counts what could not
    be read. Items with points alone do not count, see `asks_for_boxes`.
    """

    name = "places"
    headline: tuple[str, ...] = ("accuracy_at_iou_50", "within_10_percent")
    about = (
        "Boxes: share that have a partner with an intersection over union of at least 0.5, boxes "
        "too many counted as wrong, and beside it the mean of that ratio. Where nothing is there, "
        "only an empty list is right. Numbers: share that are off by a tenth of the right number "
        "at most, lengths and the like converted, with absolute and relative errors of those that "
        "were read."
    )
    source = (
        "intersection over union as in Everingham et al., PASCAL VOC, IJCV 2010; the tenth as in "
        "Yao et al., MedVision, 2025"
    )
    defects: tuple[str, ...] = ()

    def __init__(self, *, mode: Mode) -> None:
        self.mode: Mode = mode

    def score(self, cases: Sequence[Case]) -> list[dict[str, float]]:
        return [self._score(case) for case in cases]

    def totals(self, scored: Scored) -> dict[str, float]:
        return {} if self.mode == "faithful" else state_totals(scored)

    def _score(self, case: Case) -> dict[str, float]:
        values = form_values(case)
        right = _headline(values)
        return values if right is None or self.mode == "faithful" else values | states(case, right)


def form_values(case: Case) -> dict[str, float]:
    """Measure a number or boxes; nothing for items of other kinds.

    A number: "within_10_percent", 0 where none was read; where one was, "absolute_error" in the
    unit of the reference, and "relative_error", which is 0 for a right 0 and left out for a wrong
    one. Boxes, in the benchmark's own scale: "mean_iou" and "accuracy_at_iou_50", 0 where none
    were read. Where nothing is there, an empty list gives 1 and everything else 0, also silence.
    """
    if asks_for_boxes(case.item):
        return _of_boxes(case)
    if case.item.kind == "number" and case.item.references:
        return _of_number(case)
    return {}


def answered_boxes(case: Case) -> list[Box]:
    """Give the boxes of an answer; none where none were read."""
    return list(case.parsed.boxes) if isinstance(case.parsed, Boxes) else []


def _headline(values: Mapping[str, float]) -> float | None:
    return next((values[name] for name in Places.headline if name in values), None)


def _of_boxes(case: Case) -> dict[str, float]:
    if not isinstance(case.parsed, Boxes):
        return {"mean_iou": 0.0, "accuracy_at_iou_50": 0.0}
    right, given = reference_boxes(case.item), answered_boxes(case)
    return {
        "mean_iou": mean_iou(given, right),
        "accuracy_at_iou_50": accuracy_at_iou(given, right),
    }


def _of_number(case: Case) -> dict[str, float]:
    right = reference_number(case.item.references[0], case.item)
    if right is None:
        return {}
    read = in_unit(case.parsed, right.unit) if isinstance(case.parsed, Number) else None
    given, wanted = [float("nan") if read is None else read], [right.value]
    values = {
        "absolute_error": float(absolute_errors(given, wanted)[0]),
        "relative_error": float(relative_errors(given, wanted)[0]),
        "within_10_percent": float(within_tolerance(given, wanted, relative=_NEAR)[0]),
    }
    return {name: value for name, value in values.items() if not isnan(value)}
