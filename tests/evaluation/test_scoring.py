"""From a run to scores: states, estimates, groups, flows, and what a reader must be told."""

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest

from medrag.config import Index
from medrag.errors import EvaluationError
from medrag.evaluation.floors import FLOORS
from medrag.evaluation.run import run_benchmark
from medrag.evaluation.runs import Run, open_run
from medrag.evaluation.scorers import scoring_protocol
from medrag.evaluation.scores import ArmScores, Scores
from medrag.evaluation.scoring import score_run
from tests.evaluation.library import loaded, pipeline_on

ARMS = ("context", "no_context", "random_context", "oracle_context")


@pytest.fixture(scope="module")
def run(small_index: Index, small_questions: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return run_benchmark(
        pipeline_on(small_index),
        loaded(small_questions),
        tmp_path_factory.mktemp("scored") / "run",
        arms=ARMS,
        floors=FLOORS,
        training=loaded(small_questions, "train").items,
    )


@pytest.fixture(scope="module")
def scores(run: Run) -> Scores:
    return score_run(run, scoring_protocol("exact"), group_by=("type",))


def arm(scores: Scores, name: str) -> ArmScores:
    return next(each for each in scores.arms if each.arm == name)


def rewritten(run: Run, folder: Path, change: dict[str, dict[str, object]]) -> Run:
    """A copy of a run in which some answers are others; of None, they are gone."""
    folder.mkdir()
    for file in ("manifest.json", "items.jsonl", "passages.jsonl"):
        (folder / file).write_bytes((run.folder / file).read_bytes())
    kept = []
    for line in (run.folder / "answers.jsonl").read_text(encoding="utf-8").splitlines():
        value = json.loads(line)
        changed = change.get(f"{value['item']}@{value['arm']}", {})
        if changed is not None:
            kept.append(json.dumps({**value, "answer": {**value["answer"], **changed}}))
    (folder / "answers.jsonl").write_text("\n".join(kept) + "\n", encoding="utf-8")
    return open_run(folder)


def test_every_arm_and_floor_has_its_measures_with_intervals(scores: Scores) -> None:
    assert [each.arm for each in scores.arms] == [*ARMS, *(f"floor:{name}" for name in FLOORS)]
    accuracy = arm(scores, "context").measures["accuracy"]
    assert accuracy.n == 6
    assert accuracy.low <= accuracy.value <= accuracy.high
    assert scores.headline == ("accuracy",)
    assert next(iter(arm(scores, "context").measures)) == "accuracy"


def test_a_reader_that_abstains_without_context_is_not_right_and_counted_apart(
    scores: Scores,
) -> None:
    blind = arm(scores, "no_context")
    assert blind.measures["accuracy"].value == 0
    assert blind.states == {
        "answered": 0, "abstained": 6, "unparsed": 0, "failed": 0, "missing": 0
    }  # fmt: skip


def test_flows_and_shares_tell_what_context_did(scores: Scores) -> None:
    right = [row.item for row in scores.rows if row.arm == "context" and row.right == 1]
    flow = next(each for each in scores.diagnostics.flows if each.before == "no_context")
    assert sorted(flow.fixed) == sorted(right)
    assert flow.broken == ()
    # All six are wrong without context, so that the share rescued is the accuracy with it.
    rescue = scores.diagnostics.shares["rescue"]
    assert (rescue.value, rescue.n) == (len(right) / 6, 6)
    assert scores.diagnostics.shares["interference"].n == 0
    assert math.isnan(scores.diagnostics.shares["interference"].value)
    assert scores.diagnostics.shares["has_context"].value == 1


def test_results_are_broken_down_by_the_columns_asked_for(scores: Scores) -> None:
    groups = arm(scores, "context").groups["type"]
    assert {value: each["right"].n for value, each in groups.items()} == {"cause": 3, "organ": 3}
    # All are choices: a column that does not part the items is left out.
    assert "kind" not in arm(scores, "context").groups


def test_rows_stand_in_the_order_of_the_items_with_their_arms(run: Run, scores: Scores) -> None:
    assert len(scores.rows) == 6 * 8
    assert [row.arm for row in scores.rows[:8]] == [each.arm for each in scores.arms]
    assert {row.item for row in scores.rows[:8]} == {next(iter(run.items))}
    assert scores.rows[-1].item == list(run.items)[-1]
    with pytest.raises(IndexError):
        scores.rows[48]


def test_an_answer_that_cannot_be_read_is_unparsed_and_told(run: Run, tmp_path: Path) -> None:
    changed = rewritten(run, tmp_path / "run", {"joint@context": {"text": "Or is it? Who knows."}})
    found = score_run(changed, scoring_protocol("exact"))
    assert arm(found, "context").states["unparsed"] == 1
    assert any(
        "what cannot be read, and counted as not right: 1 of context" in p for p in found.problems
    )


def test_a_failed_answer_is_counted_as_failed(run: Run, tmp_path: Path) -> None:
    failed = {"text": "", "error": "the generator failed", "abstained": False}
    changed = rewritten(run, tmp_path / "run", {"joint@context": failed})
    found = score_run(changed, scoring_protocol("exact"))
    assert arm(found, "context").states["failed"] == 1
    assert any("failed, and counted as not right: 1 of context" in p for p in found.problems)


def test_a_missing_answer_counts_nowhere_and_is_told(run: Run, tmp_path: Path) -> None:
    changed = rewritten(run, tmp_path / "run", {"joint@context": None})  # type: ignore[dict-item]
    found = score_run(changed, scoring_protocol("exact"))
    assert arm(found, "context").states["missing"] == 1
    assert arm(found, "context").measures["accuracy"].n == 5
    assert any("not answered yet, and counted nowhere: 1 of context" in p for p in found.problems)


def test_a_run_without_any_context_is_refused(run: Run, tmp_path: Path) -> None:
    bare = {
        f"{item}@context": {"evidence": [], "citations": [], "near_duplicates": []}
        for item in run.items
    }
    changed = rewritten(run, tmp_path / "run", bare)  # type: ignore[arg-type]
    with pytest.raises(EvaluationError, match="no item of the arm 'context' carries any context"):
        score_run(changed, scoring_protocol("exact"))


def test_a_run_without_answers_is_refused(run: Run, tmp_path: Path) -> None:
    changed = rewritten(run, tmp_path / "run", {})
    (changed.folder / "answers.jsonl").write_bytes(b"")
    with pytest.raises(EvaluationError, match="holds no answer yet"):
        score_run(changed, scoring_protocol("exact"))


def test_scores_do_not_depend_on_the_order_of_the_lines(
    run: Run, scores: Scores, tmp_path: Path
) -> None:
    changed = rewritten(run, tmp_path / "run", {})
    path = changed.folder / "answers.jsonl"
    turned = path.read_text(encoding="utf-8").splitlines()[::-1]
    path.write_text("\n".join(turned) + "\n", encoding="utf-8")
    again = score_run(changed, scoring_protocol("exact"), group_by=("type",))
    for before, after in zip(scores.arms, again.arms, strict=True):
        assert before.states == after.states
        assert str(before.measures) == str(after.measures)


def test_excluded_hits_are_counted_by_reason(
    small_index: Index, pictured_questions: Path, tmp_path: Path
) -> None:
    from medrag.evaluation.scoring.columns import _excluded
    from medrag.records import Answer, Hit, ImageRef, Passage, Question, Source

    def hit(image: str, study: str, subject: str) -> Hit:
        source = Source("c", "d", "0", study=study, subject=subject)
        return Hit(Passage("p", "case", "t", source, (ImageRef("i", sha256=image),)), 1.0, 1)

    question = Question("?", images=(ImageRef("a", sha256="x"),), study="s", subject="p")
    hits = (hit("x", "s", "p"), hit("y", "s", "p"), hit("y", "t", "p"), hit("x", "t", "q"))
    assert _excluded(Answer(question, "", excluded=hits)) == {
        "excluded: same image": 2,
        "excluded: same study": 1,
        "excluded: same subject": 1,
    }


def test_blind_arms_tell_over_reliance_and_image_blind_accuracy(
    small_index: Index, pictured_questions: Path, tmp_path: Path
) -> None:
    arms = ("context", "blank_image", "text_only")
    run = run_benchmark(
        pipeline_on(small_index), loaded(pictured_questions), tmp_path / "run", arms=arms
    )
    shares = score_run(run, scoring_protocol("exact")).diagnostics.shares
    # The reader quotes the evidence, which a blank picture leaves as it is.
    assert shares["over_reliance (blank_image)"].value == 1
    assert shares["image_blind (text_only)"].n == 6
    assert "over_reliance (text_only)" not in shares


def test_the_floor_that_knows_the_questions_is_perfect(scores: Scores) -> None:
    assert arm(scores, "floor:question").measures["accuracy"].value == 1


def test_replacing_an_item_s_reference_changes_its_score_only(run: Run, scores: Scores) -> None:
    items = dict(run.items)
    items["joint"] = replace(items["joint"], references=(items["joint"].question.options[0],))
    found = score_run(Run(run.folder, run.manifest, items), scoring_protocol("exact"))
    before = {(row.item, row.arm): row.right for row in scores.rows}
    changed = {row.item for row in found.rows if row.right != before[row.item, row.arm]}
    assert changed == {"joint"}
