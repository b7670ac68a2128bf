"""`medrag eval selection` as a person and a program use it."""

import json
from pathlib import Path

import pytest

from medrag.config import Index
from medrag.selection.calibration import load_k_calibration
from tests.cli.conftest import Run
from tests.evaluation.library import written_index, written_questions


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Index:
    return written_index(tmp_path_factory.mktemp("small"))


@pytest.fixture(scope="module")
def questions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written_questions(tmp_path_factory.mktemp("asked"))


@pytest.fixture
def asked(small: Index, questions: Path) -> tuple[object, ...]:
    return ("eval", "selection", "sample", "qa", "--data", questions, "--index", small.folder)


def test_a_table_of_settings_is_told_without_answers(
    medrag: Run, asked: tuple[object, ...]
) -> None:
    rule = "gap:adjacent_log_gap:gamma=0.1,9:score=lexical"
    result = medrag(*asked, "--k", "1,5", "--rule", rule, "--rule", "gap:top1_ratio:score=text")
    assert result.exit_code == 0, result.output
    told = " ".join(result.stdout.split())
    assert "qa, test: 6 items in 6 clusters, 20 hits retrieved for each setting" in told
    assert "setting fired kept recall precision k=1" in told
    assert "gap:adjacent_log_gap:gamma=0.1:score=lexical - k=" in told
    assert "accuracy" not in told
    messages = " ".join(result.stderr.split())
    assert "gamma=9:score=lexical: the rule never fired on any of 6 items" in messages
    assert "gap:top1_ratio:score=text: refused 6 of 6 items" in messages
    assert "no hit has a score 'text'; there are fused, lexical" in messages


def test_answers_and_a_calibration_are_written(
    medrag: Run, asked: tuple[object, ...], tmp_path: Path
) -> None:
    out, file = tmp_path / "run", tmp_path / "k.json"
    options = ("--k", "1,0", "--out", out, "--calibrate", file, "--alpha", 0.5, "--json")
    more = ("--procedure", "fixed_sequence", "--bound", "exact", "--rule", "mixture")
    result = medrag(*asked, *options, *more)
    assert result.exit_code == 0, result.output
    value = json.loads(result.stdout)
    assert set(value) == {
        "benchmark", "split", "n_items", "n_clusters", "depth", "protocol", "settings", "growth",
        "problems", "calibration",
    }  # fmt: skip
    rule = value["settings"][-1]
    assert rule["name"] == "mixture"
    assert set(rule["beside"]["differences"]) == {"accuracy", "recall", "precision"}
    assert set(rule["measures"]["accuracy"]) == {"value", "low", "high", "n"}
    found = load_k_calibration(file)
    assert [each.k for each in found.tested] == [1, 0]
    assert (found.procedure, found.bound, found.alpha) == ("fixed_sequence", "exact", 0.5)
    assert value["calibration"] == json.loads(file.read_text(encoding="utf-8"))
    assert f"file: {file}" in result.stderr
    scored = medrag("eval", "compare", f"{out}@k=0", f"{out}@k=1")
    assert scored.exit_code == 0, scored.output


def test_the_tests_of_each_k_are_shown(
    medrag: Run, asked: tuple[object, ...], tmp_path: Path
) -> None:
    file = tmp_path / "k.json"
    options = ("--k", "0", "--answers", "--out", tmp_path / "run", "--calibrate", file)
    result = medrag(*asked, *options)
    assert result.exit_code == 0, result.output
    told = " ".join(result.stdout.split())
    assert "risk of each k on 6 independent items, tested by bonferroni at delta 0.1" in told
    assert "no k controls the risk at 0.2" in told
    assert "6 items are too few to test a risk of 0.2: 11" in " ".join(result.stderr.split())


def test_shares_are_no_right_and_wrong_for_the_exact_bound(
    medrag: Run, small: Index, tmp_path: Path
) -> None:
    row = {"id": "1", "question": "What is gout?", "answer": "an inflammation of sugar"}
    (tmp_path / "test.jsonl").write_text(json.dumps(row) + "\n", encoding="utf-8")
    asked = ("eval", "selection", "sample", "qa", "--data", tmp_path, "--index", small.folder)
    options = ("--k", "1", "--out", tmp_path / "run", "--calibrate", tmp_path / "k.json")
    result = medrag(*asked, *options, "--bound", "exact", "--protocol", "overlap")
    assert result.exit_code == 2, result.output
    assert "this protocol gives shares; use hoeffding_bentkus" in " ".join(result.stderr.split())


def test_a_grid_may_be_a_file(medrag: Run, asked: tuple[object, ...], tmp_path: Path) -> None:
    grid = tmp_path / "grid.yaml"
    grid.write_text(
        "settings:\n"
        "  - {kind: floor, floor: [0.3, 0.9]}\n"
        "  - {name: both, kind: chain, selectors: [{kind: mixture}, {kind: top_k, k: 2}]}\n",
        encoding="utf-8",
    )
    result = medrag(*asked, "--rule", grid, "--json")
    assert result.exit_code == 0, result.output
    names = [each["name"] for each in json.loads(result.stdout)["settings"]]
    assert names[-3:] == ["floor:floor=0.3", "floor:floor=0.9", "both"]


@pytest.mark.parametrize(
    ("options", "code", "told"),
    [
        (("--rule", "gap:adjacent_gap:gamma=1"), 1, "--rule, rule: expected 'adjacent_log_gap'"),
        (("--rule", "gap:gama=1"), 1, "did you mean 'gamma'"),
        (("--rule", "gap:adjacent_log_gap"), 1, "the rule 'adjacent_log_gap' needs gamma"),
        (("--rule", "gap:gamma=1:gamma=2"), 2, "'gamma' stands twice"),
        (("--rule", "gap:gamma=1,1"), 2, "two settings of a grid are the same"),
        (("--rule", "none.yaml"), 1, "none.yaml: cannot be read"),
        (("--k", "1,x"), 2, "expected whole numbers such as 1,2,5"),
        (("--k", ""), 2, "nothing to try"),
        (("--k", "1,1"), 2, "expected different numbers of at least 0"),
        (("--k", "9", "--depth", 5), 2, "9 hits are more than --depth 5"),
        (("--answers",), 2, "--answers and --calibrate need --out"),
        (("--protocol", "overlap"), 2, "--protocol: there are no answers to score without --out"),
        (
            ("--judge-url", "http://127.0.0.1:9/v1", "--judge-model", "m"),
            2,
            "--judge-url, --judge-model: there are no answers to score without --out",
        ),
        (("--faithful",), 2, "--faithful: there are no answers to score without --out"),
        (("--key-variable", "KEY"), 2, "--key-variable: there are no answers to score"),
        (("--alpha", 1.5), 2, "expected a number between 0 and 1, got 1.5"),
        (("--procedure", "holms"), 2, "did you mean 'holm'"),
        (("--bound", "exakt"), 2, "did you mean 'exact'"),
    ],
)
def test_misuse_of_selection_is_told(
    medrag: Run, asked: tuple[object, ...], options: tuple[object, ...], code: int, told: str
) -> None:
    result = medrag(*asked, *options)
    assert result.exit_code == code, result.output
    assert told in " ".join(result.stderr.split())


def test_answers_among_the_files_of_the_benchmark_are_refused(
    medrag: Run, asked: tuple[object, ...], questions: Path
) -> None:
    before = sorted(path.name for path in questions.iterdir())
    result = medrag(*asked, "--k", "1", "--out", questions)
    assert result.exit_code == 2, result.output
    assert "give a folder of its own" in " ".join(result.stderr.split())
    assert sorted(path.name for path in questions.iterdir()) == before


def test_answers_in_the_current_folder_are_refused(
    medrag: Run, asked: tuple[object, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = medrag(*asked, "--k", "1", "--out", ".")
    assert result.exit_code == 2, result.output
    assert "give a folder of its own" in " ".join(result.stderr.split())
    assert not list(tmp_path.iterdir())


def test_a_grid_that_is_no_list_is_refused(
    medrag: Run, asked: tuple[object, ...], tmp_path: Path
) -> None:
    grid = tmp_path / "grid.yaml"
    grid.write_text("settings: {kind: gap}\n", encoding="utf-8")
    result = medrag(*asked, "--rule", grid)
    assert result.exit_code == 1
    assert "grid.yaml, settings: expected a list of selectors" in " ".join(result.stderr.split())


def test_a_file_of_something_else_is_refused_before_anything_is_asked(
    medrag: Run, asked: tuple[object, ...], tmp_path: Path
) -> None:
    file = tmp_path / "own.json"
    file.write_text("{}", encoding="utf-8")
    result = medrag(*asked, "--out", tmp_path / "run", "--calibrate", file)
    assert result.exit_code == 1
    assert "is no calibration of k; name another file" in " ".join(result.stderr.split())
    assert not (tmp_path / "run").exists()
