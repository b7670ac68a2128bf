"""Mirrors as Parquet tables, whose pictures lie in the rows."""

from pathlib import Path
from typing import Any

import pytest

from medrag.errors import EvaluationError
from medrag.evaluation.benchmarks import load_benchmark
from tests.evaluation.benchmarks.made import png

pyarrow = pytest.importorskip("pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")


def write(path: Path, rows: list[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(pyarrow.Table.from_pylist(rows), path)


def image(number: int) -> dict[str, Any]:
    return {"bytes": png(number), "path": None}


def vqa_rad(folder: Path) -> Path:
    rows = [
        {"image": image(1), "question": "is there fluid?", "answer": "no"},
        {"image": image(1), "question": "which side?", "answer": "left"},
        {"image": image(2), "question": "is it large?", "answer": "yes"},
    ]
    write(folder / "data" / "test-00000-of-00001-abc.parquet", rows)
    return folder


def test_the_mirror_of_vqa_rad_infers_closed_and_clusters_by_picture(tmp_path: Path) -> None:
    benchmark = load_benchmark(
        "vqa_rad", vqa_rad(tmp_path / "set"), subset=True, extracted=tmp_path / "x"
    )
    assert benchmark.layout == "hf"
    assert [(item.closed, item.inferred) for item in benchmark.items] == [
        (True, True),
        (False, True),
        (True, True),
    ]
    first, second, third = (item.cluster for item in benchmark.items)
    assert first == second != third
    assert len(list((tmp_path / "x").rglob("*.png"))) == 2


def test_pictures_that_were_written_are_not_written_again(tmp_path: Path) -> None:
    folder = vqa_rad(tmp_path / "set")
    once = load_benchmark("vqa_rad", folder, subset=True, extracted=tmp_path / "x")
    times = {path: path.stat().st_mtime_ns for path in (tmp_path / "x").rglob("*.png")}
    twice = load_benchmark("vqa_rad", folder, subset=True, extracted=tmp_path / "x")
    assert once.items == twice.items
    assert times == {path: path.stat().st_mtime_ns for path in (tmp_path / "x").rglob("*.png")}


def test_a_picture_that_was_cut_short_is_written_anew(tmp_path: Path) -> None:
    folder = vqa_rad(tmp_path / "set")
    load_benchmark("vqa_rad", folder, subset=True, extracted=tmp_path / "x")
    cut = next((tmp_path / "x").rglob("*.png"))
    whole = cut.read_bytes()
    cut.write_bytes(whole[:10])
    load_benchmark("vqa_rad", folder, subset=True, extracted=tmp_path / "x")
    assert cut.read_bytes() == whole


def test_path_vqa_names_its_rows_by_file_and_number(tmp_path: Path) -> None:
    rows = [{"image": image(n), "question": f"what is {n}?", "answer": "a cell"} for n in (1, 2)]
    write(tmp_path / "set" / "data" / "test-00000-of-00002.parquet", rows)
    write(tmp_path / "set" / "data" / "test-00001-of-00002.parquet", rows)
    benchmark = load_benchmark("path_vqa", tmp_path / "set", subset=True, extracted=tmp_path / "x")
    assert [item.id for item in benchmark.items] == [
        "test-00000-of-00002:1",
        "test-00000-of-00002:2",
        "test-00001-of-00002:1",
        "test-00001-of-00002:2",
    ]


def test_frames_that_are_null_are_left_out(tmp_path: Path) -> None:
    rows = [
        {
            "question_id": "q1", "question": "What changes?", "options": ["size", "shape"],
            "correct_answer": "B", "image_1": image(1), "image_2": image(2), "image_3": None,
            "image_4": None, "image_5": None, "system": "digestive", "video_id": "v1",
        },
        {
            "question_id": "q2", "question": "What is it?", "options": ["a polyp", "a fold"],
            "correct_answer": "A", "image_1": image(1), "image_2": image(2), "image_3": image(3),
            "image_4": None, "image_5": None, "system": "digestive", "video_id": "v1",
        },
    ]  # fmt: skip
    write(tmp_path / "set" / "data" / "test-00000.parquet", rows)
    items = load_benchmark(
        "medframeqa", tmp_path / "set", subset=True, extracted=tmp_path / "x"
    ).items
    assert [len(item.question.images) for item in items] == [2, 3]
    assert items[0].references == ("shape",)


def test_the_table_of_medmultipoints_asks_for_counts(tmp_path: Path) -> None:
    rows = [{"image": image(1), "label": "polyps", "count": 3, "classification": "endoscopy"}]
    write(tmp_path / "set" / "train" / "0000.parquet", rows)
    benchmark = load_benchmark(
        "medmultipoints", tmp_path / "set", split="train", extracted=tmp_path / "x"
    )
    assert benchmark.items[0].question.text == "How many objects are in the image: polyps?"
    assert benchmark.items[0].references == ("3",)


def test_a_count_that_a_missing_value_made_a_fraction_is_whole_again(tmp_path: Path) -> None:
    rows = [
        {"image": image(1), "label": "polyps", "count": 3.0, "classification": "endoscopy"},
        {"image": image(2), "label": "polyps", "count": None, "classification": "endoscopy"},
    ]
    write(tmp_path / "set" / "train" / "0000.parquet", rows)
    benchmark = load_benchmark(
        "medmultipoints", tmp_path / "set", split="train", subset=True, extracted=tmp_path / "x"
    )
    assert [item.references for item in benchmark.items] == [("3",)]
    assert "row 2: no answer stands in 'count'" in benchmark.problems[0]


def test_a_file_that_is_no_parquet_is_named(tmp_path: Path) -> None:
    (tmp_path / "test-00000.parquet").write_bytes(b"PAR1 but no more")
    with pytest.raises(EvaluationError, match=r"test-00000\.parquet is no Parquet file"):
        load_benchmark("path_vqa", tmp_path, extracted=tmp_path / "x")


def test_a_picture_that_is_none_is_told_with_its_row(tmp_path: Path) -> None:
    rows = [{"image": {"bytes": b"text", "path": None}, "question": "is it?", "answer": "no"}]
    write(tmp_path / "set" / "test-0.parquet", rows)
    with pytest.raises(EvaluationError, match=r"row 1: 'image' holds 4 bytes that are no picture"):
        load_benchmark("vqa_rad", tmp_path / "set", extracted=tmp_path / "x")
