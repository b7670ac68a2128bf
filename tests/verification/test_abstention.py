"""Calibrations on disk, refused where they do not belong, and applied to answers."""

import json
from dataclasses import replace
from math import exp
from pathlib import Path
from typing import Any

import pytest

from medrag.codec import answer_from_json, answer_to_json
from medrag.errors import InputFileError, MedragError
from medrag.records import Answer, Question
from medrag.verification.abstention import apply, check, held_back
from medrag.verification.calibrated import (
    Calibration,
    Measured,
    Tried,
    Weight,
    calibration_json,
    load_calibration,
    probability,
    save_calibration,
)

IDENTITY = {"pipeline": {"name": "own", "sha256": "recipe"}, "index": {"sha256": "books"}}
MADE = Calibration(
    method="logistic",
    intercept=0.0,
    weights=(Weight("token_probability", 0.5, 0.125, 1.0), Weight("support", 0.5, 0.5, 2.0, -1.0)),
    steps=(),
    risk=0.2,
    delta=0.1,
    threshold=0.5,
    tried=(Tried(0.5, 0.6, 60, 0.1, 0.01, passed=True),),
    index="books",
    pipeline="recipe",
    model="model 1",
    templates=("open 1",),
    n_items=200,
    n_fitted=100,
    n_tested=100,
    created="2026-01-01T00:00:00+00:00",
    before={"ece": Measured(0.2, 0.1, 0.3, 200)},
    after={"ece": Measured(0.05, None, None, 200)},
    source={"arm": "context"},
)


def answer(**signals: float) -> Answer:
    return Answer(
        Question("What?"), "Gout. [1]", model="model 1", template="open 1", signals=signals
    )


def test_a_calibration_comes_back_from_disk_as_it_was_written(tmp_path: Path) -> None:
    given = replace(MADE, method="isotonic", steps=((0.2, 0.1), (0.8, 0.95)), threshold=None)
    save_calibration(given, tmp_path / "own.json")
    assert load_calibration(tmp_path / "own.json") == given


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"format": 2}, "no calibration of format 1"),
        ({"threshold": 1.5}, "threshold: expected a number in \\[0, 1\\]"),
        ({"threshold": "high"}, "threshold: expected"),
        ({"intercept": float("nan")}, "intercept: expected a number"),
        ({"steps": [[0.5, 0.1], [0.5, 0.2]]}, "points that rise"),
        ({"method": "forest"}, "one of logistic, isotonic"),
        ({"weights": [{"signal": "a", "mean": 0, "scale": 0, "weight": 1}]}, "scale above 0"),
        ({"extra": 1}, "unknown key"),
        ({"delta": float("nan")}, "delta: expected a number in"),
        ({"risk": 10**400}, "risk"),
        ({"intercept": 1e300}, "intercept: expected a number"),
        ({"steps": [[0.2, 0.9], [0.8, 0.1]]}, "points that rise"),
        ({"steps": [[0.2, 0.1], [0.8, 95]]}, r"steps\[1\]\[1\]: expected a number in"),
        # The log-odds would be no number, which no threshold holds back.
        ({"weights": [{"signal": "a", "mean": 0, "scale": 1e-300, "weight": 1e99}]}, "scale"),
    ],
)
def test_a_broken_calibration_is_refused_by_name(
    tmp_path: Path, changed: dict[str, Any], told: str
) -> None:
    path = tmp_path / "own.json"
    path.write_text(json.dumps({**calibration_json(MADE), **changed}), encoding="utf-8")
    with pytest.raises(InputFileError, match=told):
        load_calibration(path)


def test_a_calibration_is_written_over_another_and_over_nothing_else(tmp_path: Path) -> None:
    save_calibration(MADE, tmp_path / "own.json")
    save_calibration(replace(MADE, seed=7), tmp_path / "own.json")
    assert load_calibration(tmp_path / "own.json").seed == 7
    (tmp_path / "answers.jsonl").write_text('{"item": 1}\n{"item": 2}\n')
    with pytest.raises(InputFileError, match=r"answers\.jsonl: is there, and is no calibration"):
        save_calibration(MADE, tmp_path / "answers.jsonl")
    assert (tmp_path / "answers.jsonl").read_text().count("item") == 2
    assert {path.name for path in tmp_path.iterdir()} == {"own.json", "answers.jsonl"}


@pytest.mark.parametrize("text", ["", "[]", "3", "{", '{"format": true}'])
def test_what_is_no_calibration_at_all_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "own.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputFileError, match=r"own\.json"):
        load_calibration(path)


def test_a_missing_file_and_a_missing_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputFileError, match="No such file"):
        load_calibration(tmp_path / "none.json")
    with pytest.raises(InputFileError, match="cannot be written"):
        save_calibration(MADE, tmp_path / "none" / "own.json")


def test_a_calibration_of_this_pipeline_is_accepted() -> None:
    check(MADE, IDENTITY, "model 1")
    check(MADE, IDENTITY, "model 1", "open 1")


@pytest.mark.parametrize(
    ("identity", "model", "template", "told"),
    [
        ({**IDENTITY, "index": {"sha256": "more books"}}, "model 1", None, "another index: books"),
        ({**IDENTITY, "pipeline": {"sha256": "x"}}, "model 1", None, "another pipeline recipe"),
        (IDENTITY, "model 2", None, "another model: model 1 there, model 2 here"),
        (IDENTITY, "model 1", "open 2", "another template: open 1 there, open 2 here"),
        ({}, "model 1", None, "another index: books there, none here"),
    ],
)
def test_a_calibration_of_another_pipeline_is_refused_and_says_how_to_make_one(
    identity: dict[str, Any], model: str, template: str | None, told: str
) -> None:
    with pytest.raises(MedragError, match=told) as caught:
        check(MADE, identity, model, template)
    assert "medrag eval calibrate RUN --out FILE" in str(caught.value)


def test_a_calibration_of_another_arm_than_the_pipelines_is_refused() -> None:
    with pytest.raises(MedragError, match="another arm: no_context there, context here"):
        check(replace(MADE, source={"arm": "no_context"}), IDENTITY, "model 1")


def test_confidence_is_the_logistic_of_the_weighted_signals() -> None:
    # (0.625 - 0.5) / 0.125 + 2 (1 - 0.5) / 0.5 = 3
    assert probability(MADE, {"token_probability": 0.625, "support": 1.0}) == pytest.approx(
        1 / (1 + exp(-3))
    )
    # where support is missing: 1 - 1 = 0
    assert probability(MADE, {"token_probability": 0.625}) == pytest.approx(0.5)


def test_a_rising_curve_is_read_between_its_points_and_level_beyond() -> None:
    curved = replace(MADE, steps=((0.5, 0.2), (0.6, 0.4), (0.9, 0.8)))
    halfway = replace(curved, intercept=0.0, weights=())
    assert probability(halfway, {}) == pytest.approx(0.2)
    # odds of 3 : 1 are 0.75, half between 0.6 and 0.9
    assert probability(replace(halfway, intercept=1.0986122886681098), {}) == pytest.approx(0.6)
    assert probability(replace(halfway, intercept=20.0), {}) == pytest.approx(0.8)
    assert probability(replace(halfway, intercept=-800.0), {}) == pytest.approx(0.2)


def test_an_answer_at_the_threshold_is_given_with_its_calibrated_confidence() -> None:
    given = apply(MADE, answer(token_probability=0.625))
    assert given.confidence == pytest.approx(0.5)
    assert not given.abstained
    assert held_back(given) is None


def test_an_answer_without_signals_keeps_those_that_were_told_and_is_the_same_given_twice() -> None:
    own = replace(MADE, weights=(Weight("confidence", 0.5, 0.25, 1.0),))
    once = apply(own, replace(answer(), confidence=0.75))
    # (0.75 - 0.5) / 0.25 = 1
    assert once.confidence == pytest.approx(1 / (1 + exp(-1)))
    assert once.signals == {"confidence": 0.75}
    assert apply(own, once) == once
    held = apply(replace(own, threshold=None), replace(answer(), confidence=0.75))
    assert apply(own, held) == held


def test_an_answer_below_the_threshold_is_held_back_with_its_text_and_the_reason() -> None:
    held = apply(MADE, answer(token_probability=0.5))
    assert held.abstained
    assert held.text == "Gout. [1]"
    assert held.confidence == pytest.approx(1 / (1 + exp(1)))
    assert held_back(held) == "not confident enough: 0.27, where 0.50 keeps the risk at 0.2"


def test_without_a_threshold_every_answer_is_held_back() -> None:
    held = apply(replace(MADE, threshold=None), answer(token_probability=0.9, support=1.0))
    assert held.abstained
    assert held.confidence is not None
    assert held.confidence > 0.99
    assert "no threshold controls a risk of 0.2" in (held_back(held) or "")


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (answer(support=1.0), "the signal token_probability is missing"),
        (replace(answer(token_probability=0.9), template="open 2"), "written by open 2"),
        (replace(answer(token_probability=0.9), model="model 2"), "by model 2"),
    ],
)
def test_where_no_confidence_can_be_told_the_answer_is_held_back_and_says_why(
    given: Answer, told: str
) -> None:
    held = apply(MADE, replace(given, error="a marker points to nothing"))
    assert held.abstained
    assert held.confidence is None
    assert (held.error or "").startswith("a marker points to nothing; no confidence can be told")
    assert told in (held.error or "")


def test_an_answer_that_declines_by_itself_or_failed_gets_no_confidence() -> None:
    declined = replace(answer(token_probability=0.9), abstained=True, confidence=0.3)
    failed = replace(answer(), text="", error="out of memory", confidence=0.3)
    for given in (declined, failed):
        left = apply(MADE, given)
        assert left == replace(given, confidence=None)
        assert held_back(left) is None


def test_why_an_answer_was_held_back_survives_being_written() -> None:
    held = apply(MADE, answer(token_probability=0.5))
    read = answer_from_json(json.loads(json.dumps(answer_to_json(held))), {})
    assert held_back(read) == held_back(held)
    assert read.confidence == held.confidence
