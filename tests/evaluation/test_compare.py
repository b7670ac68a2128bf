"""Two runs on the same items: differences, p, and what the set could show."""

import math
from dataclasses import replace
from pathlib import Path

import pytest

from medrag.config import Index
from medrag.errors import EvaluationError
from medrag.evaluation.compare import Side, compare_runs
from medrag.evaluation.run import run_benchmark
from medrag.evaluation.runs import Run
from medrag.evaluation.scorers import scoring_protocol
from tests.evaluation.library import loaded, pipeline_on

EXACT = scoring_protocol("exact")


@pytest.fixture(scope="module")
def run(small_index: Index, small_questions: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("compared") / "run"
    arms = ("context", "no_context")
    return run_benchmark(pipeline_on(small_index), loaded(small_questions), folder, arms=arms)


def side(run: Run, arm: str = "context") -> Side:
    return Side(run, arm, arm)


def test_a_run_does_not_differ_from_itself(run: Run) -> None:
    found = compare_runs(side(run), side(run), EXACT)
    (accuracy,) = found.measures
    assert accuracy.difference.difference == 0
    assert accuracy.difference.interval == (0, 0)
    assert accuracy.difference.p == accuracy.adjusted_p == 1
    assert accuracy.counts is not None
    assert (accuracy.counts.only_a, accuracy.counts.only_b, accuracy.counts.p) == (0, 0, 1)
    assert found.flow.fixed == found.flow.broken == ()


def test_context_beside_none_counts_what_it_fixes(run: Run) -> None:
    found = compare_runs(side(run, "no_context"), side(run), EXACT)
    n_right = len(found.flow.fixed)
    assert n_right >= 5
    assert found.measures[0].difference.difference == pytest.approx(n_right / 6)
    # Every item that differs does so in one direction: p is 2 / 2**n, all swaps tried.
    assert found.measures[0].difference.p == pytest.approx(2 / 2**n_right)


def test_a_set_of_six_is_too_small_and_says_how_many_would_do(run: Run) -> None:
    found = compare_runs(side(run), side(run), EXACT)
    # With a tenth of the items discordant, 6 items find no difference at all.
    assert math.isnan(found.detectable)
    assert found.too_small
    # (1.96 sqrt(0.1) + 0.8416 sqrt(0.1 - 0.01))**2 / 0.01 = 76.1
    assert found.needed == 77


def test_further_measures_are_corrected_together(run: Run) -> None:
    found = compare_runs(
        side(run, "no_context"), side(run), EXACT, measures=["answered", "accuracy"]
    )
    assert [one.measure for one in found.measures] == ["accuracy", "answered"]
    assert all(one.adjusted_p >= one.difference.p for one in found.measures)


def test_an_unknown_measure_lists_those_that_there_are(run: Run) -> None:
    with pytest.raises(ValueError, match=r"no measure 'bleu9'; there are .*accuracy"):
        compare_runs(side(run), side(run), EXACT, measures=["bleu9"])


def test_an_unknown_arm_lists_those_that_there_are(run: Run) -> None:
    with pytest.raises(EvaluationError, match=r"no arm 'golden'; it has context, no_context"):
        compare_runs(side(run), side(run, "golden"), EXACT)


def test_runs_on_other_items_are_not_compared(run: Run) -> None:
    items = dict(run.items)
    items["joint"] = replace(items["joint"], references=("Stroke",))
    other = Run(run.folder / "elsewhere", run.manifest, items)
    with pytest.raises(EvaluationError, match="differ in 1 items, such as 'joint'"):
        compare_runs(side(run), side(other), EXACT)


def test_runs_of_other_benchmarks_are_not_compared(run: Run) -> None:
    manifest = {**run.manifest, "benchmark": {**run.manifest["benchmark"], "split": "train"}}
    other = Run(run.folder / "elsewhere", manifest, run.items)
    with pytest.raises(EvaluationError, match=r"of split 'test' and .* of 'train'"):
        compare_runs(side(run), side(other), EXACT)
