"""Med-MAT: what the number of a subset says of its pictures."""

from pathlib import Path

import pytest

from medrag.evaluation.benchmarks.adapters_mat import med_mat
from medrag.ingestion.lines import BadLine, Record

TRIPLE = {"modality": "CT", "area": "Lung", "task": "COVID-19 Classification"}


def adapted(path: str, **columns: str) -> dict[str, object]:
    row = Record("row 1", {"question": "What is it?\nA. one\nB. two", "answer": "A", **columns})
    (found,) = med_mat(iter([row]), Path(path))
    assert isinstance(found, Record)
    return dict(found.values)


@pytest.mark.parametrize("folder", ["Aggregated_Subsets", "Aggrregated_Subsets"])
def test_an_aggregated_subset_names_modality_area_and_task(folder: str) -> None:
    found = adapted(f"{folder}/Subset--03-test.json")
    assert {name: found[name] for name in TRIPLE} == TRIPLE
    assert found["@options"] == {"A": "one", "B": "two"}


def test_what_a_row_says_itself_stays() -> None:
    found = adapted("Aggregated_Subsets/Subset--03-test.json", modality="MRI")
    assert (found["modality"], found["area"]) == ("MRI", "Lung")


@pytest.mark.parametrize(
    "path", ["Original_Medical_Datasets/ori--03-test.json", "Aggregated_Subsets/Subset--54-t.json"]
)
def test_other_numbers_stand_for_nothing_that_is_known(path: str) -> None:
    assert not {"modality", "area", "task"} & set(adapted(path))


def test_a_broken_row_stays_broken() -> None:
    bad = BadLine("row 1", "no JSON")
    assert list(med_mat(iter([bad]), Path("Aggregated_Subsets/Subset--03-test.json"))) == [bad]
