"""`medrag eval selection`: what selectors keep, what that is worth, and which k controls a risk."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_args

import typer

from medrag.cli.ask import need_folder
from medrag.cli.evaluate.options import (
    AsJson,
    BenchmarkName,
    Data,
    Faithful,
    JudgeModel,
    JudgeUrl,
    KeyVariable,
    Limit,
    NoGuard,
    PipelineName,
    ProtocolName,
    Seed,
    Split,
    Subset,
    check_out,
    judge_of,
    protocol_of,
    tell_problems,
)
from medrag.cli.evaluate.selection_report import tell_selection
from medrag.cli.naming import GeneratorOption, Indexes, asked_indexes, check_names
from medrag.cli.progress import Bars

if TYPE_CHECKING:
    from medrag.config.resources import Resources
    from medrag.evaluation.selecting import Choices, Scored, Setting
    from medrag.pipeline import Pipeline
    from medrag.selection.calibration import KCalibration

_GRIDS = (".yaml", ".yml")

Rules = Annotated[
    list[str] | None,
    typer.Option(
        metavar="KIND[:RULE][:KEY=VALUE,...]",
        help="Settings to try, such as gap:adjacent_log_gap:gamma=0.1,0.2, or a YAML file "
        "with a list 'settings'; may repeat.",
    ),
]
Numbers = Annotated[
    str, typer.Option(metavar="<k,k...>", help="Fixed numbers of hits; 0 for no context.")
]
Depth = Annotated[
    int | None,
    typer.Option(min=1, help="Hits to retrieve; the pipeline's k if left out, or the largest."),
]
Answers = Annotated[
    bool, typer.Option("--answers", help="Answer from what each setting keeps; needs --out.")
]
Out = Annotated[
    Path | None, typer.Option(help="The folder of the answers; an unfinished one goes on.")
]
Calibration = Annotated[
    Path | None,
    typer.Option(help="Test which k controls the risk, and write that file; needs --out."),
]
Alpha = Annotated[float, typer.Option(help="The share of wrong answers that may be.")]
Delta = Annotated[float, typer.Option(help="The probability with which that may fail.")]
ProcedureName = Annotated[
    str, typer.Option(metavar="bonferroni|holm|fixed_sequence", help="For several k.")
]
BoundName = Annotated[
    str, typer.Option(metavar="hoeffding_bentkus|exact", help="Where p-values come from.")
]
Batch = Annotated[int, typer.Option(min=1, help="Sets of hits answered together.")]


def selection(
    pipeline: PipelineName,
    benchmark: BenchmarkName,
    data: Data,
    index: Indexes = None,
    generator: GeneratorOption = None,
    rule: Rules = None,
    k: Numbers = "1,2,5,10,20",
    depth: Depth = None,
    answers: Answers = False,
    out: Out = None,
    calibrate: Calibration = None,
    alpha: Alpha = 0.2,
    delta: Delta = 0.1,
    procedure: ProcedureName = "bonferroni",
    bound: BoundName = "hoeffding_bentkus",
    split: Split = "test",
    subset: Subset = False,
    limit: Limit = None,
    batch: Batch = 32,
    no_guard: NoGuard = False,
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
    from medrag.evaluation.selecting import choose, report_on

    scoring = _Scoring(protocol, faithful, judge_url, judge_model, key_variable)
    ks = _numbers(k, rule, depth)
    _check_folder(out, data, answers=answers or calibrate is not None, scoring=scoring)
    test = _test(alpha, delta, procedure, bound, calibrate)
    unguarded: dict[str, Any] = {"guard": False} if no_guard else {}
    built = load_pipeline(pipeline, **asked_indexes(index), generator=generator, **unguarded)
    rules = list(_settings(rule or [], built))
    asked = load_benchmark(
        benchmark, data, split=split, subset=subset, limit=limit,
        extracted=None if out is None else out / "extracted",
    )  # fmt: skip
    tell_problems(asked)
    with Bars(lines=True) as bars:
        choices = choose(built, asked, rules=rules, ks=ks, depth=depth, progress=bars)
        scored = None if out is None else _scored(choices, out, scoring, seed, batch, bars)
    report = report_on(choices, scored, seed=seed)
    found = None
    if calibrate is not None and scored is not None:
        found = _calibrated(choices, scored, calibrate, seed=seed, **test)
    tell_selection(report, found, calibrate, as_json=as_json)


@dataclass(frozen=True, slots=True)
class _Scoring:
    """How answers are scored, as the options say."""

    protocol: str | None
    faithful: bool
    judge_url: str | None
    judge_model: str | None
    key_variable: str | None


def _numbers(text: str, rules: Sequence[str] | None, depth: int | None) -> list[int]:
    """Read the fixed numbers of hits; there may be none beside rules alone."""
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
    if not found and not rules:
        raise typer.BadParameter("nothing to try; give numbers, or a --rule", param_hint="--k")
    if depth is not None and max(found, default=0) > depth:
        raise typer.BadParameter(
            f"{max(found)} hits are more than --depth {depth}", param_hint="--k"
        )
    return found


def _check_folder(out: Path | None, data: Path, *, answers: bool, scoring: _Scoring) -> None:
    """Refuse a folder that is none of its own, and options of answers without any folder."""
    if out is not None:
        check_out(out, data)
        return
    if answers:
        raise typer.BadParameter(
            "--answers and --calibrate need --out, the folder of the answers", param_hint="--out"
        )
    given = [f"--{name.replace('_', '-')}" for name, value in asdict(scoring).items() if value]
    if given:
        raise typer.BadParameter(
            f"{', '.join(given)}: there are no answers to score without --out, their folder",
            param_hint="--out",
        )


def _test(
    alpha: float, delta: float, procedure: str, bound: str, calibrate: Path | None
) -> dict[str, Any]:
    """Give the keywords of a calibration, checked as far as may be before anything is asked."""
    from medrag.evaluation.selecting.calibrating import check_k_file
    from medrag.selection.calibration import Bound, Procedure

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
    return {"alpha": alpha, "delta": delta, "procedure": procedure, "bound": bound}


def _scored(
    choices: "Choices", out: Path, scoring: _Scoring, seed: int, batch: int, bars: Bars
) -> "Scored":
    """Answer from what each setting keeps, and score the answers."""
    from medrag.evaluation.selecting import answer_choices, score_choices

    run = answer_choices(choices, out, seed=seed, batch=batch, progress=bars)
    judge = judge_of(run, scoring.judge_url, scoring.judge_model, scoring.key_variable)
    protocol = protocol_of(run, scoring.protocol, faithful=scoring.faithful, judge=judge)
    return score_choices(choices, run, protocol, progress=bars)


def _calibrated(choices: "Choices", scored: "Scored", file: Path, **test: Any) -> "KCalibration":
    """Test which k controls the risk, and write that down."""
    from medrag.evaluation.selecting import calibrate_k, save_k_calibration

    try:
        found = calibrate_k(choices, scored, **test)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--bound") from error
    save_k_calibration(found, file)
    return found


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
