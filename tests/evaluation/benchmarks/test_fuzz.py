"""Whatever stands in a file, only an EvaluationError comes out, or items that are whole."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medrag.errors import EvaluationError
from medrag.evaluation.benchmarks import load_benchmark, read_card
from medrag.records import Item
from tests.evaluation.benchmarks.made import made

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=12)
    | st.sampled_from(["A", "yes", "../x.png", "nan", "[1, 2", "{}", "[1,2,3,4]", "\x00", "\ud800"])
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=6,
)
# A file and the shape of its rows, for every reader and adapter.
FILES = {
    "vqa_rad": "VQA_RAD Dataset Public.json",
    "mediconfusion": "data/dataset.json",
    "medxpertqa_mm": "MM/test.jsonl",
    "gemex": "data-v1-subset/multi_choice.jsonl",
    "mmed_rag_harvard": "data/test/harvard_vqa_test.jsonl",
    "r_rad": "closed_end/test.json",
    "rad_restruct": "data/radrestruct/test_qa_pairs/7.json",
    "medsg_bench": "Task1.json",
    "medvision": "MadeCT_TumorLesionSize.jsonl",
    "medmultipoints": "instruction_dataset/multi-task-test.jsonl",
    "mm_retinal_reason": "single_choice_test_data_CFP.json",
    "mimic_nle": "mimic-nle/mimic-nle-test.json",
    "temmed_bench": "Get_Data/TestSet_SelectedVQA_2000.json",
    "mimic_cxr_reports": "mimic_annotation.json",
    "pubmedqa": "ori_pqal.json",
    "qa": "questions.jsonl",
}
TABLES = {
    "pmc_vqa": ("test_2.csv", ",", "test_2"),
    "gmai_mmbench": ("GMAI-MMBench_VAL.tsv", "\t", "validation"),
    "ms_cxr": ("MS_CXR_Local_Alignment_v1.1.0.csv", ",", "test"),
    "mmlu": ("anatomy_test.csv", ",", "test"),
}


def only_errors_or_items(name: str, folder: Path, split: str = "test") -> tuple[Item, ...]:
    try:
        items = load_benchmark(
            name, folder, split=split, subset=True, extracted=folder.parent / "extracted"
        ).items
    except EvaluationError:
        return ()
    for item in items:
        assert item.id
        assert item.question.text or item.question.images
        assert all(isinstance(each, str) and each for each in item.references)
        json.dumps(item.fields)
    return items


def changed(value: Any, path: list[int], new: Any) -> Any:
    """Put a value somewhere into a JSON tree: each number says which child to go to."""
    if not path or not isinstance(value, list | dict) or not value:
        return new
    keys = list(value) if isinstance(value, dict) else list(range(len(value)))
    key = keys[path[0] % len(keys)]
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[key] = changed(value[key], path[1:], new)
    return copy


@pytest.mark.parametrize("name", FILES)
@settings(max_examples=25)
@given(path=st.lists(st.integers(0, 30), min_size=1, max_size=5), new=VALUES)
def test_any_value_anywhere_in_a_json_file_is_read_or_refused(
    name: str, path: list[int], new: Any, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = made(name, tmp_path_factory.mktemp("fuzz"))
    file = folder / FILES[name]
    text = file.read_text(encoding="utf-8")
    split = "all" if name == "pubmedqa" else "test"
    lines = read_card(name).layouts[0].format == "jsonl"
    tree = [json.loads(line) for line in text.splitlines()] if lines else json.loads(text)
    tree = changed(tree, path, new)
    if lines and isinstance(tree, list):
        written = "\n".join(json.dumps(each) for each in tree)
    else:
        written = json.dumps(tree)
    file.write_text(written, encoding="utf-8")
    only_errors_or_items(name, folder, split)


@pytest.mark.parametrize("name", TABLES)
@settings(max_examples=20)
@given(place=st.tuples(st.integers(0, 9), st.integers(0, 20)), cell=st.text(max_size=30))
def test_any_cell_of_a_table_is_read_or_refused(
    name: str, place: tuple[int, int], cell: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = made(name, tmp_path_factory.mktemp("fuzz"))
    path, delimiter, split = folder / TABLES[name][0], TABLES[name][1], TABLES[name][2]
    rows = list(csv.reader(io.StringIO(path.read_text(encoding="utf-8")), delimiter=delimiter))
    row = rows[place[0] % len(rows)]
    row[place[1] % len(row)] = cell
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter).writerows(rows)
    path.write_bytes(text.getvalue().encode("utf-8", "surrogatepass"))
    only_errors_or_items(name, folder, split)


@pytest.mark.parametrize("name", ["vqa_rad", "qa", "mirage", "beir", "medquad", "path_vqa"])
@settings(max_examples=40)
@given(content=st.binary(max_size=200), at=st.integers(0, 400))
def test_any_bytes_in_a_file_are_read_or_refused(
    name: str, content: bytes, at: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = made(name, tmp_path_factory.mktemp("fuzz"))
    file = next(path for path in sorted(folder.rglob("*.json*")) if path.is_file())
    whole = file.read_bytes()
    file.write_bytes(whole[:at] + content + whole[at:])
    only_errors_or_items(name, folder)
