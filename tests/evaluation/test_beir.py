import json
from pathlib import Path

import pytest

from medrag.errors import EvaluationError
from medrag.evaluation.beir import load_beir, read_qrels, read_queries


def write_queries(folder: Path, *queries: tuple[str, str]) -> None:
    lines = [json.dumps({"_id": id_, "text": text}) for id_, text in queries]
    (folder / "queries.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")


def write_qrels(folder: Path, split: str, *rows: tuple[str, str, int]) -> None:
    (folder / "qrels").mkdir(exist_ok=True)
    lines = ["query-id\tcorpus-id\tscore", *("\t".join(map(str, row)) for row in rows)]
    (folder / "qrels" / f"{split}.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")


def test_a_split_gives_the_questions_it_judges_in_the_order_of_the_queries(tmp_path: Path) -> None:
    write_queries(tmp_path, ("7", "seven"), ("8", "eight"), ("9", "nine"))
    write_qrels(tmp_path, "test", ("9", "a", 2), ("7", "b", 1), ("7", "c", 0))
    task = load_beir(tmp_path)
    assert [(question.id, question.text) for question in task.questions] == [
        ("7", "seven"),
        ("9", "nine"),
    ]
    assert task.qrels == {"9": {"a": 2}, "7": {"b": 1, "c": 0}}
    assert task.split == "test"


def test_the_only_split_is_taken_and_another_must_be_named(tmp_path: Path) -> None:
    write_queries(tmp_path, ("1", "one"))
    write_qrels(tmp_path, "dev", ("1", "a", 1))
    assert load_beir(tmp_path).split == "dev"
    write_qrels(tmp_path, "train", ("1", "a", 1))
    with pytest.raises(EvaluationError, match="no split 'test'; it has dev, train"):
        load_beir(tmp_path)
    assert load_beir(tmp_path, split="train").split == "train"


def test_a_folder_of_another_layout_is_named(tmp_path: Path) -> None:
    with pytest.raises(EvaluationError, match=r"not in the BEIR layout: no qrels/\*\.tsv"):
        load_beir(tmp_path)


def test_missing_queries_are_named(tmp_path: Path) -> None:
    write_qrels(tmp_path, "test", ("1", "a", 1))
    with pytest.raises(EvaluationError, match=r"queries\.jsonl cannot be read"):
        load_beir(tmp_path)


def test_judged_queries_without_a_text_are_named(tmp_path: Path) -> None:
    write_queries(tmp_path, ("1", "one"))
    write_qrels(tmp_path, "test", ("1", "a", 1), ("2", "a", 1))
    with pytest.raises(EvaluationError, match=r"judges 1 queries that .* lacks, such as '2'"):
        load_beir(tmp_path)


@pytest.mark.parametrize("line", ["{", "[]", '{"_id": "1"}', '{"text": "one"}', "7"])
def test_a_broken_query_is_named_by_its_line(tmp_path: Path, line: str) -> None:
    path = tmp_path / "queries.jsonl"
    path.write_text(f'{{"_id": "0", "text": "zero"}}\n\n{line}\n', encoding="utf-8")
    with pytest.raises(EvaluationError, match=r"queries\.jsonl, line 3: expected"):
        read_queries(path)


def test_a_query_id_that_stands_twice_is_refused(tmp_path: Path) -> None:
    write_queries(tmp_path, ("1", "one"), ("1", "uno"))
    with pytest.raises(EvaluationError, match="line 2: the query id '1' stands there twice"):
        read_queries(tmp_path / "queries.jsonl")


def test_judgements_are_read_without_headings_and_in_the_columns_of_trec(tmp_path: Path) -> None:
    path = tmp_path / "qrels.txt"
    path.write_text("1\ta\t1\n1\tb\t0\n", encoding="utf-8")
    assert read_qrels(path) == {"1": {"a": 1, "b": 0}}
    path.write_text("1 0 a 2\r\n2 Q0 b 1\r\n", encoding="utf-8")
    assert read_qrels(path) == {"1": {"a": 2}, "2": {"b": 1}}


@pytest.mark.parametrize("line", ["1\ta", "1\ta\tyes", "1\ta\t0.5", "1\ta\t1\t2\t3", "1\ta\tinf"])
def test_a_broken_judgement_is_named_by_its_line(tmp_path: Path, line: str) -> None:
    path = tmp_path / "test.tsv"
    path.write_text(f"query-id\tcorpus-id\tscore\n{line}\n", encoding="utf-8")
    with pytest.raises(EvaluationError, match=r"test\.tsv, line 2: expected query id"):
        read_qrels(path)


def test_judgements_that_contradict_each_other_are_refused(tmp_path: Path) -> None:
    write_qrels(tmp_path, "test", ("1", "a", 1), ("1", "a", 0))
    with pytest.raises(EvaluationError, match="line 3: document 'a' is judged 0 for query '1'"):
        read_qrels(tmp_path / "qrels" / "test.tsv")


def test_a_file_without_judgements_is_refused(tmp_path: Path) -> None:
    write_qrels(tmp_path, "test")
    with pytest.raises(EvaluationError, match="holds no judgements"):
        read_qrels(tmp_path / "qrels" / "test.tsv")
