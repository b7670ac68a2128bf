"""`medrag eval calibrate` as a person and a program use it."""

import json
from pathlib import Path

import numpy as np
import pytest

from medrag.records import Answer, Item, Question
from medrag.verification.calibrated import calibration_json, load_calibration
from tests.cli.conftest import Run
from tests.evaluation.library import written_run


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """400 answers, right as often as their signal says, and a few patients' in another arm."""
    draw = np.random.default_rng(0)
    items, answers = [], []
    for place in range(400):
        asked = Question(f"Is it {place}?")
        items.append(Item(f"i{place}", asked, ("yes",), "yes_no"))
        sure = float(draw.uniform())
        said = "Yes." if draw.uniform() < 0.4 + 0.6 * sure else "No."
        answers.append(Answer(asked, said, model="m", signals={"token_probability": sure}))
    folder = tmp_path_factory.mktemp("ran") / "run"
    written_run(folder, items, {"context": answers, "no_context": answers})
    return folder


def test_a_calibration_is_told_and_written(medrag: Run, ran: Path, tmp_path: Path) -> None:
    out = tmp_path / "own.json"
    result = medrag("eval", "calibrate", ran, "--out", out, "--risk", 0.3)
    assert result.exit_code == 0, result.output
    assert "400 answers by protocol exact, corrected; fitted to 200, tested on 200" in result.stdout
    assert "at most 30% of these are wrong, with a certainty of 90%" in result.stdout
    assert "before (token_probability)" in result.stdout
    assert f"calibration: {out}" in result.stderr
    found = load_calibration(out)
    assert (found.risk, found.delta, found.model) == (0.3, 0.1, "m")
    assert found.threshold is not None


def test_the_json_is_that_of_the_file(medrag: Run, ran: Path, tmp_path: Path) -> None:
    out = tmp_path / "own.json"
    result = medrag("eval", "calibrate", ran, "--out", out, "--method", "isotonic", "--json")
    assert result.exit_code == 0, result.output
    value = json.loads(result.stdout)
    assert value == json.loads(out.read_text(encoding="utf-8"))
    assert value == json.loads(json.dumps(calibration_json(load_calibration(out))))
    assert value["format"] == 1
    assert value["steps"]


def test_a_risk_that_nothing_keeps_is_said_honestly(medrag: Run, ran: Path, tmp_path: Path) -> None:
    out = tmp_path / "own.json"
    result = medrag("eval", "calibrate", ran, "--out", out, "--risk", 0.001)
    assert result.exit_code == 0, result.output
    assert "no threshold controls the risk at 0.1%: every answer is held back" in result.stdout
    told = " ".join(result.stderr.split())
    assert "200 independent answers are too few to test a risk of 0.001: 2302" in told
    assert load_calibration(out).threshold is None


def test_another_arm_may_be_calibrated(medrag: Run, ran: Path, tmp_path: Path) -> None:
    out = tmp_path / "own.json"
    result = medrag("eval", "calibrate", ran, "--out", out, "--arm", "no_context", "--seed", 3)
    assert result.exit_code == 0, result.output
    found = load_calibration(out)
    assert (found.source["arm"], found.seed) == ("no_context", 3)


@pytest.mark.parametrize(
    ("options", "code", "told"),
    [
        (("--risk", 0), 2, "expected a number between 0 and 1, got 0"),
        (("--delta", 1.5), 2, "expected a number between 0 and 1, got 1.5"),
        (("--method", "isotonik"), 2, "did you mean 'isotonic'"),
        (("--protocol", "exakt"), 2, "did you mean 'exact'"),
        (("--arm", "blank_image"), 1, "it has context, no_context"),
    ],
)
def test_misuse_of_calibrate_is_told(
    medrag: Run, ran: Path, tmp_path: Path, options: tuple[object, ...], code: int, told: str
) -> None:
    out = tmp_path / "own.json"
    result = medrag("eval", "calibrate", ran, "--out", out, *options)
    assert result.exit_code == code
    assert told in " ".join(result.stderr.split())
    assert not out.exists()


def test_a_folder_that_is_not_there_is_refused_before_scoring(
    medrag: Run, ran: Path, tmp_path: Path
) -> None:
    result = medrag("eval", "calibrate", ran, "--out", tmp_path / "no" / "own.json")
    assert result.exit_code == 1
    assert "lies in a folder that does not exist" in result.stderr
