"""`medrag eval compare`: runs, or arms of one, on the same items."""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from medrag.cli.evaluate.options import (
    AsJson,
    Faithful,
    JudgeModel,
    JudgeUrl,
    KeyVariable,
    ProtocolName,
    Seed,
    judge_of,
    protocol_of,
)
from medrag.cli.evaluate.score import known
from medrag.cli.output import message, p_value, show, show_json, table

if TYPE_CHECKING:
    from medrag.codec import Json
    from medrag.evaluation.compare import Comparison, Side
    from medrag.evaluation.several import Row, Table
    from medrag.evaluation.statistics import McNemar

_SIDE = "The folder of a run; RUN@ARM names an arm other than context."


def compare(
    a: Annotated[str, typer.Argument(metavar="RUN[@ARM]", help=_SIDE)],
    b: Annotated[str, typer.Argument(metavar="RUN[@ARM]", help="What is compared with it.")],
    more: Annotated[
        list[str] | None,
        typer.Argument(metavar="RUN[@ARM]", help="Further ones: a table of all, beside the first."),
    ] = None,
    protocol: ProtocolName = None,
    faithful: Faithful = False,
    measure: Annotated[
        list[str] | None,
        typer.Option(metavar="<str>", help="A further measure, such as token_f1; may repeat."),
    ] = None,
    judge_url: JudgeUrl = None,
    judge_model: JudgeModel = None,
    key_variable: KeyVariable = None,
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """Tell whether b differs from a, and what a set of this size could show."""
    from medrag.evaluation.compare import compare_runs
    from medrag.evaluation.several import compare_several

    sides = [_side(each) for each in (a, b, *(more or ()))]
    judge = judge_of(sides[0].run, judge_url, judge_model, key_variable)
    chosen = protocol_of(sides[0].run, protocol, faithful=faithful, judge=judge)
    wanted = measure or ()
    try:
        if more:
            several = compare_several(sides, chosen, measures=wanted, seed=seed)
            show_json(several_json(several)) if as_json else _show_several(several)
            return
        found = compare_runs(sides[0], sides[1], chosen, measures=wanted, seed=seed)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--measure") from error
    if as_json:
        show_json(comparison_json(found))
    else:
        _show(found)


def several_json(found: "Table") -> "Json":
    """{"n_items", "runs": [{"name", "measures": {name: {...}}, "n_kept", "seconds"}]}."""
    return {
        "n_items": found.n_items,
        "runs": [
            {
                "name": row.name,
                "measures": {name: _measure_json(row, name) for name in found.measures},
                "n_kept": known(row.n_kept),
                "seconds": known(row.seconds),
            }
            for row in found.rows
        ],
    }


def _measure_json(row: "Row", name: str) -> "Json":
    """{"value", "low", "high", "n"}; of all but the first run also the difference to that."""
    one = row.estimates[name]
    told = {"value": known(one.value), "low": known(one.low), "high": known(one.high), "n": one.n}
    if name not in row.differences:
        return told
    difference = row.differences[name]
    return {
        **told,
        "difference": known(difference.difference),
        "difference_low": known(difference.interval.low),
        "difference_high": known(difference.interval.high),
        "p": known(difference.p),
        "adjusted_p": known(row.adjusted_p[name]),
    }


def _show_several(found: "Table") -> None:
    head = ["run", "hits", "seconds"]
    for name in found.measures:
        head += [name, "to the first", "p (Holm)"]
    rows = [head]
    for row in found.rows:
        line = [row.name, f"{row.n_kept:.1f}", f"{row.seconds:.2f}"]
        for name in found.measures:
            one = row.estimates[name]
            line.append(f"{one.value:.3f} [{one.low:.3f}, {one.high:.3f}]")
            line += _beside(row, name)
        rows.append(line)
    show(table(rows))
    show(
        f"{found.n_items} items; intervals by bootstrap over clusters; p: paired permutation test "
        "to the first run, Holm's correction over the table"
    )


def _beside(row: "Row", name: str) -> list[str]:
    if name not in row.differences:
        return ["", ""]
    difference = row.differences[name]
    low, high = difference.interval
    return [
        f"{difference.difference:+.3f} [{low:+.3f}, {high:+.3f}]",
        p_value(row.adjusted_p[name]),
    ]


def comparison_json(found: "Comparison") -> "Json":
    """{"a", "b", "measures": {name: {...}}, "n_items", "detectable", "too_small", ...}."""
    return {
        "a": found.a,
        "b": found.b,
        "n_asked": found.n_asked,
        "n_items": found.n_items,
        "n_clusters": found.n_clusters,
        "measures": {
            one.measure: {
                "a": known(one.difference.a),
                "b": known(one.difference.b),
                "difference": known(one.difference.difference),
                "low": known(one.difference.interval.low),
                "high": known(one.difference.interval.high),
                "p": known(one.difference.p),
                "adjusted_p": known(one.adjusted_p),
                "n": one.difference.n,
                "mcnemar": None
                if one.counts is None
                else {
                    "only_a": one.counts.only_a,
                    "only_b": one.counts.only_b,
                    "p": one.counts.p,
                },
            }
            for one in found.measures
        },
        "discordant": found.discordant,
        "minimum_detectable_difference": known(found.detectable),
        "too_small": found.too_small,
        "problems": list(found.problems),
        "needed": found.needed,
        "fixed": list(found.flow.fixed),
        "broken": list(found.flow.broken),
    }


def _side(text: str) -> "Side":
    """Read RUN@ARM; a folder whose name holds an @ is taken as it is."""
    from medrag.evaluation.compare import Side
    from medrag.evaluation.runs import open_run
    from medrag.evaluation.scores import CONTEXT

    folder, _, arm = text.rpartition("@")
    if not folder or Path(text).is_dir():
        folder, arm = text, ""
    run = open_run(Path(folder))
    if not arm:
        arm = CONTEXT if CONTEXT in run.arms else run.arms[0]
    return Side(run, arm, f"{Path(folder).name}@{arm}")


def _show(found: "Comparison") -> None:
    show(
        f"{found.b} beside {found.a}: of {found.n_asked} items, {found.n_items} in "
        f"{found.n_clusters} clusters count and were answered by both"
    )
    head = ["measure", "n", found.a, found.b, "difference", "p", "p (Holm)", "only a / only b"]
    rows = [head]
    for one in found.measures:
        difference = one.difference
        low, high = difference.interval
        rows.append(
            [
                one.measure,
                str(difference.n),
                f"{difference.a:.3f}",
                f"{difference.b:.3f}",
                f"{difference.difference:+.3f}"
                + (f" [{low:+.3f}, {high:+.3f}]" if low == low else ""),
                p_value(difference.p),
                p_value(one.adjusted_p),
                _counts(one.counts, alone=difference.n == difference.n_clusters),
            ]
        )
    show(table(rows))
    show("p: paired permutation test, whole clusters swapped; intervals by bootstrap over clusters")
    _show_power(found)


def _show_power(found: "Comparison") -> None:
    """Say which difference the set could show, and warn where that is none that matters."""
    from medrag.evaluation.compare import LEAST_DISCORDANT

    apart = f"{found.discordant:.1%} of the items are right in one of the two only"
    if found.discordant < LEAST_DISCORDANT:
        apart += f", {LEAST_DISCORDANT:.0%} are assumed"
    smallest = "none" if math.isnan(found.detectable) else f"{found.detectable:.3f}"
    measure = found.measures[0].measure
    show(f"minimum detectable difference in {measure} (power 0.8, level 0.05): {smallest}; {apart}")
    for problem in found.problems:
        message(problem)
    if found.too_small:
        message(
            f"this set is too small to compare systems on that differ by less than {smallest}: a "
            f"difference of 0.10 needs about {found.needed} such items"
            if smallest != "none"
            else "this set is too small to compare systems on: about "
            f"{found.needed} such items would find a difference of 0.10"
        )


def _counts(counts: "McNemar | None", *, alone: bool) -> str:
    """Write the items that one run alone has right; McNemar's p takes them for independent."""
    if counts is None:
        return ""
    told = f"{counts.only_a} / {counts.only_b}"
    return f"{told} (McNemar {p_value(counts.p)})" if alone else told
