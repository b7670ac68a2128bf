"""`medrag eval calibrate`: fit confidence and the threshold of abstaining to a run."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from medrag.cli.ask import need_folder
from medrag.cli.evaluate.options import (
    AsJson,
    Faithful,
    JudgeModel,
    JudgeUrl,
    KeyVariable,
    ProtocolName,
    RunFolder,
    Seed,
    judge_of,
    protocol_of,
)
from medrag.cli.output import message, number, show, show_json, table
from medrag.cli.progress import Bars

if TYPE_CHECKING:
    from medrag.verification.calibrated import Calibration, Measured

_METHODS = ("logistic", "isotonic")


def calibrate(
    run: RunFolder,
    out: Annotated[Path, typer.Option(help="Write the calibration here (a JSON file).")],
    risk: Annotated[
        float, typer.Option(help="The share of wrong answers, among those given, that may be.")
    ] = 0.2,
    delta: Annotated[float, typer.Option(help="The probability with which that may fail.")] = 0.1,
    method: Annotated[
        str,
        typer.Option(metavar="logistic|isotonic", help="How signals become a probability."),
    ] = "logistic",
    arm: Annotated[str, typer.Option(metavar="<str>", help="The arm of the run.")] = "context",
    protocol: ProtocolName = None,
    faithful: Faithful = False,
    judge_url: JudgeUrl = None,
    judge_model: JudgeModel = None,
    key_variable: KeyVariable = None,
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """Learn from a run how sure answers are, and below which confidence to hold them back.

    The run must be of questions like those to come, and not of those that the calibrated pipeline
    is measured on afterwards. Name the file in a recipe: calibration: FILE.
    """
    from medrag.evaluation.calibrating import calibrate_run
    from medrag.evaluation.runs import open_run
    from medrag.verification.calibrated import (
        Method,
        calibration_json,
        check_replaceable,
        save_calibration,
    )

    chosen: Method = "isotonic" if method == "isotonic" else "logistic"
    _check(risk, delta, method)
    need_folder(out)
    check_replaceable(out)
    opened = open_run(run)
    judge = judge_of(opened, judge_url, judge_model, key_variable)
    scoring = protocol_of(opened, protocol, faithful=faithful, judge=judge)
    with Bars() as bars:
        calibration = calibrate_run(
            opened,
            scoring,
            risk=risk,
            delta=delta,
            method=chosen,
            arm=arm,
            seed=seed,
            progress=bars,
        )
    save_calibration(calibration, out)
    if as_json:
        show_json(calibration_json(calibration))
    else:
        _show(calibration)
    for problem in calibration.problems:
        message(problem)
    message(f"wrote {out}; name it in the recipe of a pipeline: calibration: {out}")


def _check(risk: float, delta: float, method: str) -> None:
    from medrag.config.place import unknown

    for value, option in ((risk, "--risk"), (delta, "--delta")):
        if not 0 < value < 1:
            raise typer.BadParameter(
                f"expected a number between 0 and 1, got {value:g}", param_hint=option
            )
    if method not in _METHODS:
        raise typer.BadParameter(unknown("method", method, _METHODS), param_hint="--method")


def _show(calibration: "Calibration") -> None:
    source = calibration.source
    show(
        f"{source['benchmark']}, {source['split']}, {source['arm']}: "
        f"{number(calibration.n_items, 'answer')} by protocol {source['protocol']}, "
        f"{source['mode']}; fitted to {calibration.n_fitted}, tested on {calibration.n_tested} of "
        "other clusters, one of each"
    )
    _show_measures(calibration)
    show("what speaks for an answer to be right (log-odds for one standard deviation):")
    rows = [
        [each.signal, f"{each.weight:+.2f}", _missing(each.missing)] for each in calibration.weights
    ]
    show(table(rows, indent="  ") or "  nothing")
    show("thresholds, in the order of their tests:")
    head = ["threshold", "answered", "n", "wrong", "p", ""]
    tests = [
        [
            f"{each.threshold:.3f}",
            f"{each.coverage:.1%}",
            str(each.n),
            "-" if each.risk is None else f"{each.risk:.1%}",
            f"{each.p:.4f}",
            "passed" if each.passed else "failed",
        ]
        for each in calibration.tried
    ]
    show(table([head, *tests], indent="  "))
    show(_verdict(calibration))


def _show_measures(calibration: "Calibration") -> None:
    raw = calibration.raw or "no signal"
    head = ["", f"before ({raw})", "after (cross-validated)"]
    rows = [
        [name, _written(calibration.before.get(name)), _written(after)]
        for name, after in calibration.after.items()
    ]
    show(table([head, *rows], indent="  "))


def _verdict(calibration: "Calibration") -> str:
    risk, sure = (f"{100 * share:.4g}%" for share in (calibration.risk, 1 - calibration.delta))
    if calibration.threshold is None:
        return f"no threshold controls the risk at {risk}: every answer is held back"
    chosen = next(e for e in calibration.tried if e.threshold == calibration.threshold)
    return (
        f"threshold {calibration.threshold:.3f}: answers {chosen.coverage:.1%}; at most {risk} of "
        f"these are wrong, with a certainty of {sure}, for one question to each new patient"
    )


def _missing(weight: float | None) -> str:
    return "" if weight is None else f"{weight:+.2f} where it is missing"


def _written(measured: "Measured | None") -> str:
    if measured is None or measured.value is None:
        return "-"
    if measured.low is None or measured.high is None:
        return f"{measured.value:.3f} of {measured.n}"
    return f"{measured.value:.3f} [{measured.low:.3f}, {measured.high:.3f}] of {measured.n}"
