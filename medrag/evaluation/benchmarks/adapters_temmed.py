"""Adapters of TemMed-Bench, whose task files point into one file of studies.

Source:
    Zhang et al., 2025 (TemMed-Bench): the scripts of its `Eval` folder.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from medrag.errors import EvaluationError
from medrag.evaluation.benchmarks.adapting import Rows, each_row, needed, read_beside, with_values
from medrag.evaluation.benchmarks.columns import BadRowError, said
from medrag.ingestion.lines import Record

_STUDIES = "TestSet_VQA_ReportGeneration_Final.json"


def temmed_vqa(rows: Rows, path: Path) -> Rows:
    """Look up the question that a selected row (img_id, question_id) stands for."""
    studies = _studies(path)

    def looked_up(row: Record) -> Iterable[Record]:
        study = _at(studies, row.values.get("img_id"), "img_id")
        asked = _at(needed(study, "VQA_Final", list), row.values.get("question_id"), "question_id")
        yield with_values(
            row, **_pair(study), VQA_question=asked.get("VQA_question"),
            VQA_answer=asked.get("VQA_answer"),
        )  # fmt: skip

    return each_row(rows, looked_up)


def temmed_report(rows: Rows, path: Path) -> Rows:  # noqa: ARG001
    """Name the pictures of a study as they are published."""
    return each_row(rows, lambda row: [with_values(row, **_pair(row.values))])


def temmed_selection(rows: Rows, path: Path) -> Rows:
    """Show the pairs of all options in order; each option names its two pictures."""
    studies = _studies(path)

    def looked_up(row: Record) -> Iterable[Record]:
        option = needed(row.values, "option", dict)
        images: list[Any] = []
        texts = {}
        for letter in sorted(option):
            pair = _pair(_at(studies, option[letter], f"option {letter}"))
            images += [pair["historical_image_path"], pair["image_path"]]
            texts[letter] = f"pair {letter} (images {len(images) - 1} and {len(images)})"
        right = _right(row.values.get("right_option"), images, sorted(option))
        statement = needed(row.values, "condition_change", str)
        yield with_values(
            row, at_images=images, at_options=texts, at_right=right,
            at_question=f"Which pair of an earlier and a current image shows this: {statement}",
        )  # fmt: skip

    return each_row(rows, looked_up)


def _right(letter: Any, images: Sequence[str], letters: Sequence[str]) -> str | None:
    """Find the current image of the right pair: its patient is the one that is asked about."""
    return images[2 * letters.index(letter) + 1] if letter in letters else None


def _studies(path: Path) -> Sequence[Any]:
    studies = read_beside(path.parent / _STUDIES)
    if not isinstance(studies, list):
        raise EvaluationError(f"{path.parent / _STUDIES} holds no list of studies")
    return studies


def _at(values: Sequence[Any], number: Any, name: str) -> Mapping[str, Any]:
    if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number < len(values):
        raise BadRowError(f"{name!r} is {said(number)}, expected a number below {len(values)}")
    if not isinstance(values[number], dict):
        raise BadRowError(f"{name!r} {number} points to no object")
    found: Mapping[str, Any] = values[number]
    return found


def _pair(study: Mapping[str, Any]) -> dict[str, str]:
    """Give the two pictures of a study. CheXpert Plus publishes PNG for the JPEG that is named."""
    names = ("historical_image_path", "image_path")
    return {name: needed(study, name, str).replace("jpg", "png") for name in names}
