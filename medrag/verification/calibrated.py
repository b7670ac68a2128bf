"""What a calibration of confidence holds, as one JSON file, and the probability it tells.

It is fitted to answers of a run whose right and wrong are known (`medrag.evaluation.calibrating`)
and turns the signals of an answer into the probability that it is right. What it promises holds for
answers made in the same way about questions drawn like those of the run: with another index, model,
recipe or template it is void, so that the file names all of them.
"""

import json
import secrets
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import pairwise
from math import exp
from pathlib import Path
from typing import Any, Literal

from medrag.codec import record_from_json, to_json
from medrag.errors import InputFileError
from medrag.shapes import ShapeError

Method = Literal["logistic", "isotonic"]
FORMAT = 1
_LARGEST = 4 << 20
# Signals lie in [0, 1], and spreads below 1e-9 count as none: with what lies beyond, the sum of the
# log-odds could be no number, and no answer would be held back.
_LEAST_SCALE, _LARGEST_NUMBER = 1e-12, 1e100


@dataclass(frozen=True, slots=True)
class Weight:
    """What one signal adds to the log-odds: weight * (value - mean) / scale.

    Attributes:
        missing: what an answer without the signal gets in place of that; None where every answer
            of the calibration had it, so that nothing is known of answers without.
    """

    signal: str
    mean: float
    scale: float
    weight: float
    missing: float | None = None


@dataclass(frozen=True, slots=True)
class Tried:
    """A threshold that was tested.

    Attributes:
        coverage: share of the tested items whose confidence reaches it.
        n: how many these are.
        risk: share of wrong answers among them; None if there are none.
        p: of the hypothesis that the risk is above the wanted one.
    """

    threshold: float
    coverage: float
    n: int
    risk: float | None
    p: float
    passed: bool


@dataclass(frozen=True, slots=True)
class Measured:
    """A measure with its 95% interval, None where it could not be computed; n: items that count."""

    value: float | None
    low: float | None = None
    high: float | None = None
    n: int = 0


@dataclass(frozen=True, slots=True)
class Calibration:
    """How signals become a probability of being right, and below which an answer is held back.

    Attributes:
        steps: of method "isotonic", (probability of the logistic, calibrated one), ascending.
        risk, delta: with probability 1 - delta over the draw of the calibration items, at most a
            share `risk` of the answers that are not held back is wrong.
        threshold: None where no threshold controls the risk; every answer is held back then.
        tried: thresholds in the order of their tests; the first that failed ends them.
        index, pipeline: SHA-256 of the index, and of the recipe; "" where it has none.
        model: `Answer.model`.
        templates: `Answer.template` of the answers, each once.
        n_items: with known right and wrong, of which `n_fitted` gave the weights, and `n_tested`,
            one of each cluster of the others, tested the threshold.
        before, after: "ece", "brier" and the like of the raw and the calibrated confidence, the
            latter by cross-validation over clusters.
        raw: the signal that `before` is of; "" if none serves.
        source: the run: benchmark, split, items, protocol, mode and arm.
        problems: what a reader of the numbers must know, in sentences.
    """

    method: Method
    intercept: float
    weights: tuple[Weight, ...]
    steps: tuple[tuple[float, float], ...]
    risk: float
    delta: float
    threshold: float | None
    tried: tuple[Tried, ...]
    index: str
    pipeline: str
    model: str
    templates: tuple[str, ...]
    n_items: int
    n_fitted: int
    n_tested: int
    created: str
    seed: int = 0
    medrag: str = ""
    raw: str = ""
    before: Mapping[str, Measured] = field(default_factory=dict, hash=False)
    after: Mapping[str, Measured] = field(default_factory=dict, hash=False)
    source: Mapping[str, str] = field(default_factory=dict, hash=False)
    problems: tuple[str, ...] = ()


def calibration_json(calibration: Calibration) -> dict[str, Any]:
    """Give a calibration as JSON values, which `load_calibration` reads again."""
    return {"format": FORMAT, **to_json(calibration)}


def save_calibration(calibration: Calibration, path: Path) -> None:
    """Write a calibration, whole or not at all; one that is there before is replaced.

    Raises:
        InputFileError: if the disk refuses, or the file holds something else; names the file.
    """
    check_replaceable(path)
    written = json.dumps(calibration_json(calibration), ensure_ascii=False, indent=1)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        temporary.write_text(written + "\n", encoding="utf-8")
        temporary.replace(path)
    except OSError as error:
        raise InputFileError(path, f"cannot be written ({error.strerror or error})") from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def check_replaceable(path: Path) -> None:
    """Refuse to write a calibration over a file that holds something else.

    Raises:
        InputFileError: names the file.
    """
    if not path.exists():
        return
    try:
        with path.open("rb") as stream:
            held = json.loads(stream.read(_LARGEST + 1) or b'{"format": 0}')
    except (OSError, ValueError, RecursionError):
        held = None
    if not isinstance(held, dict) or "format" not in held:
        raise InputFileError(path, "is there, and is no calibration; name another file")


def load_calibration(path: Path) -> Calibration:
    """Read a calibration.

    Raises:
        InputFileError: if the file is missing, broken, or of another format.
    """
    try:
        with path.open("rb") as stream:
            content = stream.read(_LARGEST + 1)
        if len(content) > _LARGEST:
            raise InputFileError(path, f"is larger than {_LARGEST >> 20} MB: no calibration")
        value = json.loads(content.decode("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        why = getattr(error, "strerror", None) or error
        raise InputFileError(path, f"cannot be read as a calibration ({why})") from error
    stated = value.pop("format", None) if isinstance(value, dict) else None
    if stated != FORMAT or isinstance(stated, bool):
        raise InputFileError(
            path, f"is no calibration of format {FORMAT}; make one: medrag eval calibrate RUN"
        )
    try:
        calibration = record_from_json(Calibration, value)
        _check_numbers(calibration)
    except ShapeError as error:
        raise InputFileError(path, f"is no calibration ({error}); calibrate anew") from error
    return calibration


def probability(calibration: Calibration, signals: Mapping[str, float]) -> float:
    """Turn signals into the probability that the answer is right.

    Raises:
        ValueError: if a signal is missing of which the calibration knows no answer without.
    """
    if missing := lacking(calibration, signals):
        raise ValueError(f"the signal {missing[0]!r} is missing")
    told = logistic_probability(calibration.intercept, calibration.weights, signals)
    return interpolated(calibration.steps, told) if calibration.steps else told


def logistic_probability(
    intercept: float, weights: Sequence[Weight], signals: Mapping[str, float]
) -> float:
    """Compute the probability before any isotonic step; a missing signal adds its `missing`."""
    odds = intercept
    for each in weights:
        value = signals.get(each.signal)
        if value is not None:
            odds += each.weight * (value - each.mean) / each.scale
        elif each.missing is not None:
            odds += each.missing
    # The exponent is never above 0: that of a large number is none.
    tail = exp(-abs(odds))
    return 1 / (1 + tail) if odds >= 0 else tail / (1 + tail)


def interpolated(steps: Sequence[tuple[float, float]], value: float) -> float:
    """Read a rising curve between its points; the ends go on level."""
    place = bisect_right([point for point, _ in steps], value)
    if place == 0:
        return steps[0][1]
    if place == len(steps):
        return steps[-1][1]
    (left, low), (right, high) = steps[place - 1], steps[place]
    return low + (high - low) * (value - left) / (right - left)


def lacking(calibration: Calibration, signals: Mapping[str, float]) -> list[str]:
    """List the signals that are missing and that every answer of the calibration had."""
    return [
        each.signal
        for each in calibration.weights
        if each.missing is None and each.signal not in signals
    ]


def _check_numbers(calibration: Calibration) -> None:
    """Refuse numbers that no calibration has, such as NaN, which Python reads from JSON."""
    shares = {"risk": calibration.risk, "delta": calibration.delta}
    if calibration.threshold is not None:
        shares |= {"threshold": calibration.threshold}
    for n, (point, value) in enumerate(calibration.steps):
        shares |= {f"steps[{n}][0]": point, f"steps[{n}][1]": value}
    for name, number in shares.items():
        if not 0 <= number <= 1:  # false of NaN, too
            raise ShapeError(f"expected a number in [0, 1], found {number}", name)
    for (left, low), (right, high) in pairwise(calibration.steps):
        if left >= right or low > high:
            raise ShapeError("expected points that rise", "steps")
    _check_line(calibration)


def _check_line(calibration: Calibration) -> None:
    numbers = {"intercept": calibration.intercept}
    for each in calibration.weights:
        place = f"weights.{each.signal}"
        numbers |= {f"{place}.mean": each.mean, f"{place}.weight": each.weight}
        numbers |= {f"{place}.missing": each.missing or 0.0}
        if not _LEAST_SCALE <= each.scale <= _LARGEST_NUMBER:
            raise ShapeError("expected a scale above 0", place)
    for name, number in numbers.items():
        if not abs(number) <= _LARGEST_NUMBER:
            raise ShapeError(f"expected a number, found {number}", name)
