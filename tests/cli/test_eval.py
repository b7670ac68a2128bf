"""`medrag eval` as a person and a program use it."""

import json
import math
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from medrag.cli.main import app
from medrag.cli.progress import progress_line
from medrag.config import Index
from tests.cli.conftest import Run
from tests.evaluation.library import written_index, written_questions


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Index:
    return written_index(tmp_path_factory.mktemp("small"))


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written_questions(tmp_path_factory.mktemp("asked"))


@pytest.fixture(scope="module")
def ran(small: Index, asked: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("ran") / "run"
    command = ["eval", "run", "sample", "qa", "--data", asked, "--index", small.folder]
    command += ["--out", out, "--arm", "all"]
    result = CliRunner().invoke(app, [str(each) for each in command], prog_name="medrag")
    assert result.exit_code == 0, result.output
    return out


def shape(result: Result) -> dict[str, object]:
    assert result.exit_code == 0, result.output
    value = json.loads(result.stdout)
    assert isinstance(value, dict)
    return value


def test_a_run_tells_its_arms_and_what_to_do_next(
    medrag: Run, ran: Path, asked: Path, small: Index
) -> None:
    again = medrag(
        "eval", "run", "sample", "qa", "--data", asked, "--index", small.folder, "--out", ran
    )
    assert again.exit_code == 0, again.output
    assert "6 items, context, no_context, random_context, oracle_context, floor:" in again.stdout
    assert f"medrag eval score {ran}" in again.stderr


def test_scores_are_a_table_and_files(medrag: Run, ran: Path) -> None:
    result = medrag("eval", "score", ran)
    assert result.exit_code == 0, result.output
    assert "protocol exact, corrected; 95% intervals" in result.stdout
    rows = [line.split()[0] for line in result.stdout.splitlines()[1:] if line[:1].isalpha()]
    assert rows[:5] == ["arm", "context", "no_context", "random_context", "oracle_context"]
    written = json.loads((ran / "scores-exact-corrected.json").read_text(encoding="utf-8"))
    assert set(written["arms"]["context"]["measures"]) >= {"accuracy", "parsed", "answered"}
    lines = (ran / "rows-exact-corrected.jsonl").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 6 * len(written["arms"])


def test_claims_that_were_checked_anew_are_told(medrag: Run, ran: Path) -> None:
    bare, checked = (
        medrag("eval", "score", ran),
        medrag("eval", "score", ran, "--verify", "lexical"),
    )
    assert "claims_supported" not in bare.stdout
    assert "claims of context, a mean over answers:\n  citation_precision" in checked.stdout
    assert "share of claims that a verifier called supported" in checked.stdout


def test_the_json_of_scores_holds_estimates_states_and_flows(medrag: Run, ran: Path) -> None:
    value = shape(medrag("eval", "score", ran, "--json"))
    assert set(value) == {
        "benchmark", "split", "protocol", "mode", "headline", "n_items", "n_clusters", "arms",
        "diagnostics", "problems", "memory", "curves",
    }  # fmt: skip
    accuracy = value["arms"]["context"]["measures"]["accuracy"]  # type: ignore[index]
    assert set(accuracy) == {"value", "low", "high", "n"}
    assert {flow["before"] for flow in value["diagnostics"]["flows"]} == {  # type: ignore[index]
        "no_context", "random_context", "context"
    }  # fmt: skip


def test_a_shift_gives_relative_robustness(medrag: Run, ran: Path) -> None:
    value = shape(medrag("eval", "score", ran, "--shift", "type=organ", "--json"))
    kept = value["shifts"]["type=organ"]  # type: ignore[index]
    assert kept["iid"]["n"] == kept["ood"]["n"] == 3
    assert set(kept) == {"iid", "ood", "relative", "n_left_out"}


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--protocol", "exakt"), "did you mean 'exact'"),
        (("--protocol", "medevalkit_judge"), "needs a judge"),
        (("--judge-url", "http://localhost:1"), "needs both --judge-url and --judge-model"),
        (("--shift", "organ"), "expected COLUMN=VALUE"),
    ],
)
def test_misuse_of_score_is_told(
    medrag: Run, ran: Path, options: tuple[str, ...], told: str
) -> None:
    result = medrag("eval", "score", ran, *options)
    assert result.exit_code == 2
    assert told in " ".join(result.stderr.split())


def test_a_run_compared_with_itself_does_not_differ(medrag: Run, ran: Path) -> None:
    value = shape(medrag("eval", "compare", ran, ran, "--json"))
    accuracy = value["measures"]["accuracy"]  # type: ignore[index]
    assert accuracy["difference"] == 0
    assert accuracy["p"] == accuracy["adjusted_p"] == 1
    assert value["too_small"] is True


def test_a_small_set_says_that_it_is_too_small(medrag: Run, ran: Path) -> None:
    result = medrag("eval", "compare", f"{ran}@no_context", ran)
    assert result.exit_code == 0, result.output
    assert "minimum detectable difference" in result.stdout
    assert "too small to compare systems on" in result.stderr
    assert "run@context" in result.stdout


def test_a_folder_named_with_an_at_sign_is_a_folder(medrag: Run, ran: Path, tmp_path: Path) -> None:
    moved = tmp_path / "me@home"
    moved.mkdir()
    for file in ran.iterdir():
        if file.is_file():
            (moved / file.name).write_bytes(file.read_bytes())
    value = shape(medrag("eval", "compare", moved, f"{moved}@no_context", "--json"))
    assert (value["a"], value["b"]) == ("me@home@context", "me@home@no_context")


def test_a_report_is_a_page_and_a_table(medrag: Run, ran: Path, tmp_path: Path) -> None:
    page, table = tmp_path / "report.html", tmp_path / "table.md"
    result = medrag("eval", "report", ran, "--html", page, "--markdown", table)
    assert result.exit_code == 0, result.output
    assert page.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert "| with context |" in table.read_text(encoding="utf-8")


def test_a_report_without_files_prints_the_table(medrag: Run, ran: Path) -> None:
    result = medrag("eval", "report", ran)
    assert result.exit_code == 0, result.output
    assert "| with context |" in result.stdout


def test_a_page_in_a_folder_that_is_not_there_is_refused_before_scoring(
    medrag: Run, ran: Path, tmp_path: Path
) -> None:
    result = medrag("eval", "report", ran, "--html", tmp_path / "no" / "report.html")
    assert result.exit_code == 1
    assert "lies in a folder that does not exist" in result.stderr


@pytest.mark.parametrize("command", [("score",), ("report",)])
def test_a_folder_that_is_no_run_is_named(
    medrag: Run, tmp_path: Path, command: tuple[str, ...]
) -> None:
    result = medrag("eval", *command, tmp_path)
    assert result.exit_code == 1
    assert "is no run" in result.stderr


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--split", "final"), "final"),
        (("--arm", "golden"), "unknown arm 'golden'"),
        (("--data", "/nowhere/at/all"), "/nowhere/at/all"),
        (("--arm", "noise_image"), "no question of the benchmark has one"),
    ],
)
def test_a_run_of_what_is_not_there_is_refused(
    medrag: Run, small: Index, asked: Path, tmp_path: Path, options: tuple[str, ...], told: str
) -> None:
    command = ["eval", "run", "sample", "qa", "--data", asked, "--index", small.folder]
    result = medrag(*command, "--out", tmp_path / "run", *options)
    assert result.exit_code in (1, 2)
    assert told in " ".join(result.stderr.split())


def test_an_unknown_benchmark_names_the_nearest(medrag: Run, asked: Path, tmp_path: Path) -> None:
    result = medrag("eval", "run", "sample", "vqarad", "--data", asked, "--out", tmp_path / "run")
    assert result.exit_code == 1
    assert "vqa_rad" in result.stderr


def test_benchmarks_are_listed_and_told_in_full(medrag: Run) -> None:
    listed = shape(medrag("eval", "benchmarks", "--json"))["benchmarks"]
    assert len(listed) >= 40  # type: ignore[arg-type]
    told = medrag("eval", "benchmarks", "vqa_rad")
    assert told.exit_code == 0, told.output
    assert "CC0-1.0" in told.stdout
    assert "451 items" in told.stdout


def test_fetching_is_told_and_only_run_where_access_is_open(medrag: Run, tmp_path: Path) -> None:
    told = medrag("eval", "fetch", "vqa_rad", "--out", tmp_path / "files")
    assert told.exit_code == 0, told.output
    assert "hf download" in told.stdout
    assert not (tmp_path / "files").exists()
    closed = medrag("eval", "fetch", "mmxu", "--run", "--out", tmp_path / "files")
    assert closed.exit_code == 1
    assert "access: credentialed" in closed.stderr


def test_retrievers_are_compared_pair_by_pair(medrag: Run, small: Index, asked: Path) -> None:
    systems = ("--system", "lexical", "--system", "lexical")
    value = medrag(
        "eval", "retrieval", small.folder, "--benchmark", "qa", "--data", asked, *systems, "--json"
    )
    found = shape(value)
    # The same name twice is one system, and there is no pair to compare.
    assert found["n_queries"] == 6


def test_a_pipeline_is_compared_with_channels(medrag: Run, small: Index, asked: Path) -> None:
    systems = ("--system", "lexical", "--fusion", "rrf", "--pipeline", "best")
    judged = ("--benchmark", "qa", "--data", asked, "--measure", "Hit@1")
    found = shape(medrag("eval", "retrieval", small.folder, *judged, *systems, "--json"))
    assert list(found["systems"]) == ["lexical (rrf)", "best"]  # type: ignore[call-overload]
    changes: list[dict[str, Any]] = found["differences"]  # type: ignore[assignment]
    [change] = changes
    assert (change["a"], change["b"], change["n"]) == ("lexical (rrf)", "best", 6)
    gained = change["n_better"] - change["n_worse"]
    assert gained == round(6 * change["difference"])
    told = medrag("eval", "retrieval", small.folder, *judged, *systems)
    assert "difference better worse p p (Holm)" in " ".join(told.stdout.split())


def test_two_pipelines_are_compared(medrag: Run, small: Index, asked: Path) -> None:
    systems = ("--pipeline", "sample", "--pipeline", "best")
    judged = ("--benchmark", "qa", "--data", asked, "--measure", "Hit@1")
    found = shape(medrag("eval", "retrieval", small.folder, *judged, *systems, "--json"))
    assert set(found["systems"]) == {"sample", "best"}  # type: ignore[call-overload]


@pytest.mark.parametrize(
    "options",
    [
        ("--channel", "lexical", "--pipeline", "best"),
        ("--channel", "lexical", "--system", "lexical"),
        ("--pipeline", "best", "--fusion", "rrf"),
        ("--system", "lexical", "--fusion", "sum"),
    ],
)
def test_ways_to_retrieve_that_exclude_each_other_are_refused(
    medrag: Run, small: Index, asked: Path, options: tuple[str, ...]
) -> None:
    judged = ("--benchmark", "qa", "--data", asked)
    assert medrag("eval", "retrieval", small.folder, *judged, *options).exit_code == 2


@pytest.mark.parametrize(
    "options", [(), ("--beir", ".", "--benchmark", "qa"), ("--benchmark", "qa")]
)
def test_retrieval_wants_judgements_from_one_place(
    medrag: Run, small: Index, options: tuple[str, ...]
) -> None:
    assert medrag("eval", "retrieval", small.folder, *options).exit_code == 2


def test_a_line_of_progress_says_how_long_it_will_take() -> None:
    # 100 in 50 s are 2 a second; 200 are left, and take 100 s.
    line = progress_line("answering", 100, 300, "answers", 50.0)
    assert line == "answering: 100 of 300 answers, 2.0/s, 1 min 40 s left"
    assert progress_line("answering", 1, 7201, "answers", 1.0).endswith("1.0/s, 2 h 0 min left")
    assert math.isfinite(len(progress_line("answering", 0, 10, "answers", 0.0)))


def test_a_run_among_the_files_of_its_benchmark_is_refused(
    medrag: Run, small: Index, asked: Path
) -> None:
    command = ["eval", "run", "sample", "qa", "--data", asked, "--index", small.folder]
    result = medrag(*command, "--out", asked)
    assert result.exit_code == 2
    assert "give a folder of its own" in " ".join(result.stderr.split())


def test_a_page_in_the_folder_of_the_run_is_refused(medrag: Run, ran: Path) -> None:
    result = medrag("eval", "report", ran, "--html", ran / "answers.jsonl")
    assert result.exit_code == 2
    assert (ran / "answers.jsonl").read_bytes().startswith(b"{")


def test_a_column_that_no_item_has_is_no_group(medrag: Run, ran: Path) -> None:
    result = medrag("eval", "score", ran, "--by", "tipe")
    assert result.exit_code == 2
    assert "did you mean 'type'" in " ".join(result.stderr.split())


def test_groups_are_printed(medrag: Run, ran: Path) -> None:
    result = medrag("eval", "score", ran, "--by", "type")
    assert result.exit_code == 0, result.output
    assert "type, right answers of context:" in result.stdout
    assert "of 3" in result.stdout


def test_claims_are_checked_anew(medrag: Run, ran: Path) -> None:
    value = shape(medrag("eval", "score", ran, "--verify", "lexical", "--json"))
    measures = value["arms"]["context"]["measures"]  # type: ignore[index]
    # The extractive reader quotes what it cites.
    assert measures["claims_supported"]["value"] > 0.5
    without = shape(medrag("eval", "score", ran, "--json"))
    assert "claims_supported" not in without["arms"]["context"]["measures"]  # type: ignore[index]
    assert medrag("eval", "score", ran, "--verify", "entailment").exit_code == 2


def test_clinical_measures_of_a_run_without_reports_are_refused(medrag: Run, ran: Path) -> None:
    result = medrag("eval", "score", ran, "--clinical", "radgraph")
    assert result.exit_code == 1
    assert "answers no report" in result.stderr


CARD = """
like: qa
title: A card from elsewhere
fetch: ["git clone --depth 1 https://example.org/owned {out}"]
"""


def test_commands_of_a_card_from_elsewhere_are_shown_and_not_run(
    medrag: Run, tmp_path: Path
) -> None:
    card, out = tmp_path / "card.yaml", tmp_path / "out"
    card.write_text(CARD, encoding="utf-8")
    result = medrag("eval", "fetch", card, "--run", "--out", out)
    assert result.exit_code == 1
    assert "git clone" in result.stdout
    assert "does not run" in result.stderr
    assert not out.exists()


def test_a_card_of_one_s_own_keeps_its_protocol_groups_and_training(
    medrag: Run, small: Index, tmp_path: Path
) -> None:
    folder = written_questions(tmp_path / "asked")
    card = tmp_path / "ward.yaml"
    card.write_text("like: qa\ntitle: Ward\nprotocols: [nearest_option]\ngroup_by: [type]\n")
    command = ["eval", "run", "sample", card, "--data", folder, "--index", small.folder]
    result = medrag(*command, "--out", tmp_path / "run")
    assert result.exit_code == 0, result.output
    assert "floor:question" in result.stdout
    value = shape(medrag("eval", "score", tmp_path / "run", "--json"))
    assert value["protocol"] == "nearest_option"
    assert "type" in value["arms"]["context"]["groups"]  # type: ignore[index]


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights on Windows")
def test_a_link_in_a_stranger_s_run_is_not_written_through(
    medrag: Run, ran: Path, tmp_path: Path
) -> None:
    victim = tmp_path / "victim"
    victim.write_text("mine")
    copy = tmp_path / "run"
    shutil.copytree(ran, copy)
    for name in ("rows-exact-corrected.jsonl", "scores-exact-corrected.json"):
        (copy / name).unlink(missing_ok=True)
        (copy / name).symlink_to(victim)
    assert medrag("eval", "score", copy).exit_code == 0
    assert victim.read_text() == "mine"
