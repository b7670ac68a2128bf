"""Rad-ReStruct: where each question stands in the tree of its report."""

import json
from pathlib import Path
from typing import Any

import pytest

from medrag.errors import EvaluationError
from medrag.evaluation.benchmarks import load_benchmark
from medrag.records import Item
from tests.evaluation.benchmarks.made import made

Turn = tuple[str, list[str]]
SIGNS = ("Are there any signs in the lung?", ["yes"])
OPACITY = ("Is there an opacity in the lung?", ["yes"])
PART = ("In which part of the body?", ["apex"])
ANOTHER = ("Is there another opacity in the lung?", ["yes"])
REGIONS = ("Is there anything abnormal in the lung?", ["yes"])
WHOLE = ("Is there anything abnormal in the whole lung?", ["no"])


def row(asked: Turn, path: str, *history: Turn) -> list[Any]:
    options = ["apex", "left lower lobe"] if path.endswith("region") else ["yes", "no"]
    kind = "multi_choice" if path.endswith("region") else "single_choice"
    return [*asked, list(history), {"answer_type": kind, "options": options, "path": path}]


def loaded(folder: Path, rows: list[list[Any]], **given: Any) -> list[Item]:
    data = made("rad_restruct", folder)
    file = data / "data/radrestruct/test_qa_pairs/7.json"
    file.write_text(json.dumps(rows), encoding="utf-8")
    items = load_benchmark("rad_restruct", data, **given).items
    return [item for item in items if item.fields["report"] == "CXR7_IM-1_7"]


def test_every_question_has_a_place_in_the_tree_and_the_one_above_it(tmp_path: Path) -> None:
    path = "lung_signs_opacity"
    items = loaded(
        tmp_path,
        [
            row(SIGNS, "lung_signs"),
            row(OPACITY, path, SIGNS),
            row(PART, f"{path}_body_region", SIGNS, OPACITY),
            row(ANOTHER, path, SIGNS, OPACITY, PART),
            row(PART, f"{path}_body_region", SIGNS, OPACITY, PART, ANOTHER),
            row(REGIONS, "lung_body_regions"),
            row(WHOLE, "lung_body_regions", REGIONS),
        ],
    )
    assert [(item.fields["node"], item.fields.get("parent")) for item in items] == [
        ("lung_signs 1", None),
        ("lung_signs_opacity 1", "lung_signs 1"),
        ("lung_signs_opacity_body_region 1", "lung_signs_opacity 1"),
        # A second finding is asked for only where there is a first.
        ("lung_signs_opacity 2", "lung_signs_opacity 1"),
        ("lung_signs_opacity_body_region 2", "lung_signs_opacity 2"),
        ("lung_body_regions 1", None),
        ("lung_body_regions 2", "lung_body_regions 1"),
    ]


def test_each_picture_of_a_study_is_a_report(tmp_path: Path) -> None:
    items = load_benchmark("rad_restruct", made("rad_restruct", tmp_path)).items
    assert {item.fields["report"] for item in items} == {"CXR7_IM-1_7", "CXR7_IM-2_7"}
    assert {item.cluster for item in items} == {"7"}


def test_a_history_that_no_row_affirms_is_refused(tmp_path: Path) -> None:
    rows = [row(SIGNS, "lung_signs"), row(PART, "lung_signs_opacity_body_region", SIGNS, OPACITY)]
    with pytest.raises(EvaluationError, match=r"Is there an opacity in the lung.*no row before"):
        loaded(tmp_path / "whole", rows)
    assert len(loaded(tmp_path / "part", rows, subset=True)) == 1


def test_rows_without_a_path_have_no_place_in_a_tree(tmp_path: Path) -> None:
    bare = row(SIGNS, "lung_signs")
    del bare[3]["path"]
    (item,) = loaded(tmp_path, [bare])
    assert "node" not in item.fields
