"""`medrag eval selection`: what selectors keep, what that is worth, and which k controls a risk."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_args

import typer

from medrag.cli.ask import need_folder
from medrag.cli.evaluate.options import (
    AsJson,
    Data,
    Faithful,
    JudgeModel,
    JudgeUrl,
    KeyVariable,
    ProtocolName,
    Seed,
    Split,
    Subset,
    judge_of,
    protocol_of,
)
from medrag.cli.evaluate.score import estimate_json, known
from medrag.cli.naming import GeneratorOption, Indexes, asked_indexes, check_names
from medrag.cli.output import message, number, p_value, show, show_json, table
from medrag.cli.progress import Bars

if TYPE_CHECKING:
    from medrag.codec import Json
    from medrag.config.resources import Resources
    from medrag.evaluation.scores import Estimate
    from medrag.evaluation.selecting import (
        Choices,
        Scored,
        SelectionReport,
        Setting,
        SettingScores,
    )
    from medrag.evaluation.statistics import PairedDifference
    from medrag.pipeline import Pipeline
    from medrag.selection.calibration import KCalibration

_GRIDS = (".yaml", ".yml")


def selection(
    pipeline: Annotated[str, typer.Argument(help="A pipeline, such as sample, or a YAML file.")],
    benchmark: Annotated[str, typer.Argument(help="A benchmark, or the YAML file of its card.")],
    data: Data,
    index: Indexes = None,
    generator: GeneratorOption = None,
    rule: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KIND[:RULE][:KEY=VALUE,...]",
            help="Settings to try, such as gap:adjacent_log_gap:gamma=0.1,0.2, or a YAML file "
            "with a list 'settings'; may repeat.",
        ),
    ] = None,
    k: Annotated[
        str, typer.Option(metavar="<k,k...>", help="Fixed numbers of hits; 0 for no context.")
    ] = "1,2,5,10,20",
    depth: Annotated[
        int | None,
        typer.Option(min=1, help="Hits to retrieve; the pipeline's k if left out, or the largest."),
    ] = None,
    answers: Annotated[
        bool, typer.Option("--answers", help="Answer from what each setting keeps; needs --out.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option(help="The folder of the answers; an unfinished one goes on.")
    ] = None,
    calibrate: Annotated[
        Path | None,
        typer.Option(help="Test which k controls the risk, and write that file; needs --out."),
    ] = None,
    alpha: Annotated[float, typer.Option(help="The share of wrong answers that may be.")] = 0.2,
    delta: Annotated[float, typer.Option(help="The probability with which that may fail.")] = 0.1,
    procedure: Annotated[
        str, typer.Option(metavar="bonferroni|holm|fixed_sequence", help="For several k.")
    ] = "bonferroni",
    bound: Annotated[
        str, typer.Option(metavar="hoeffding_bentkus|exact", help="Where p-values come from.")
    ] = "hoeffding_bentkus",
    split: Split = "test",
    subset: Subset = False,
    limit: Annotated[int | None, typer.Option(min=1, help="Items at most.")] = None,
    batch: Annotated[int, typer.Option(min=1, help="Sets of hits answered together.")] = 32,
    no_guard: Annotated[
        bool, typer.Option("--no-guard", help="Let an item's own picture and patient count.")
    ] = False,
    protocol: ProtocolName = None,
    faithful: Faithful = False,
    judge_url: JudgeUrl = None,
    judge_model: JudgeModel = None,
    key_variable: KeyVariable = None,
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """Try selectors on one benchmark: each item is retrieved once, and every setting chooses.

    Beside each rule stands the fixed number of hits that is nearest to what it keeps on average,
    with a paired test. Calibrate on other patients than those the pipeline is measured on.
    """
    from medrag.config import load_pipeline
    from medrag.evaluation.benchmarks import load_benchmark
    from medrag.evaluation.selecting import (
        answer_choices,
        choose,
        report_on,
        score_choices,
    )

    ks = _numbers(k)
    if not ks and not rule:
        raise typer.BadParameter("nothing to try; give numbers, or a --rule", param_hint="--k")
    _check(ks, depth, answers, out, calibrate, alpha, delta, procedure, bound)
    unguarded: dict[str, Any] = {"guard": False} if no_guard else {}
    test: dict[str, Any] = {"alpha": alpha, "delta": delta, "procedure": procedure, "bound": bound}
    built = load_pipeline(pipeline, **asked_indexes(index), generator=generator, **unguarded)
    rules = list(_settings(rule or [], built))
    pictures = None if out is None else out / "extracted"
    asked = load_benchmark(
        benchmark, data, split=split, subset=subset, limit=limit, extracted=pictures
    )
    for problem in asked.problems:
        message(f"{asked.name}: {problem}")
    scored = found = None
    with Bars(lines=True) as bars:
        choices = choose(built, asked, rules=rules, ks=ks, depth=depth, progress=bars)
        if out is not None:
            run = answer_choices(choices, out, seed=seed, batch=batch, progress=bars)
            judge = judge_of(run, judge_url, judge_model, key_variable)
            scoring = protocol_of(run, protocol, faithful=faithful, judge=judge)
            scored = score_choices(choices, run, scoring, progress=bars)
    report = report_on(choices, scored, seed=seed)
    if calibrate is not None and scored is not None:
        found = _calibrated(choices, scored, calibrate, seed=seed, **test)
    if as_json:
        show_json(report_json(report, found))
    else:
        _show(report)
        if found is not None:
            _show_calibration(found)
    _tell(report, found, calibrate)


def _calibrated(choices: "Choices", scored: "Scored", file: Path, **test: Any) -> "KCalibration":
    """Test which k controls the risk, and write that down."""
    from medrag.evaluation.selecting import calibrate_k, save_k_calibration

    try:
        found = calibrate_k(choices, scored, **test)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--bound") from error
    save_k_calibration(found, file)
    return found


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


def _numbers(text: str) -> list[int]:
    try:
        found = [int(each) for each in text.split(",") if each.strip()]
    except ValueError as error:
        raise typer.BadParameter(
            f"expected whole numbers such as 1,2,5, got {text!r:.80}", param_hint="--k"
        ) from error
    if any(each < 0 for each in found) or len(set(found)) < len(found):
        raise typer.BadParameter(
            f"expected different numbers of at least 0, got {text!r:.80}", param_hint="--k"
        )
    return found


def _check(
    ks: list[int],
    depth: int | None,
    answers: bool,
    out: Path | None,
    calibrate: Path | None,
    alpha: float,
    delta: float,
    procedure: str,
    bound: str,
) -> None:
    from medrag.evaluation.selecting.calibrating import check_k_file
    from medrag.selection.calibration import Bound, Procedure

    if depth is not None and max(ks, default=0) > depth:
        raise typer.BadParameter(f"{max(ks)} hits are more than --depth {depth}", param_hint="--k")
    if (answers or calibrate is not None) and out is None:
        raise typer.BadParameter(
            "--answers and --calibrate need --out, the folder of the answers", param_hint="--out"
        )
    check_names("procedure", [procedure], get_args(Procedure))
    check_names("bound", [bound], get_args(Bound))
    for value, option in ((alpha, "--alpha"), (delta, "--delta")):
        if not 0 < value < 1:
            raise typer.BadParameter(
                f"expected a number between 0 and 1, got {value:g}", param_hint=option
            )
    if calibrate is not None:
        need_folder(calibrate)
        check_k_file(calibrate)


def _settings(rules: list[str], pipeline: "Pipeline") -> "Iterator[Setting]":
    from medrag.config.components import planned
    from medrag.evaluation.selecting import Setting
    from medrag.evaluation.selecting.grids import spread

    given = _resources(pipeline)
    for text, place, grid in _grids(rules):
        try:
            settings = spread(grid)
        except ValueError as error:
            raise typer.BadParameter(f"{text:.80}: {error}", param_hint="--rule") from error
        for name, spec in settings.items():
            yield Setting(name, planned("selector", spec, place)(given))


def _grids(rules: list[str]) -> Iterator[tuple[str, Any, dict[str, Any]]]:
    """Read what --rule says: lines, or files with a list of them; each with its place."""
    from medrag.config.place import Place, shown
    from medrag.config.reading import read_mapping
    from medrag.evaluation.selecting.grids import parse_rule

    for text in rules:
        if not text.endswith(_GRIDS):
            try:
                yield text, Place("--rule"), parse_rule(text)
            except ValueError as error:
                raise typer.BadParameter(str(error), param_hint="--rule") from error
            continue
        place = Place(text).at("settings")
        listed = read_mapping(Path(text)).get("settings")
        if not isinstance(listed, list):
            raise place.error(f"expected a list of selectors, got {shown(listed)}")
        for position, each in enumerate(listed):
            if not isinstance(each, dict):
                raise place.at(position).error(f"expected a mapping, got {shown(each)}")
            yield text, place.at(position), each


def _resources(pipeline: "Pipeline") -> "Resources":
    from medrag.config.joined import JoinedIndex, resources

    index = pipeline.index
    if isinstance(index, JoinedIndex):
        return resources(index.main, index.others)
    return resources(index, {})


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
