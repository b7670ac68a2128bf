"""Answers held back for want of confidence, and calibrations refused that are of other answers."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from medrag.errors import RecipeError
from medrag.records import Answer
from medrag.verification.calibrated import Calibration, lacking, probability
from medrag.verification.confidence import signals_of

_STEP = "abstain"
# The arm of a run that answers as the pipeline does.
_PIPELINE = "context"
_WAY_OUT = (
    "its promise holds for the answers it was fitted to alone; calibrate anew: medrag eval run "
    "without a calibration, then medrag eval calibrate RUN --out FILE; or leave 'calibration' out"
)


def check(
    calibration: Calibration,
    identity: Mapping[str, Any],
    model: str,
    template: str | None = None,
) -> None:
    """Refuse a calibration of another pipeline.

    Args:
        identity: `Pipeline.identity`; what it lacks is compared as "".
        model: the name of the generator, as `Answer.model` holds it.
        template: the name and version of what prompts are written by; None if it is told by the
            answers alone, which `apply` looks at.

    Raises:
        RecipeError: says what is another: the index, the recipe, the model, the template, or the
            arm of the run, as a pipeline answers like the arm "context" alone.
    """
    arm = calibration.source.get("arm", _PIPELINE)
    for told, fitted, found in (
        ("index", calibration.index, _sha256(identity, "index")),
        ("pipeline recipe", calibration.pipeline, _sha256(identity, "pipeline")),
        ("model", calibration.model, model),
        ("arm", arm, _PIPELINE),
    ):
        if fitted != found:
            raise RecipeError(
                f"the calibration of {calibration.created} is of another {told}: "
                f"{_short(fitted)} there, {_short(found)} here; {_WAY_OUT}"
            )
    if template is not None and template not in calibration.templates:
        raise RecipeError(
            f"the calibration of {calibration.created} is of another template: "
            f"{_listed(calibration.templates)} there, {template or 'none'} here; {_WAY_OUT}"
        )


def apply(calibration: Calibration, answer: Answer) -> Answer:
    """Give an answer its calibrated confidence, and hold it back where that is too low.

    An answer that is held back keeps its text, claims and citations, for a reader who wants to see
    what was not said with enough confidence; `abstained` is set, whoever shows it must say so
    (`held_back` gives the sentence), and scoring counts it as abstained. An answer that declines by
    itself, or failed, gets no confidence. `signals` keeps what the confidence is told from, so that
    the same answer may be given again.

    Where nothing can be told, for a signal is missing that every answer of the calibration had, or
    the answer is by another model or template, it is held back without a confidence, and `error`
    says why.
    """
    if held_back(answer) is not None:
        return answer
    if answer.abstained or not answer.text.strip():
        return replace(answer, confidence=None)
    signals = signals_of(answer)
    answer = replace(answer, signals=signals)
    if problem := _problem(calibration, answer, signals):
        error = "; ".join(each for each in (answer.error, problem) if each)
        return _held(replace(answer, error=error), calibration, None)
    confidence = probability(calibration, signals)
    # Not the other way round: what is no number reaches no threshold.
    if calibration.threshold is None or not confidence >= calibration.threshold:
        return _held(answer, calibration, confidence)
    return replace(answer, confidence=confidence)


def held_back(answer: Answer) -> str | None:
    """Say why a calibration held an answer back; None if none did."""
    for step in reversed(answer.trace):
        if step.get("step") == _STEP:
            return str(step.get("reason", ""))
    return None


def _problem(calibration: Calibration, answer: Answer, signals: Mapping[str, float]) -> str | None:
    if answer.model != calibration.model:
        return (
            f"no confidence can be told: the answer is by {answer.model or 'no model'}, the "
            f"calibration knows {calibration.model or 'no model'}"
        )
    if answer.template not in calibration.templates:
        return (
            f"no confidence can be told: the prompt is written by {answer.template or 'none'}, the "
            f"calibration knows answers by {_listed(calibration.templates)}"
        )
    if missing := lacking(calibration, signals):
        return (
            f"no confidence can be told: the signal {', '.join(missing)} is missing, which every "
            "answer of the calibration had"
        )
    return None


def _held(answer: Answer, calibration: Calibration, confidence: float | None) -> Answer:
    step = {
        "step": _STEP,
        "reason": _reason(calibration, confidence),
        "confidence": confidence,
        "threshold": calibration.threshold,
        "risk": calibration.risk,
        "delta": calibration.delta,
    }
    return replace(answer, confidence=confidence, abstained=True, trace=(*answer.trace, step))


def _reason(calibration: Calibration, confidence: float | None) -> str:
    if confidence is None:
        return "not confident enough: no confidence can be told"
    if calibration.threshold is None:
        return (
            "not confident enough: no threshold controls a risk of "
            f"{calibration.risk:g} with this calibration"
        )
    return (
        f"not confident enough: {confidence:.2f}, where {calibration.threshold:.2f} keeps the "
        f"risk at {calibration.risk:g}"
    )


def _sha256(identity: Mapping[str, Any], name: str) -> str:
    part = identity.get(name)
    return str(part.get("sha256", "")) if isinstance(part, Mapping) else ""


def _short(name: str) -> str:
    """Write a name; of a SHA-256 as much as tells two apart."""
    return f"{name[:12]}..." if len(name) == 64 and name.isalnum() else name or "none"


def _listed(templates: Sequence[str]) -> str:
    return ", ".join(each or "none" for each in templates) or "none"
