"""Fit a calibration to the answers of a run, and test its threshold on other patients of it."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from math import isfinite

import numpy as np
from numpy.typing import NDArray

import medrag
from medrag.errors import EvaluationError
from medrag.evaluation.calibrating.answers import Known, folds, halves, known_answers, one_of_each
from medrag.evaluation.calibrating.fitting import Fitted, Signals, fit, probabilities, rising
from medrag.evaluation.calibrating.risk import Chosen, choose_threshold, least_n
from medrag.evaluation.calibration import aurc, brier, ece
from medrag.evaluation.class_measures import auroc
from medrag.evaluation.runs import Run
from medrag.evaluation.scorers import ScoringProtocol
from medrag.evaluation.scores import CONTEXT, FLOOR, RIGHT
from medrag.evaluation.statistics import Resamples
from medrag.protocols import Progress
from medrag.verification.calibrated import Calibration, Measured, Method

Floats = NDArray[np.float64]
N_FOLDS = 5
# What raw confidence is, by preference.
_RAW = ("confidence", "option_probability", "token_probability", "agreement", "support", "margin")


def calibrate_run(
    run: Run,
    protocol: ScoringProtocol,
    *,
    risk: float = 0.2,
    delta: float = 0.1,
    method: Method = "logistic",
    arm: str = CONTEXT,
    seed: int = 0,
    progress: Progress | None = None,
) -> Calibration:
    """Fit how an answer's signals tell that it is right, and when to hold it back.

    The run's clusters (patients, images) are parted at random into two halves. On all answers of
    the one the weights are fitted, on the other the threshold is tested. Answers about one patient
    stand and fall together, so that the tests, which need independent ones, get one answer of each
    cluster, drawn at random: the risk is that of one question to each new patient. It needs twice
    the patients, and promises nothing about many questions to a single one.

    Args:
        run: of questions like those to come; not of those that the calibrated pipeline is then
            measured on, and answered without a calibration.
        protocol: says what is right.
        risk: the share of wrong answers, among those not held back, that may be.
        delta: how often, over draws of the calibration items, that may fail.
        method: "logistic", or "isotonic": a rising curve on top of it, which needs some hundred
            answers.
        arm: of the run. Of another than "context" it is for comparison: a pipeline refuses it.
        seed: of the halves, folds and draws.

    Raises:
        EvaluationError: if the arm is none of the run or a floor, the run is of a calibrated
            pipeline or of several models, too few answers count, or none has a signal.
        ValueError: if risk or delta does not lie between 0 and 1.
    """
    _check(run, arm)
    known = known_answers(run, protocol, arm, progress=progress)
    _check_known(run, arm, known)
    first, second = halves(known.clusters, seed)
    fitted = fitted_by(method, *_part(known, first), seed=seed)
    hoped, drawn = (
        half[one_of_each([known.clusters[each] for each in half], seed)] for half in (first, second)
    )
    chosen = _threshold(known, fitted, hoped, drawn, risk=risk, delta=delta)
    raw = next((name for name in _RAW if any(name in each for each in known.signals)), "")
    return Calibration(
        method=method,
        intercept=fitted.intercept,
        weights=fitted.weights,
        steps=fitted.steps,
        risk=risk,
        delta=delta,
        threshold=chosen.threshold,
        tried=chosen.tried,
        index=_sha256(run, "index"),
        pipeline=_sha256(run, "pipeline"),
        model=known.models[0],
        templates=known.templates,
        n_items=len(known.right),
        n_fitted=len(first),
        n_tested=len(drawn),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        seed=seed,
        medrag=medrag.__version__,
        raw=raw,
        before=_measures(known, _column(known.signals, raw), seed),
        after=_measures(known, _cross_validated(known, method, seed), seed),
        source=_source(run, protocol, arm),
        problems=_problems(known, fitted, chosen.threshold, len(drawn), risk, delta),
    )


def _threshold(
    known: Known,
    fitted: Fitted,
    hoped: NDArray[np.int64],
    drawn: NDArray[np.int64],
    *,
    risk: float,
    delta: float,
) -> Chosen:
    """Choose where to look for a threshold by some answers, and test it on others."""
    confidence, losses = probabilities(fitted, known.signals), 1 - known.right
    return choose_threshold(
        (confidence[hoped], losses[hoped]),
        (confidence[drawn], losses[drawn]),
        risk=risk,
        delta=delta,
    )


def fitted_by(
    method: Method, signals: Signals, right: Floats, clusters: Sequence[str], *, seed: int = 0
) -> Fitted:
    """Fit by a method. The curve of "isotonic" is fitted to probabilities of other folds.

    Raises:
        ValueError: if there is no such method.
    """
    fitted = fit(signals, right)
    if method == "logistic":
        return fitted
    if method != "isotonic":
        raise ValueError(f'method must be "logistic" or "isotonic", got {method!r}')
    told = np.zeros(len(right))
    for inside, outside in _splits(clusters, seed):
        part = fit([signals[each] for each in inside], right[inside])
        told[outside] = probabilities(part, [signals[each] for each in outside])
    return Fitted(fitted.intercept, fitted.weights, rising(told, right))


def _check(run: Run, arm: str) -> None:
    if arm.startswith(FLOOR):
        raise EvaluationError(f"{arm!r} is a floor, which no pipeline answers by; name an arm")
    if run.manifest.get("calibration"):
        raise EvaluationError(
            f"{run.folder} was answered with a calibration, which held answers back; run the "
            "pipeline without it, into a new folder, and calibrate that run"
        )


def _check_known(run: Run, arm: str, known: Known) -> None:
    n_clusters = len(set(known.clusters))
    if n_clusters < 2:
        raise EvaluationError(
            f"{run.folder}: {len(known.right)} answers of {arm} in {n_clusters} clusters count, "
            "and a calibration needs two halves without a common one; run more items"
        )
    if len(known.models) > 1:
        raise EvaluationError(
            f"{run.folder}: answers of {arm} are of several models ({', '.join(known.models)}); a "
            "calibration is of one: calibrate a run of one model"
        )
    if not any(known.signals):
        raise EvaluationError(
            f"{run.folder}: no answer of {arm} has any signal to tell confidence from; let the "
            "generator give log-probabilities or scores of options, draw samples, or add a "
            "verifier, and run again into a new folder"
        )


def _part(known: Known, places: NDArray[np.int64]) -> tuple[Signals, Floats, list[str]]:
    listed = places.tolist()
    signals = [known.signals[each] for each in listed]
    return signals, known.right[places], [known.clusters[each] for each in listed]


def _splits(
    clusters: Sequence[str], seed: int
) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """List (places to fit on, places to tell) of each fold."""
    n = min(N_FOLDS, len(set(clusters)))
    if n < 2:
        every = np.arange(len(clusters))
        return [(every, every)]
    of = folds(clusters, n, seed)
    return [(np.flatnonzero(of != each), np.flatnonzero(of == each)) for each in range(n)]


def _cross_validated(known: Known, method: Method, seed: int) -> Floats:
    """Tell each answer's probability by a fit that has seen no answer of its cluster."""
    told = np.full(len(known.right), np.nan)
    for inside, outside in _splits(known.clusters, seed):
        fitted = fitted_by(method, *_part(known, inside), seed=seed)
        told[outside] = probabilities(fitted, [known.signals[each] for each in outside])
    return told


def _measures(known: Known, confidence: Floats, seed: int) -> Mapping[str, Measured]:
    binary = np.where(known.right >= RIGHT, 1.0, 0.0)
    found = Resamples(known.clusters, seed=seed).estimates(
        {
            "ece": ece(confidence, known.right),
            "brier": brier(confidence, known.right),
            "aurc": aurc(confidence, known.right),
            "auroc_of_correctness": auroc(confidence, binary),
        }
    )
    return {
        name: Measured(_finite(one.value), _finite(one.low), _finite(one.high), one.n)
        for name, one in found.items()
    }


def _finite(value: float) -> float | None:
    return value if isfinite(value) else None


def _column(signals: Signals, name: str) -> Floats:
    return np.array([each.get(name, np.nan) for each in signals], dtype=np.float64)


def _sha256(run: Run, name: str) -> str:
    return str((run.manifest.get(name) or {}).get("sha256", ""))


def _source(run: Run, protocol: ScoringProtocol, arm: str) -> dict[str, str]:
    benchmark = run.manifest["benchmark"]
    return {
        "benchmark": benchmark["name"],
        "split": benchmark["split"],
        "items_sha256": run.manifest["items_sha256"],
        "protocol": protocol.name,
        "mode": protocol.mode,
        "headline": ", ".join(protocol.headline),
        "arm": arm,
    }


def _problems(
    known: Known,
    fitted: Fitted,
    threshold: float | None,
    n_tested: int,
    risk: float,
    delta: float,
) -> tuple[str, ...]:
    """Say what a reader of the numbers must know."""
    found = [
        f"left out of the calibration: {n} answers ({reason})"
        for reason, n in known.left_out.items()
    ]
    if not any(each.weight or each.missing for each in fitted.weights):
        found.append("no signal tells right answers from wrong ones: confidence is always the same")
    needed = least_n(risk, delta)
    if n_tested < needed:
        found.append(
            f"{n_tested} independent answers are too few to test a risk of {risk:g}: {needed} that "
            "are all right are the least"
        )
    if threshold is None:
        found.append(
            f"no threshold controls the risk at {risk:g}: with this calibration every answer is "
            "held back; calibrate on more patients, accept a higher risk, or answer better"
        )
    if n_tested < len(known.right) // 4:
        found.append(
            f"clusters are large: of {len(known.right)} answers, {n_tested} independent ones are "
            "left to test"
        )
    return tuple(found)
