"""The selector that keeps a calibrated k, and the pipelines that it refuses."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from medrag.config.components import planned
from medrag.config.place import Place
from medrag.errors import InputFileError, RecipeError
from medrag.selection.calibrated import CalibratedSelector
from medrag.selection.calibration import (
    KCalibration,
    TriedK,
    k_calibration_json,
    load_k_calibration,
    recipe_sha256,
)
from medrag.selection.chain import ChainSelector
from medrag.selection.gap import GapSelector
from medrag.selection.top_k import TopKSelector
from tests.selection.ranked import ASKED, names, ranked, selected

IDENTITY: dict[str, Any] = {
    "pipeline": {"name": "p", "sha256": "0", "recipe": {"answer": {"kind": "one_pass"}, "k": 20}},
    "index": {"name": "i", "sha256": "abc"},
}
FOUND = KCalibration(
    k=2,
    alpha=0.2,
    delta=0.1,
    procedure="bonferroni",
    bound="hoeffding_bentkus",
    n=500,
    tested=(TriedK(1, 0.3, 1.0, passed=False), TriedK(2, 0.1, 0.001, passed=True)),
    index="abc",
    recipe=recipe_sha256(IDENTITY),
    model="m",
    depth=20,
    created="2026-01-01T00:00:00+00:00",
    source={"benchmark": "qa"},
)
NONE = replace(FOUND, k=None, tested=(TriedK(1, 0.3, 1.0, passed=False),))


def written(folder: Path, calibration: KCalibration = FOUND) -> Path:
    path = folder / "k.json"
    path.write_text(json.dumps(k_calibration_json(calibration)), encoding="utf-8")
    return path


def checked(folder: Path, calibration: KCalibration = FOUND, **given: Any) -> CalibratedSelector:
    selector = CalibratedSelector(file=written(folder, calibration), **given)
    selector.check_identity(IDENTITY, "m", 20)
    return selector


def test_the_calibrated_number_is_kept_with_its_promise(tmp_path: Path) -> None:
    found = selected(checked(tmp_path), ranked([0.9, 0.8, 0.7]))
    assert names(found.kept) == ["p0", "p1"]
    assert found.fired
    assert "at most 0.2 of the answers are wrong, with a certainty of 0.9" in found.reason


def test_where_no_k_controls_the_risk_there_is_no_context(tmp_path: Path) -> None:
    found = selected(checked(tmp_path, NONE), ranked([0.9, 0.8]))
    assert found.kept == ()
    assert found.reason == "no k controls the risk at 0.2: no context"


def test_another_selector_may_choose_where_no_k_controls_the_risk(tmp_path: Path) -> None:
    found = selected(checked(tmp_path, NONE, otherwise=TopKSelector(k=1)), ranked([0.9, 0.8]))
    assert names(found.kept) == ["p0"]
    assert found.reason == "no k controls the risk at 0.2: the first 1"


def test_no_context_may_be_what_controls_the_risk(tmp_path: Path) -> None:
    zero = replace(FOUND, k=0, tested=(TriedK(0, 0.1, 0.001, passed=True),))
    assert selected(checked(tmp_path, zero), ranked([0.9])).kept == ()


def test_nothing_is_selected_before_the_pipeline_was_looked_at(tmp_path: Path) -> None:
    selector = CalibratedSelector(file=written(tmp_path))
    with pytest.raises(RecipeError, match="was not held against the pipeline"):
        selector.select(ASKED, ranked([0.9]))


@pytest.mark.parametrize(
    ("identity", "model", "k", "told"),
    [
        ({**IDENTITY, "index": {"sha256": "xyz"}}, "m", 20, "another index: abc there, xyz here"),
        ({**IDENTITY, "pipeline": {"recipe": {"answer": 1}}}, "m", 20, "another pipeline recipe"),
        ({}, "m", 20, "another index: abc there, none here"),
        (IDENTITY, "n", 20, "another model: m there, n here"),
        (IDENTITY, "m", 50, r"another number of retrieved hits \(k\): 20 there, 50 here"),
    ],
)
def test_a_calibration_of_another_pipeline_is_refused(
    tmp_path: Path, identity: dict[str, Any], model: str, k: int, told: str
) -> None:
    selector = CalibratedSelector(file=written(tmp_path))
    with pytest.raises(RecipeError, match=told):
        selector.check_identity(identity, model, k)
    with pytest.raises(RecipeError, match="was not held against"):
        selector.select(ASKED, ranked([0.9]))


def test_a_chain_looks_at_the_calibrations_within(tmp_path: Path) -> None:
    chain = ChainSelector(selectors=(TopKSelector(k=5), CalibratedSelector(file=written(tmp_path))))
    with pytest.raises(RecipeError, match="another model"):
        chain.check_identity(IDENTITY, "n", 20)
    chain.check_identity(IDENTITY, "m", 20)
    assert len(selected(chain, ranked([0.9, 0.8, 0.7])).kept) == 2


def test_a_gap_looks_at_the_calibration_that_stands_in_for_it(tmp_path: Path) -> None:
    nested = CalibratedSelector(file=written(tmp_path))
    gap = GapSelector(gamma=0.4, otherwise=nested)
    with pytest.raises(RecipeError, match="another model"):
        gap.check_identity(IDENTITY, "n", 20)
    gap.check_identity(IDENTITY, "m", 20)
    assert len(selected(gap, ranked([0.9, 0.8, -0.7])).kept) == 2


def test_a_recipe_is_the_same_whatever_it_selects(tmp_path: Path) -> None:
    recipe = {**IDENTITY["pipeline"]["recipe"], "select": {"kind": "calibrated"}, "k": 5}
    assert recipe_sha256({"pipeline": {"recipe": recipe}}) == FOUND.recipe
    assert recipe_sha256({}) == ""


def test_a_calibration_is_read_as_it_was_written(tmp_path: Path) -> None:
    assert load_k_calibration(written(tmp_path)) == FOUND


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"format": 2}, "is no calibration of k of format 1"),
        ({"calibrates": "confidence"}, "is no calibration of k of format 1"),
        ({"alpha": 1.5}, "expected a number in"),
        ({"delta": float("nan")}, "expected a number in"),
        ({"k": 7}, "7 is none of those that passed"),
        ({"k": None}, "None is none of those that passed"),
        ({"procedure": "hope"}, "is no calibration of k"),
        ({"n": "many"}, "is no calibration of k"),
    ],
)
def test_a_file_that_is_no_calibration_is_refused(
    tmp_path: Path, change: dict[str, Any], told: str
) -> None:
    path = written(tmp_path)
    value = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**value, **change}), encoding="utf-8")
    with pytest.raises(InputFileError, match=told):
        CalibratedSelector(file=path)


@pytest.mark.parametrize("content", ["", "[]", "{", '"k"', "[" * 100_000])
def test_a_broken_file_is_named(tmp_path: Path, content: str) -> None:
    path = tmp_path / "k.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(InputFileError, match=r"k\.json"):
        load_k_calibration(path)


def test_a_recipe_names_the_file_relative_to_itself(tmp_path: Path) -> None:
    written(tmp_path)
    place = Place(str(tmp_path / "p.yaml"))
    plan = planned("selector", {"kind": "calibrated", "file": "k.json"}, place)
    assert plan().calibration == FOUND
