"""`medrag eval score`: measures of a run, with intervals and floors."""

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from uuid import uuid4

import typer

from medrag.cli.evaluate.options import (
    AsJson,
    Faithful,
    JudgeModel,
    JudgeUrl,
    KeyVariable,
    ProtocolName,
    RunFolder,
    Seed,
    group_columns,
    judge_of,
    protocol_of,
    verifier_of,
)
from medrag.cli.naming import check_names
from medrag.cli.output import message, show, show_json, table
from medrag.cli.progress import Bars

if TYPE_CHECKING:
    from medrag.codec import Json
    from medrag.evaluation.runs import Run
    from medrag.evaluation.scorers import ScoringProtocol
    from medrag.evaluation.scores import ArmScores, Estimate, Scores
    from medrag.protocols import Verifier

_OF_CLAIMS = ("claims_", "citation_")


def score(
    run: RunFolder,
    protocol: ProtocolName = None,
    faithful: Faithful = False,
    judge_url: JudgeUrl = None,
    judge_model: JudgeModel = None,
    key_variable: KeyVariable = None,
    by: Annotated[
        list[str] | None,
        typer.Option(metavar="<str>", help="A column of the items to group by; may repeat."),
    ] = None,
    verify: Annotated[
        str | None,
        typer.Option(metavar="lexical|judge", help="Check each claim against what it cites, anew."),
    ] = None,
    clinical: Annotated[
        list[str] | None,
        typer.Option(
            metavar="<str>", help="A measure of reports by RadEval, such as radgraph; may repeat."
        ),
    ] = None,
    shift: Annotated[
        list[str] | None,
        typer.Option(
            metavar="COLUMN=VALUE[,VALUE]",
            help="Relative robustness: items of these values against the rest; may repeat.",
        ),
    ] = None,
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """Score the answers of a run; writes scores and rows beside them, a file for each protocol."""
    from medrag.evaluation.runs import open_run
    from medrag.evaluation.scoring.clinical import clinical_estimates

    opened = open_run(run)
    check_names("by", by, {name for item in opened.items.values() for name in item.fields})
    judge = judge_of(opened, judge_url, judge_model, key_variable)
    chosen = protocol_of(opened, protocol, faithful=faithful, judge=judge)
    verifier = verifier_of(verify, judge_url, judge_model, key_variable)
    scores = scored(opened, chosen, by=by, verifier=verifier, seed=seed)
    value = scores_json(scores)
    if shift:
        value["shifts"] = _shifts(opened, scores, shift, seed)
    if clinical:
        found = clinical_estimates(opened, scores.arms[0].arm, clinical, seed=seed)
        value["clinical"] = {name: estimate_json(each) for name, each in found.items()}
    _write(opened.folder, value, scores)
    if as_json:
        show_json(value)
    else:
        _show(scores, value)


def scored(
    run: "Run",
    protocol: "ScoringProtocol",
    *,
    by: list[str] | None = None,
    verifier: "Verifier | None" = None,
    seed: int = 0,
) -> "Scores":
    """Score a run with bars, grouped by what was asked for or by what its card names."""
    from medrag.evaluation.scoring import score_run

    with Bars() as bars:
        return score_run(
            run,
            protocol,
            group_by=by or group_columns(run),
            verifier=verifier,
            seed=seed,
            progress=bars,
        )


def scores_json(scores: "Scores") -> "Json":
    """{"benchmark", "protocol", "mode", "headline", "arms": {arm: {...}}, "diagnostics", ...}."""
    from medrag.codec import to_json

    diagnostics = scores.diagnostics
    return {
        "benchmark": scores.benchmark,
        "split": scores.split,
        "protocol": scores.protocol,
        "mode": scores.mode,
        "headline": list(scores.headline),
        "n_items": scores.n_items,
        "n_clusters": scores.n_clusters,
        "arms": {arm.arm: _arm_json(arm) for arm in scores.arms},
        "diagnostics": {
            "flows": [
                {
                    "before": flow.before,
                    "after": flow.after,
                    "fixed": len(flow.fixed),
                    "broken": len(flow.broken),
                    "both_right": len(flow.both_right),
                    "both_wrong": len(flow.both_wrong),
                }
                for flow in diagnostics.flows
            ],
            "shares": {name: estimate_json(each) for name, each in diagnostics.shares.items()},
            "counts": dict(diagnostics.counts),
        },
        "problems": list(scores.problems),
        "memory": dict(scores.memory),
        "curves": None if scores.curves is None else to_json(scores.curves),
    }


def estimate_json(estimate: "Estimate") -> "Json":
    """{"value", "low", "high", "n"}; null for what could not be computed."""
    return {
        "value": known(estimate.value),
        "low": known(estimate.low),
        "high": known(estimate.high),
        "n": estimate.n,
    }


def known(value: float) -> float | None:
    """Give a number that JSON can hold; None for nan."""
    return value if math.isfinite(value) else None


def _arm_json(arm: "ArmScores") -> "Json":
    return {
        "n_items": arm.n_items,
        "states": dict(arm.states),
        "measures": {name: estimate_json(each) for name, each in arm.measures.items()},
        "totals": {name: known(value) for name, value in arm.totals.items()},
        "groups": {
            column: {
                value: {name: estimate_json(each) for name, each in measures.items()}
                for value, measures in groups.items()
            }
            for column, groups in arm.groups.items()
        },
        "seconds": {stage: known(value) for stage, value in arm.seconds.items()},
    }


def _write(folder: Path, value: "Json", scores: "Scores") -> None:
    """Write the scores, and a line for each item and arm, whole or not at all."""
    from medrag.codec import to_json
    from medrag.indexing.durable import move, write_atomically

    name = f"{scores.protocol}-{scores.mode}"
    write_atomically(folder / f"scores-{name}.json", (json.dumps(value, indent=1) + "\n").encode())
    # A new name each time, made and not opened: what lies in a stranger's run is not followed.
    temporary = folder / f"rows-{name}.{uuid4().hex}.tmp"
    try:
        with temporary.open("x", encoding="utf-8") as stream:
            for row in scores.rows:
                stream.write(json.dumps({**to_json(row), "right": known(row.right)}) + "\n")
        move(temporary, folder / f"rows-{name}.jsonl")
    finally:
        temporary.unlink(missing_ok=True)


def _show(scores: "Scores", value: "Json") -> None:
    show(
        f"{scores.benchmark}, {scores.split}: {scores.n_items} items in {scores.n_clusters} "
        f"clusters; protocol {scores.protocol}, {scores.mode}; 95% intervals by bootstrap over "
        "clusters"
    )
    names = [name for name in scores.headline if any(name in arm.measures for arm in scores.arms)]
    from medrag.evaluation.scores import STATES

    head = ["arm", *names, *STATES]
    show(table([head, *(_line(arm, names, scores.n_items) for arm in scores.arms)]))
    _show_groups(scores)
    _show_grounding(scores)
    _show_shares(scores)
    for flow in scores.diagnostics.flows:
        show(
            f"  {flow.before} to {flow.after}: {len(flow.fixed)} items became right, "
            f"{len(flow.broken)} wrong"
        )
    for name, count in scores.diagnostics.counts.items():
        show(f"{name}: {count} passages, in the answers of {scores.arms[0].arm}")
    for name, shift in value.get("shifts", {}).items():
        show(f"shift {name}:")
        told = {"in distribution": "iid", "out of it": "ood", "kept, as a share": "relative"}
        show(table([[text, _written(shift[part])] for text, part in told.items()], indent="  "))
    for name, each in value.get("clinical", {}).items():
        show(f"  {name}: {each['value']}")
    for problem in scores.problems:
        message(problem)


def _line(arm: "ArmScores", names: list[str], n_items: int) -> list[str]:
    shares = [f"{n / max(1, n_items):.1%}" for n in arm.states.values()]
    measures = [
        f"{interval(found)} of {found.n}" if (found := arm.measures.get(name)) else ""
        for name in names
    ]
    return [arm.arm, *measures, *shares]


def _show_groups(scores: "Scores") -> None:
    """Print the share of right answers of the first arm by group."""
    main = scores.arms[0]
    for column, groups in main.groups.items():
        show(f"{column}, right answers of {main.arm}:")
        rows = [[value, f"{interval(each['right'])} of {each['right'].n}"]
                for value, each in groups.items()]  # fmt: skip
        show(table(rows, indent="  "))


def _show_grounding(scores: "Scores") -> None:
    """Print how far the evidence holds the claims of the first arm, where any was checked."""
    from medrag.evaluation.grounding import MEASURES

    main = scores.arms[0]
    rows = [
        [name, f"{interval(found)} of {found.n}", told]
        for name, told in MEASURES.items()
        if name.startswith(_OF_CLAIMS) and (found := main.measures.get(name)) and found.n
    ]
    if main.measures.get("claims_supported"):
        show(f"claims of {main.arm}, a mean over answers:")
        show(table(rows, indent="  "))


def _show_shares(scores: "Scores") -> None:
    from medrag.reporting.evaluation.names import share_told

    rows = [
        [name, f"{interval(each)} of {each.n}", share_told(name)]
        for name, each in scores.diagnostics.shares.items()
        if each.n
    ]
    if rows:
        show("what context and pictures do:")
        show(table(rows, indent="  "))


def _written(value: "Json") -> str:
    low, high = value["low"], value["high"]
    if value["value"] is None:
        return "-"
    around = "" if low is None else f" [{low:.3f}, {high:.3f}]"
    return f"{value['value']:.3f}{around} of {value['n']}"


def interval(estimate: "Estimate") -> str:
    """Write an estimate as "0.542 [0.481, 0.603]"."""
    if math.isnan(estimate.value):
        return "-"
    if math.isnan(estimate.low):
        return f"{estimate.value:.3f}"
    return f"{estimate.value:.3f} [{estimate.low:.3f}, {estimate.high:.3f}]"


def _shifts(run: "Run", scores: "Scores", given: list[str], seed: int) -> "Json":
    """Compute relative robustness of the first arm for each shift."""
    from medrag.evaluation.shifts import Shift, robustness

    arm = scores.arms[0].arm
    right = {row.item: row.right for row in scores.rows if row.arm == arm}
    items = list(run.items.values())
    found: Json = {}
    for text in given:
        column, _, values = text.partition("=")
        if not column or not values:
            raise typer.BadParameter(
                f"expected COLUMN=VALUE[,VALUE], got {text!r}", param_hint="--shift"
            )
        shift = Shift(name=text, column=column, ood=frozenset(values.split(",")))
        kept = robustness(items, [right[item.id] for item in items], shift, seed=seed)
        found[text] = {
            "iid": estimate_json(kept.iid),
            "ood": estimate_json(kept.ood),
            "relative": estimate_json(kept.relative),
            "n_left_out": kept.n_left_out,
        }
    return found
