"""Several runs in one table."""

from pathlib import Path

import pytest

from medrag.config import Index
from medrag.evaluation.compare import Side, compare_runs
from medrag.evaluation.run import run_benchmark
from medrag.evaluation.runs import Run
from medrag.evaluation.scorers import scoring_protocol
from medrag.evaluation.several import compare_several
from tests.evaluation.library import loaded, pipeline_on

EXACT = scoring_protocol("exact")
ARMS = ("context", "no_context", "random_context")


@pytest.fixture(scope="module")
def run(small_index: Index, small_questions: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("several") / "run"
    return run_benchmark(pipeline_on(small_index), loaded(small_questions), folder, arms=ARMS)


def test_each_run_stands_beside_the_first_as_it_would_alone(run: Run) -> None:
    sides = [Side(run, arm, arm) for arm in ARMS]
    found = compare_several(sides, EXACT)
    assert [row.name for row in found.rows] == list(ARMS)
    assert found.rows[0].differences == {}
    for side, row in zip(sides[1:], found.rows[1:], strict=True):
        alone = compare_runs(sides[0], side, EXACT).measures[0]
        assert row.differences["accuracy"] == alone.difference
        assert row.estimates["accuracy"].value == alone.difference.b


def test_p_is_corrected_over_the_whole_table(run: Run) -> None:
    sides = [Side(run, arm, arm) for arm in ARMS]
    rows = compare_several(sides, EXACT).rows[1:]
    # Holm over two differences: the smaller p counts twice.
    smallest = min(row.differences["accuracy"].p for row in rows)
    assert min(row.adjusted_p["accuracy"] for row in rows) == pytest.approx(min(1, 2 * smallest))


def test_the_hits_that_were_read_are_counted(run: Run) -> None:
    rows = compare_several([Side(run, arm, arm) for arm in ARMS], EXACT).rows
    assert rows[0].n_kept > 0
    assert rows[1].n_kept == 0
    assert rows[0].seconds > 0


def test_a_single_run_is_no_comparison(run: Run) -> None:
    with pytest.raises(ValueError, match="at least two runs, got 1"):
        compare_several([Side(run, "context", "context")], EXACT)


def test_an_unknown_measure_lists_those_that_there_are(run: Run) -> None:
    with pytest.raises(ValueError, match=r"no measure 'bleu9'; there are"):
        compare_several([Side(run, arm, arm) for arm in ARMS], EXACT, measures=["bleu9"])
