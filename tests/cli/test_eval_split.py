"""`medrag eval split` as a person and a program use it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

from medrag.cli.evaluate.split import split
from medrag.errors import EvaluationError

CARD = """
title: Made
about: Rows of a made-up set.
licence: none
access: open
home: nowhere
cite: none
images_per_question: "0"
protocols: [exact]
layouts:
  - name: lines
    format: jsonl
    splits: {test: {files: [test.jsonl]}, train: {files: [train.jsonl]}}
    id: id
    question: question
    answer: answer
    kind: text
    cluster: patient
    keep: {sex: sex, modality: modality, area: area, task: task}
"""
SIZES = ("--train", 8, "--test", 4, "--ood", 4)
ASKED = ("--label", "answer", "--confounder", "sex")
Run = Callable[..., Result]


def row(name: str, answer: str, **columns: Any) -> dict[str, Any]:
    return {"id": name, "question": "What is it?", "answer": answer, "patient": name, **columns}


def written(folder: Path, rows: list[dict[str, Any]], name: str = "test") -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "made.yaml").write_text(CARD, encoding="utf-8")
    lines = "\n".join(map(json.dumps, rows)) + "\n"
    (folder / f"{name}.jsonl").write_text(lines, encoding="utf-8")
    return folder


@pytest.fixture
def sexes(tmp_path: Path) -> Path:
    """Eight rows of either class with either sex, and one more of ill men."""
    rows = [
        row(f"{answer} {sex} {n}", answer, sex=sex)
        for answer in ("ill", "well")
        for sex in ("female", "male")
        for n in range(9 if (answer, sex) == ("ill", "male") else 8)
    ]
    return written(tmp_path / "data", rows)


@pytest.fixture
def mats(tmp_path: Path) -> Path:
    triples = [
        ("CT", "lung", "COVID-19, classified"), ("CT", "lung", "cancer"), ("CT", "brain", "cancer"),
        ("X-ray", "lung", "cancer"), ("OCT", "retina", "drusen"),
    ]  # fmt: skip
    rows = [row(str(n), "a", modality=m, area=a, task=t) for n, (m, a, t) in enumerate(triples)] + [
        row("bare", "a")
    ]
    return written(tmp_path / "data", rows)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    app = typer.Typer()
    app.command()(split)

    def command(data: Path, *arguments: object, out: Path | None = None) -> Result:
        given = [data / "made.yaml", "--data", data, "--out", out or tmp_path / "lists.json"]
        return CliRunner().invoke(app, [str(each) for each in (*given, *arguments)])

    return command


def lists(tmp_path: Path) -> dict[str, Any]:
    value = json.loads((tmp_path / "lists.json").read_text(encoding="utf-8"))
    assert isinstance(value, dict)
    return value


def kinds(ids: list[str]) -> set[str]:
    return {name.rsplit(" ", 1)[0] for name in ids}


def problem(result: Result) -> str:
    """Give a usage error on one line, without the frame that a terminal draws."""
    assert result.exit_code == 2, result.output
    return " ".join(result.output.replace("│", " ").split())


def test_confounded_lists_are_written_and_counted(run: Run, sexes: Path, tmp_path: Path) -> None:
    result = run(sexes, *ASKED, *SIZES)
    assert result.exit_code == 0, result.output
    found = lists(tmp_path)
    # There is one more ill man than others, so that ill goes with male most often.
    assert found["pairs"] == {"ill": "male", "well": "female"}
    assert kinds(found["train"]) == kinds(found["test"]) == {"ill male", "well female"}
    assert kinds(found["ood"]) == {"ill female", "well male"}
    assert [len(found[name]) for name in ("train", "test", "ood")] == [8, 4, 4]
    assert result.stdout.split()[:3] == ["train", "8", "items"]


def test_pairs_seed_and_strength_are_given_and_told(run: Run, sexes: Path, tmp_path: Path) -> None:
    pairs = ("--pair", "ill=female", "--pair", "well=male", "--seed", 3, "--strength", 0.75)
    result = run(sexes, *ASKED, *SIZES, *pairs, "--json")
    assert result.exit_code == 0, result.output
    shape = json.loads(result.stdout)
    assert shape["pairs"] == {"ill": "female", "well": "male"}
    assert shape["counts"] == {"train": 8, "test": 4, "ood": 4}
    assert (shape["seed"], shape["strength"]) == (3, 0.75)
    # 3 of 4 follow the pairs.
    assert sum(name.startswith("ill female") for name in lists(tmp_path)["train"]) == 3


def test_several_parts_are_drawn_from_together(run: Run, tmp_path: Path) -> None:
    data = written(tmp_path / "data", [row("a", "ill", sex="male"), row("b", "ill", sex="female")])
    written(data, [row("c", "well", sex="male"), row("d", "well", sex="female")], "train")
    sizes = ("--train", 2, "--test", 0, "--ood", 2)
    result = run(data, *ASKED, *sizes, "--split", "test", "--split", "train")
    assert result.exit_code == 0, result.output
    assert {*lists(tmp_path)["train"], *lists(tmp_path)["ood"]} == {"a", "b", "c", "d"}


def test_too_few_items_are_counted_by_kind(run: Run, sexes: Path) -> None:
    result = run(sexes, *ASKED, "--train", 40, "--test", 4, "--ood", 4)
    assert isinstance(result.exception, EvaluationError)
    assert "train lacks" in str(result.exception)
    assert "there are 9 in all" in str(result.exception)


def test_a_combination_is_held_out(run: Run, mats: Path, tmp_path: Path) -> None:
    result = run(mats, "--combination", "modality=CT,area=lung,task=cancer")
    assert result.exit_code == 0, result.output
    found = lists(tmp_path)
    assert found["combination"] == {"modality": "CT", "area": "lung", "task": "cancer"}
    assert (found["test"], found["related"], found["unrelated"]) == (["1"], ["0", "2", "3"], ["4"])
    assert "left out: 1 item without modality, area, task" in result.stderr


def test_a_value_may_hold_a_comma(run: Run, mats: Path) -> None:
    result = run(mats, "--combination", "area=lung,modality=CT,task=COVID-19, classified")
    # It was read whole, and its task occurs nowhere else.
    assert isinstance(result.exception, EvaluationError)
    assert "the task 'COVID-19, classified' of CT x lung" in str(result.exception)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([*ASKED], "--train"),
        ([*ASKED, "--train", 3, "--test", 2, "--ood", 2], "even number"),
        (["--label", "answer"], "give --label and --confounder, or --combination"),
        (["--label", "sex", "--confounder", "sex"], "another column than --label"),
        (["--label", "answer", "--confounder", "sx", *SIZES], "unknown column 'sx'; did you mean"),
        ([*ASKED, *SIZES, "--pair", "ill"], "expected CLASS=VALUE, got 'ill'"),
        ([*ASKED, *SIZES, "--pair", "ill=male"], "two pairs of different classes"),
        ([*ASKED, *SIZES, "--pair", "il=male", "--pair", "well=female"], "did you mean 'ill'?"),
        ([*ASKED, *SIZES, "--pair", "ill=man", "--pair", "well=female"], "unknown sex 'man'"),
        ([*ASKED, "--combination", "modality=CT,area=a,task=t"], "give --combination alone"),
        (["--combination", "modality=CT,area=lung"], "expected modality=...,area=...,task=..."),
        (["--combination", "modality=CT,area=a,task=t"], "unknown column 'modality'"),
    ],
    ids=str,
)
def test_options_that_do_not_fit_are_named(
    run: Run, sexes: Path, tmp_path: Path, arguments: list[object], said: str
) -> None:
    assert said in problem(run(sexes, *arguments))
    assert not (tmp_path / "lists.json").exists()


def test_more_than_two_classes_need_pairs(run: Run, tmp_path: Path) -> None:
    rows = [row(answer, answer, sex="male") for answer in ("ill", "unsure", "well")]
    data = written(tmp_path / "data", rows)
    assert "answer holds ill, unsure, well; sex holds male" in problem(run(data, *ASKED, *SIZES))


def test_a_value_that_is_nowhere_is_named_with_the_nearest(run: Run, mats: Path) -> None:
    result = run(mats, "--combination", "modality=CT,area=lungs,task=cancer")
    assert "unknown area 'lungs'; did you mean 'lung'?" in problem(result)


def test_a_file_that_cannot_be_written_is_named(run: Run, sexes: Path, tmp_path: Path) -> None:
    result = run(sexes, *ASKED, *SIZES, out=tmp_path / "no folder" / "lists.json")
    assert isinstance(result.exception, EvaluationError)
    assert "name a file in a folder that is there" in str(result.exception)
