"""The four runs that pairs are mined from."""

import json
from pathlib import Path

import pytest

from medrag.alignment.pairs import FourRuns, four_runs, mine_pairs
from medrag.errors import EvaluationError
from medrag.evaluation.compare import Side
from medrag.evaluation.runs import open_run
from medrag.evaluation.scorers import scoring_protocol
from tests.alignment.pairs.made import answered, items_of
from tests.evaluation.library import written_run

EXACT = scoring_protocol("exact")


def test_the_four_may_be_arms_of_several_runs(tmp_path: Path) -> None:
    items = items_of(tmp_path / "images", ["one", "two"])
    with_context = written_run(
        tmp_path / "a", items, {"context": [answered(each, "Yes.") for each in items]}
    )
    without = written_run(
        tmp_path / "b", items[::-1], {"no_context": [answered(i, t) for i, t in zip(
            items[::-1], ["No.", "Yes."], strict=True)]}
    )  # fmt: skip
    mined = mine_pairs(
        four_runs([with_context, without]), protocol=EXACT, families=["use_context", "not_misled"]
    )
    # The items of the second run stand in another order.
    assert [pair.id for pair in mined.pairs] == ["made/test/two/use_context"]


def test_a_missing_arm_is_named_with_the_way_out(tmp_path: Path) -> None:
    (item,) = items_of(tmp_path / "images", ["one"])
    run = written_run(tmp_path / "run", [item], {"context": [answered(item, "Yes.")]})
    with pytest.raises(EvaluationError, match=r"need the arm no_context.*--arm no_context"):
        mine_pairs(four_runs([run]), protocol=EXACT, families=["use_context"])
    with pytest.raises(EvaluationError, match="cross_modality need the arm noise_image"):
        mine_pairs(four_runs([run]), protocol=EXACT)


def test_an_arm_that_two_runs_have_is_not_guessed(tmp_path: Path) -> None:
    (item,) = items_of(tmp_path / "images", ["one"])
    runs = [
        written_run(tmp_path / name, [item], {"context": [answered(item, "Yes.")]})
        for name in ("a", "b")
    ]
    with pytest.raises(EvaluationError, match=r"a and .*b both have the arm context"):
        four_runs(runs)
    sides = FourRuns(Side(runs[0], "context", "a"), Side(runs[1], "context", "b"))
    assert mine_pairs(sides, protocol=EXACT, families=["use_context"]).pairs == ()


def test_runs_without_any_of_the_arms_are_refused(tmp_path: Path) -> None:
    (item,) = items_of(tmp_path / "images", ["one"])
    run = written_run(tmp_path / "run", [item], {"blank_image": [answered(item, "Yes.")]})
    with pytest.raises(EvaluationError, match="no run has any of the arms context, no_context"):
        four_runs([run])


def test_answers_of_two_models_are_not_mixed(tmp_path: Path) -> None:
    (item,) = items_of(tmp_path / "images", ["one"])
    runs = []
    for arm, model in (("context", "base"), ("no_context", "tuned")):
        run = written_run(tmp_path / arm, [item], {arm: [answered(item, "Yes.")]})
        path = run.folder / "manifest.json"
        path.write_text(json.dumps({**run.manifest, "model": model}), encoding="utf-8")
        runs.append(open_run(run.folder))
    with pytest.raises(EvaluationError, match=r"answers of base, and .* of tuned"):
        mine_pairs(four_runs(runs), protocol=EXACT, families=["use_context"])
