"""Adapters of benchmarks whose answers are places, counts and measurements."""

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from medrag.evaluation.benchmarks.adapting import Rows, each_row, needed, with_values
from medrag.evaluation.benchmarks.columns import BadRowError, said
from medrag.ingestion.lines import BadLine, Record

_FENCED = re.compile(r"```(?:json)?\s*(.*?)\s*```", re.DOTALL)


def ms_cxr(rows: Rows, path: Path) -> Rows:  # noqa: ARG001
    """Put the boxes of one phrase in one image together, in the order of the file."""
    grouped: dict[tuple[str, ...], tuple[Record, list[list[Any]]]] = {}
    for row in rows:
        if isinstance(row, BadLine):
            yield row
            continue
        key = tuple(
            str(row.values.get(name)) for name in ("dicom_id", "category_name", "label_text")
        )
        box = [row.values.get(name) for name in ("x", "y", "w", "h")]
        grouped.setdefault(key, (row, []))[1].append(box)
    for row, boxes in grouped.values():
        phrase = row.values.get("label_text")
        yield with_values(
            row, at_boxes=boxes, at_question=f"Where in the image is this seen: {phrase}?"
        )


def medmultipoints(rows: Rows, path: Path) -> Rows:  # noqa: ARG001
    """Read the JSON answer of an instruction: a count, boxes or points.

    Source:
        Gautam, Riegler & Halvorsen, 2025 (PointDetectCount), whose scripts write the rows.
    """
    return each_row(rows, _instruction)


def medmultipoints_counts(rows: Rows, path: Path) -> Rows:  # noqa: ARG001
    """Ask for the count of a row of the table, which has no question."""

    def counted(row: Record) -> Iterable[Record]:
        label = needed(row.values, "label", str)
        yield with_values(row, at_question=f"How many objects are in the image: {label}?")

    return each_row(rows, counted)


def _instruction(row: Record) -> Iterable[Record]:
    messages = needed(row.values, "messages", list)
    if len(messages) != 2 or not all(isinstance(each, dict) for each in messages):
        raise BadRowError(f"'messages' holds {len(messages)} turns, expected a question, an answer")
    text = needed(messages[1], "content", str)
    fenced = _FENCED.search(text)
    try:
        answer = json.loads(fenced.group(1) if fenced else text)
    except (ValueError, RecursionError) as error:
        raise BadRowError(f"the answer is no JSON: {text[:40]!r}") from error
    places = [each for each in answer if isinstance(each, dict)] if isinstance(answer, list) else []
    whole = answer if isinstance(answer, dict) else {}
    task = str(messages[0].get("task", ""))
    yield with_values(
        row, at_question=needed(messages[0], "content", str), at_task=task,
        at_kind="number" if "counts" in whole else "boxes", at_count=whole.get("counts"),
        at_boxes=whole.get("bbox_2d") or _all(places, "bbox_2d"),
        at_points=whole.get("point_2d") or _all(places, "point_2d"),
        at_source=messages[0].get("source"),
    )  # fmt: skip


def _all(places: list[dict[str, Any]], name: str) -> list[Any] | None:
    return [each[name] for each in places if name in each] or None


def medvision(rows: Rows, path: Path) -> Rows:  # noqa: ARG001
    """Bring the rows of MedVision's harness ({"doc", "target", "input"}) into one form.

    A target of four numbers is a box in [0, 1] whose origin is the lower left; one of one or two
    numbers is a measurement, the first of which is the reference.
    """
    return each_row(rows, _measured)


def _measured(row: Record) -> Iterator[Record]:
    document = needed(row.values, "doc", dict)
    numbers = _target(row.values.get("target"))
    is_box = len(numbers) == 4
    if not is_box and len(numbers) not in (1, 2):
        raise BadRowError(f"the target holds {len(numbers)} numbers, expected 1, 2 or 4")
    asked = row.values.get("input", row.values.get("question"))
    yield with_values(
        row, at_doc=document, at_question=asked, at_kind="boxes" if is_box else "number",
        at_boxes=[numbers] if is_box else None, at_number=None if is_box else numbers[0],
        at_numbers=None if is_box else numbers,
        at_unit=document.get("metric_unit"), at_task=document.get("taskType"),
        at_image=document.get("image_file"), at_dataset=document.get("dataset_name"),
    )  # fmt: skip


def _target(value: Any) -> list[float]:
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError) as error:
            raise BadRowError(f"the target {value[:40]!r} is no number and no list") from error
    values = value if isinstance(value, list) else [value]
    try:
        return [float(each) for each in values]
    except (TypeError, ValueError, OverflowError) as error:
        raise BadRowError(f"the target holds {said(value)}, expected numbers") from error
