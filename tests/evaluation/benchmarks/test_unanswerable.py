"""Questions that must not be answered."""

import json
from pathlib import Path
from typing import Any

import pytest

from medrag.errors import EvaluationError
from medrag.evaluation.benchmarks import load_benchmark
from medrag.records import Item

SAMPLE = Path(__file__).resolve().parents[3] / "corpora" / "sample"


def loaded(folder: Path, **row: Any) -> Item:
    row = {"id": "1", "question": "What does the scanner weigh?", **row}
    (folder / "test.jsonl").write_text(json.dumps(row), encoding="utf-8")
    return load_benchmark("qa", folder).items[0]


@pytest.mark.parametrize(
    "flag",
    [
        {"unanswerable": True},
        {"unanswerable": "true"},
        {"answerable": False},
        {"unanswerable": 1},
        {"unanswerable": True, "answer": "not in the library"},
    ],
)
def test_a_row_that_says_so_has_no_reference(flag: dict[str, Any], tmp_path: Path) -> None:
    item = loaded(tmp_path, **flag)
    assert (item.references, item.kind) == ((), "text")
    assert item.fields["unanswerable"] is True


@pytest.mark.parametrize(
    ("row", "kind"),
    [
        ({"options": ["one", "two"]}, "choice"),
        ({"question": "Is the scanner heavy?"}, "yes_no"),
        ({"question": "Is the scanner heavy or light?"}, "text"),
    ],
)
def test_its_kind_is_told_by_its_options_and_words(
    row: dict[str, Any], kind: str, tmp_path: Path
) -> None:
    assert loaded(tmp_path, unanswerable=True, **row).kind == kind


@pytest.mark.parametrize("flag", [{}, {"unanswerable": False}, {"answerable": True}])
def test_any_other_row_needs_an_answer(flag: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(EvaluationError, match="no answer stands in"):
        loaded(tmp_path, **flag)
    assert "unanswerable" not in loaded(tmp_path, answer="a ton", **flag).fields


def test_a_flag_that_is_no_truth_value_is_told(tmp_path: Path) -> None:
    with pytest.raises(EvaluationError, match="'unanswerable' says 'perhaps', expected true"):
        loaded(tmp_path, unanswerable="perhaps")


def test_the_sample_says_which_of_its_questions_have_no_answer() -> None:
    items = load_benchmark("sample", SAMPLE).items
    absent = [item.id for item in items if item.fields.get("unanswerable")]
    assert absent == ["absent-dose", "absent-organ"]
    assert all(item.references for item in items if item.id not in absent)
