"""What is wrong with a folder is named and counted, and never scored as wrong in silence."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from medrag.errors import EvaluationError
from medrag.evaluation.benchmarks import known_benchmarks, load_benchmark, read_card
from tests.evaluation.benchmarks.made import FIXTURES, made


def qa(folder: Path, *rows: dict[str, Any]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    (folder / "questions.jsonl").write_text(lines, encoding="utf-8")
    return folder


def row(name: str, **values: Any) -> dict[str, Any]:
    return {"id": name, "question": f"What is {name}?", "answer": "a cyst", **values}


COUNTED = sorted(
    path.name
    for path in FIXTURES.iterdir()
    if path.name in known_benchmarks()
    and any(
        split.expect is not None and name == "test"
        for layout in read_card(path.name).layouts
        for name, split in layout.splits.items()
    )
)


@pytest.mark.parametrize("name", [name for name in COUNTED if name != "pubmedqa"])
def test_a_wrong_count_says_expected_and_found_and_the_way_out(name: str, tmp_path: Path) -> None:
    folder = made(name, tmp_path)
    with pytest.raises(EvaluationError, match=r"items: expected [\d,]+, found \d+") as caught:
        load_benchmark(name, folder, extracted=tmp_path / "extracted")
    assert "--subset" in str(caught.value)
    accepted = load_benchmark(name, folder, subset=True, extracted=tmp_path / "extracted")
    assert accepted.problems[0].startswith("items: expected ")


def test_counts_of_each_part_are_told(tmp_path: Path) -> None:
    problems = load_benchmark("mirage", made("mirage", tmp_path), subset=True).problems
    assert "@group mmlu: expected 1,089, found 1" in problems


def test_a_limit_reads_the_first_items_and_checks_no_count(tmp_path: Path) -> None:
    benchmark = load_benchmark("vqa_rad", made("vqa_rad", tmp_path), limit=2)
    assert len(benchmark.items) == 2
    assert benchmark.problems == ("only the first 2 items were read; counts were not checked",)


def test_a_limit_below_one_is_a_mistake_of_the_caller(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="limit must be at least 1, got 0"):
        load_benchmark("qa", tmp_path, limit=0)


def test_a_split_that_is_missing_is_refused_with_those_that_are_there(tmp_path: Path) -> None:
    folder = made("slake", tmp_path)
    with pytest.raises(EvaluationError, match="no split 'train' of slake; it has test"):
        load_benchmark("slake", folder, split="train")


def test_an_unknown_split_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EvaluationError, match="no split 'tests' of vqa_rad; it has test, train"):
        load_benchmark("vqa_rad", made("vqa_rad", tmp_path), split="tests")


def test_the_folder_of_another_benchmark_is_recognised(tmp_path: Path) -> None:
    with pytest.raises(EvaluationError, match=r"looks like .*vqa_rad") as caught:
        load_benchmark("mmxu", made("vqa_rad", tmp_path))
    assert "official: test: **/MMXU-test.jsonl" in str(caught.value)


def test_a_file_of_the_right_name_with_other_columns_is_told(tmp_path: Path) -> None:
    folder = tmp_path / "slake"
    folder.mkdir()
    (folder / "test.json").write_text('[{"question": "Why?", "label": 1}]', encoding="utf-8")
    with pytest.raises(EvaluationError, match=r"test\.json has no qid, answer, img_name"):
        load_benchmark("slake", folder)


def test_a_folder_that_is_none_is_named(tmp_path: Path) -> None:
    with pytest.raises(EvaluationError, match="is no folder"):
        load_benchmark("qa", tmp_path / "nowhere")


def test_missing_pictures_are_listed_and_counted(tmp_path: Path) -> None:
    rows = [row(str(n), image=f"{n}.png") for n in range(5)]
    with pytest.raises(EvaluationError, match=r"5 rows of .* that are not there") as caught:
        load_benchmark("qa", qa(tmp_path, *rows))
    message = str(caught.value)
    assert "0.png (questions.jsonl, line 1)" in message
    assert "2.png" in message
    assert "3.png" not in message
    assert "and 2 more" in message


def test_rows_without_their_picture_are_left_out_of_a_subset_and_told(tmp_path: Path) -> None:
    folder = qa(tmp_path, row("a"), row("b", image="b.png"))
    benchmark = load_benchmark("qa", folder, subset=True)
    assert [item.id for item in benchmark.items] == ["a"]
    assert benchmark.problems[0].startswith("left out: 1 row of ")


def test_an_archive_that_was_not_unpacked_is_pointed_out(tmp_path: Path) -> None:
    (tmp_path / "images.zip").write_bytes(b"PK")
    with pytest.raises(EvaluationError, match=r"unpack images\.zip first\?"):
        load_benchmark("qa", qa(tmp_path, row("a", image="a.png")))


def test_an_address_is_no_picture(tmp_path: Path) -> None:
    folder = qa(tmp_path, row("a", image="https://example.org/a.png"))
    with pytest.raises(EvaluationError, match="an address; download the pictures first"):
        load_benchmark("qa", folder)


@pytest.mark.parametrize("path", ["../secret.png", "/etc/passwd", "images/../../secret.png"])
def test_a_path_that_leaves_the_folder_is_refused_even_for_a_subset(
    path: str, tmp_path: Path
) -> None:
    (tmp_path / "secret.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    folder = qa(tmp_path / "inside", row("a", image=path))
    with pytest.raises(EvaluationError, match="which leaves"):
        load_benchmark("qa", folder, subset=True)


def test_a_link_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "secret.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    folder = qa(tmp_path / "inside", row("a", image="link.png"))
    (folder / "link.png").symlink_to(tmp_path / "secret.png")
    with pytest.raises(EvaluationError, match="which leaves"):
        load_benchmark("qa", folder)


def test_a_folder_of_pictures_may_be_a_link_that_the_user_made(tmp_path: Path) -> None:
    archive = made("mmxu", tmp_path / "archive")
    folder = made("mmxu", tmp_path / "set")
    shutil.rmtree(folder / "files")
    (folder / "mimic-cxr-jpg").symlink_to(archive)
    assert len(load_benchmark("mmxu", folder, subset=True).items) == 3


def test_a_row_must_not_leave_a_linked_folder_either(tmp_path: Path) -> None:
    (tmp_path / "archive").mkdir()
    (tmp_path / "secret.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    folder = qa(tmp_path / "inside", row("a", image="../secret.png"))
    (folder / "images").symlink_to(tmp_path / "archive")
    with pytest.raises(EvaluationError, match="which leaves"):
        load_benchmark("qa", folder)


def test_an_id_that_repeats_names_both_places(tmp_path: Path) -> None:
    folder = qa(tmp_path, row("a"), row("b"), row("a"))
    with pytest.raises(
        EvaluationError, match=r"'a' stands twice .*jsonl, line 1 and questions\.jsonl, line 3"
    ):
        load_benchmark("qa", folder, subset=True)


def test_a_broken_line_is_numbered(tmp_path: Path) -> None:
    folder = qa(tmp_path, row("a"), row("b"))
    path = folder / "questions.jsonl"
    path.write_text(path.read_text(encoding="utf-8") + '{"id": "c", "quest', encoding="utf-8")
    with pytest.raises(EvaluationError, match=r"questions\.jsonl, line 3: not JSON"):
        load_benchmark("qa", folder)
    accepted = load_benchmark("qa", folder, subset=True)
    assert len(accepted.items) == 2
    assert "line 3" in accepted.problems[0]


def test_a_json_list_that_was_cut_short_is_an_error_with_its_place(tmp_path: Path) -> None:
    text = (FIXTURES / "slake" / "test.json").read_text(encoding="utf-8")
    (tmp_path / "imgs" / "xmlab1").mkdir(parents=True)
    (tmp_path / "test.json").write_text(text[: len(text) // 2], encoding="utf-8")
    with pytest.raises(EvaluationError, match=r"test\.json, character \d+: broken JSON"):
        load_benchmark("slake_all", tmp_path, subset=True)


def test_a_file_of_another_encoding_is_refused(tmp_path: Path) -> None:
    (tmp_path / "test.json").write_bytes('[{"question": "où?"}]'.encode("latin-1"))
    with pytest.raises(EvaluationError, match="is not UTF-8"):
        load_benchmark("slake", tmp_path)


def test_a_mark_of_utf_8_at_the_beginning_is_no_harm(tmp_path: Path) -> None:
    folder = made("slake", tmp_path)
    path = folder / "test.json"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert len(load_benchmark("slake", folder, subset=True).items) == 2


@pytest.mark.parametrize("answer", [None, "", "  ", "NaN", float("nan")])
def test_an_answer_that_is_absent_is_named(answer: Any, tmp_path: Path) -> None:
    folder = qa(tmp_path, row("a"), row("b", answer=answer))
    with pytest.raises(EvaluationError, match=r"line 2: no answer stands in 'answer \| answers"):
        load_benchmark("qa", folder)


def test_the_answer_none_is_an_answer(tmp_path: Path) -> None:
    folder = qa(tmp_path, row("a", answer="None"))
    assert load_benchmark("qa", folder).items[0].references == ("None",)


def test_a_letter_that_names_no_option_is_told(tmp_path: Path) -> None:
    folder = qa(tmp_path, row("a", options=["x", "y"], answer="D"))
    with pytest.raises(EvaluationError, match="'D' names none of the options A, B"):
        load_benchmark("qa", folder)


def test_an_unknown_answer_type_is_not_guessed(tmp_path: Path) -> None:
    folder = made("bccd_qa", tmp_path)
    path = folder / "bccd_qa.jsonl"
    path.write_text(path.read_text(encoding="utf-8").replace("CLOSED", "HALF"), encoding="utf-8")
    with pytest.raises(EvaluationError, match="says 'half', expected closed or open"):
        load_benchmark("bccd_qa", folder)


def test_a_table_with_pictures_needs_a_place_to_write_them(tmp_path: Path) -> None:
    folder = made("gmai_mmbench", tmp_path)
    with pytest.raises(EvaluationError, match="say where to write them"):
        load_benchmark("gmai_mmbench", folder, split="validation")


def test_bytes_that_are_no_picture_are_not_written(tmp_path: Path) -> None:
    folder = made("gmai_mmbench", tmp_path)
    path = folder / "GMAI-MMBench_VAL.tsv"
    lines = path.read_text(encoding="utf-8").splitlines()
    cells = lines[2].split("\t")
    cells[1] = "bm8gcGljdHVyZQ=="  # "no picture"
    lines[2] = "\t".join(cells)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    with pytest.raises(EvaluationError, match=r"line 3: 'image' holds 10 bytes that are no pic"):
        load_benchmark("gmai_mmbench", folder, split="validation", extracted=tmp_path / "x")


def test_rows_that_point_past_the_studies_are_told(tmp_path: Path) -> None:
    folder = made("temmed_bench", tmp_path)
    path = folder / "Get_Data" / "TestSet_SelectedVQA_2000.json"
    path.write_text('[{"img_id": 0, "question_id": 1}, {"img_id": 9, "question_id": 0}]')
    with pytest.raises(EvaluationError, match="'img_id' is 9, expected a number below 3"):
        load_benchmark("temmed_bench", folder)


def test_a_file_that_rows_refer_to_must_be_there(tmp_path: Path) -> None:
    folder = made("temmed_bench", tmp_path)
    (folder / "Get_Data" / "TestSet_VQA_ReportGeneration_Final.json").unlink()
    with pytest.raises(EvaluationError, match="which the rows refer to"):
        load_benchmark("temmed_bench", folder)


def test_an_empty_split_says_why_it_is_empty(tmp_path: Path) -> None:
    with pytest.raises(EvaluationError, match="has no item of the split 'validation'"):
        load_benchmark("iu_xray", made("iu_xray", tmp_path), split="validation")


def test_the_hash_of_each_file_is_that_of_its_bytes(tmp_path: Path) -> None:
    # SHA-256 of the fixture's bytes, so that a run can tell one release from another.
    folder = made("vqa_rad", tmp_path)
    files = load_benchmark("vqa_rad", folder, subset=True).files
    assert list(files) == ["VQA_RAD Dataset Public.json"]
    assert len(files["VQA_RAD Dataset Public.json"]) == 64
