"""What `medrag eval selection` prints: each setting, the fixed k beside it, and a calibration."""

import math
from pathlib import Path
from typing import TYPE_CHECKING

from medrag.cli.evaluate.score import estimate_json, known
from medrag.cli.output import message, number, p_value, show, show_json, table

if TYPE_CHECKING:
    from medrag.codec import Json
    from medrag.evaluation.scores import Estimate
    from medrag.evaluation.selecting import SelectionReport, SettingScores
    from medrag.evaluation.statistics import PairedDifference
    from medrag.selection.calibration import KCalibration


def tell_selection(
    report: "SelectionReport",
    calibration: "KCalibration | None",
    file: Path | None,
    *,
    as_json: bool,
) -> None:
    """Print a report, and the calibration that was written to a file; messages on stderr."""
    if as_json:
        show_json(report_json(report, calibration))
    else:
        _show(report)
        if calibration is not None:
            _show_calibration(calibration)
    _tell(report, calibration, file)


def report_json(report: "SelectionReport", calibration: "KCalibration | None") -> "Json":
    """{"benchmark", "split", "n_items", "settings": [...], "calibration": {...} or null, ...}."""
    from medrag.selection.calibration import k_calibration_json

    return {
        "benchmark": report.benchmark,
        "split": report.split,
        "n_items": report.n_items,
        "n_clusters": report.n_clusters,
        "depth": report.depth,
        "protocol": report.protocol,
        "settings": [_setting_json(each) for each in report.settings],
        "growth": None if report.growth is None else estimate_json(report.growth),
        "problems": list(report.problems),
        "calibration": None if calibration is None else k_calibration_json(calibration),
    }


def _setting_json(each: "SettingScores") -> "Json":
    beside = each.beside
    return {
        "name": each.name,
        "k": each.k,
        "measures": {name: estimate_json(one) for name, one in each.measures.items()},
        "n_refused": each.n_refused,
        "refusal": each.refusal,
        "notes": list(each.notes),
        "beside": None
        if beside is None
        else {
            "name": beside.name,
            "kept": known(beside.kept),
            "differences": {
                name: _difference_json(one, beside.adjusted_p[name])
                for name, one in beside.differences.items()
            },
        },
    }


def _difference_json(one: "PairedDifference", adjusted: float) -> "Json":
    return {
        "fixed": known(one.a),
        "rule": known(one.b),
        "difference": known(one.difference),
        "low": known(one.interval.low),
        "high": known(one.interval.high),
        "p": known(one.p),
        "adjusted_p": known(adjusted),
        "n": one.n,
    }


def _show(report: "SelectionReport") -> None:
    show(
        f"{report.benchmark}, {report.split}: {number(report.n_items, 'item')} in "
        f"{number(report.n_clusters, 'cluster')}, {report.depth} hits retrieved for each"
        + (f"; answers by protocol {report.protocol}" if report.protocol else "")
    )
    measures = [
        name
        for name in ("fired", "kept", "recall", "precision", "accuracy")
        if any(name in each.measures for each in report.settings)
    ]
    rows = [["setting", *measures]]
    rows += [
        [each.name, *(_written(name, each.measures.get(name)) for name in measures)]
        for each in report.settings
    ]
    show(table(rows))
    if report.growth is not None:
        growth = report.growth
        interval = "" if math.isnan(growth.low) else f" [{growth.low:+.3f}, {growth.high:+.3f}]"
        show(f"each doubling of k changes accuracy by {growth.value:+.3f}{interval}")
    _show_beside(report)


def _show_beside(report: "SelectionReport") -> None:
    rows = [["rule, minus the nearest k", "kept", "measure", "difference", "p", "p (Holm)"]]
    for each in report.settings:
        if each.beside is None:
            continue
        kept = f"{each.measures['kept'].value:.2f} / {each.beside.kept:.2f}"
        name = f"{each.name} - {each.beside.name}"
        for measure, one in each.beside.differences.items():
            adjusted = each.beside.adjusted_p[measure]
            rows.append([name, kept, measure, _difference(one), p_value(one.p), p_value(adjusted)])
            name = kept = ""
    if len(rows) > 1:
        show(table(rows))
        show(
            "p: paired permutation test, whole clusters swapped; Holm over the rules; intervals by "
            "bootstrap over clusters"
        )


def _show_calibration(found: "KCalibration") -> None:
    show(
        f"risk of each k on {number(found.n, 'independent item')}, tested by {found.procedure} at "
        f"delta {found.delta:g} against alpha {found.alpha:g}:"
    )
    rows = [["k", "wrong", "p", ""]]
    rows += [
        [str(e.k), f"{e.risk:.1%}", f"{e.p:.4f}", "passed" if e.passed else "failed"]
        for e in found.tested
    ]
    show(table(rows, indent="  "))
    if found.k is None:
        show(f"no k controls the risk at {found.alpha:g}")
    else:
        show(f"k = {found.k}: the lowest risk of those that passed")


def _tell(report: "SelectionReport", found: "KCalibration | None", calibrate: Path | None) -> None:
    for problem in report.problems:
        message(problem)
    for each in report.settings:
        for note in each.notes:
            message(f"{each.name}: {note}")
    if found is None:
        return
    for problem in found.problems:
        message(problem)
    told = f"k: {found.depth}, select: {{kind: calibrated, file: {calibrate}}}"
    if found.k is None:
        message(f"wrote {calibrate}; in the recipe ({told}) it keeps nothing, as no k passed")
    else:
        message(f"wrote {calibrate}; use it in the recipe: {told}")


def _written(name: str, estimate: "Estimate | None") -> str:
    if estimate is None or math.isnan(estimate.value):
        return "-"
    if name == "kept":
        return f"{estimate.value:.2f}"
    if math.isnan(estimate.low):
        return f"{estimate.value:.3f}"
    return f"{estimate.value:.3f} [{estimate.low:.3f}, {estimate.high:.3f}]"


def _difference(one: "PairedDifference") -> str:
    low, high = one.interval
    interval = "" if math.isnan(low) else f" [{low:+.3f}, {high:+.3f}]"
    return f"{one.difference:+.3f}{interval}"
