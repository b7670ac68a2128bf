"""Patients and studies: what a run writes of an item holds none of their numbers."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from medrag.codec import to_json
from medrag.evaluation.benchmarks import Benchmark, load_benchmark, read_card
from medrag.evaluation.runs.writing import anonymous
from tests.evaluation.benchmarks.made import made

SETS = [
    ("gemex", "test"),
    ("mimic_cxr_reports", "test"),
    ("mimic_nle", "test"),
    ("mmed_rag_iu_report", "test"),
    ("mmed_rag_mimic", "test"),
    ("mmxu", "test"),
    ("ms_cxr", "test"),
    ("temmed_bench", "test"),
    ("temmed_bench", "report"),
    ("temmed_bench", "selection"),
    ("three_d_reason_knee", "test"),
]
NUMBERS = ("1000000", "5000000", "900000", "patient0000", "CXR1", "CXR2", "CXR7")


def loaded(name: str, split: str, into: Path) -> Benchmark:
    return load_benchmark(name, made(name, into), split=split, subset=True)


@pytest.mark.parametrize(("name", "split"), SETS)
def test_a_run_writes_no_number_of_a_patient_or_a_study(
    name: str, split: str, tmp_path: Path
) -> None:
    for item in loaded(name, split, tmp_path).items:
        assert item.question.subject or item.question.study
        shown = anonymous(replace(item, question=replace(item.question, images=())))
        # The words of the answer are those of the made-up report.
        written = json.dumps(to_json(replace(shown, references=())))
        assert not [number for number in NUMBERS if number in written]


@pytest.mark.parametrize("name", ["iu_xray", "rad_restruct"])
def test_a_cluster_that_is_a_study_is_replaced(name: str, tmp_path: Path) -> None:
    for item in loaded(name, "test", tmp_path).items:
        assert item.cluster == item.question.study
        cluster = anonymous(item).cluster
        assert cluster is not None
        assert cluster.startswith("p-")


def test_a_study_of_iu_x_ray_is_known_by_the_number_of_its_report(tmp_path: Path) -> None:
    item = loaded("rad_restruct", "test", tmp_path).items[0]
    assert item.question.subject == "CXR7"


@pytest.mark.parametrize(
    ("row", "cluster"),
    [
        ({"subject": "12", "image": "12.png"}, "12"),
        ({"study_id": "s1", "image": "12.png"}, "s1"),
        ({"image": "12.png"}, "12.png"),
        ({"subject": "12", "cluster": "ward"}, "ward"),
    ],
)
def test_a_patient_is_a_cluster_before_a_picture_is(
    row: dict[str, str], cluster: str, tmp_path: Path
) -> None:
    (tmp_path / "12.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    row = {"question": "What is it?", "answer": "a cyst", **row}
    (tmp_path / "test.jsonl").write_text(json.dumps(row), encoding="utf-8")
    assert load_benchmark("qa", tmp_path).items[0].cluster == cluster


def test_the_subsets_of_med_mat_name_what_they_are_about(tmp_path: Path) -> None:
    item = loaded("med_mat", "test", tmp_path).items[0]
    # The fixture's file is agg--03, the third subset.
    assert (item.fields["modality"], item.fields["area"]) == ("CT", "Lung")
    assert item.fields["task"] == "COVID-19 Classification"
    assert "modality" in read_card("med_mat").group_by
