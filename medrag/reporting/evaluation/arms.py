"""Arms and floors side by side: measures, states, time and memory."""

import math
from collections.abc import Mapping

from medrag.evaluation.scores import STAGES, STATES, ArmScores, Estimate, Scores
from medrag.reporting.evaluation.names import (
    STATE_TOLD,
    arm_name,
    arm_told,
    is_floor,
    main_arm,
    words,
)
from medrag.reporting.evaluation.numbers import (
    MISSING,
    counted,
    interval,
    number,
    seconds,
    size,
    with_interval,
)
from medrag.reporting.evaluation.scale import Scale, at, span
from medrag.reporting.evaluation.strip import drawing
from medrag.reporting.markup import Html, element, joined

_BAR = 14


def arms_table(scores: Scores) -> Html:
    """Set the headline measures of each arm with intervals, and how its answers were read."""
    columns = ["", *map(words, scores.headline), "time / item", "answers"]
    head = element("tr", *(element("th", each, scope="col") for each in columns))
    rows = [_arm_row(each, scores) for each in scores.arms]
    table = element("table", element("thead", head), element("tbody", *rows), class_="arms")
    return joined(element("div", table, class_="scroll"), _legend(scores), _all_measures(scores))


def stage_bars(scores: Scores) -> Html:
    """Draw mean time of the main arm and memory of the run by stage; empty if none is known."""
    main = main_arm(scores)
    if main is None:
        return Html("")
    time = {words(stage): value for stage, value in main.seconds.items() if math.isfinite(value)}
    memory = {words(stage): float(value) for stage, value in scores.memory.items()}
    parts = []
    if time:
        total = element("b", seconds(whole_time(main)))
        told = element(
            "p", "Mean time for one item, ", total, " in all; prompt, generate, cite and verify "
            "are parts of answer", class_="told",
        )  # fmt: skip
        parts.append(element("section", told, _bars(time, "time"), class_="panel"))
    if memory:
        most = element("b", size(max(memory.values())))
        told = element("p", "Memory in use after a stage, ", most, " at most", class_="told")
        parts.append(element("section", told, _bars(memory, "memory"), class_="panel"))
    return element("div", *parts, class_="pair") if parts else Html("")


def whole_time(arm: ArmScores) -> float:
    """Add the stages of an answer; those within a stage are no further time."""
    outer = {stage: value for stage, value in arm.seconds.items() if stage in STAGES}
    return sum(value for value in (outer or arm.seconds).values() if math.isfinite(value))


def _arm_row(arm: ArmScores, scores: Scores) -> Html:
    cells = [_measure_cell(arm, name) for name in scores.headline]
    total = whole_time(arm)
    told = element("small", arm_told(arm.arm)) if arm_told(arm.arm) else ""
    kind = "floor" if is_floor(arm.arm) else "main" if arm is main_arm(scores) else "arm"
    return element(
        "tr",
        element("th", arm_name(arm.arm), told, scope="row"),
        *cells,
        element("td", seconds(total) if arm.seconds else MISSING, data_label="time / item",
                class_="n"),
        element("td", _states(arm), data_label="answers", class_="states"),
        class_=kind,
    )  # fmt: skip


def _measure_cell(arm: ArmScores, name: str) -> Html:
    found = arm.measures.get(name, Estimate(float("nan")))
    n = element("small", f"n = {found.n:,}") if found.n else ""
    shown = element("span", interval(found, name), class_="interval")
    value = element("b", number(found.value, name))
    return element("td", value, " ", shown, n, data_label=words(name), class_="n")


def _states(arm: ArmScores) -> Html:
    total = sum(max(arm.states.get(state, 0), 0) for state in STATES)
    if not total:
        return Html(MISSING)
    scale = Scale(0.0, 1.0, ())
    shapes, start = [], 0.0
    for state in STATES:
        share = max(arm.states.get(state, 0), 0) / total
        shapes.append(
            element("rect", x=at(scale, start), width=span(scale, start, start + share),
                    y=0, height=_BAR, class_=f"s-{state}")
        )  # fmt: skip
        start += share
    bar = drawing(shapes, height=_BAR, name="stack")
    rest = [f"{n:,} {state}" for state in STATES[1:] if (n := arm.states.get(state, 0))]
    told = f"{arm.states.get('answered', 0):,} answered"
    return joined(bar, element("small", ", ".join([told, *rest])))


def _legend(scores: Scores) -> Html:
    met = [s for s in STATES if any(arm.states.get(s, 0) for arm in scores.arms)]
    entries = [
        element("li", element("span", class_=f"key s-{state}"), element("b", state), " ",
                STATE_TOLD[state])
        for state in met
    ]  # fmt: skip
    return element("ul", *entries, class_="legend") if entries else Html("")


def _all_measures(scores: Scores) -> Html:
    """Fold away every measure of every arm, with what the released scorer prints besides."""
    names = list(dict.fromkeys(name for arm in scores.arms for name in arm.measures))
    totals = list(dict.fromkeys(name for arm in scores.arms for name in arm.totals))
    if len(names) <= len(scores.headline) and not totals:
        return Html("")
    columns = ["", *(arm_name(arm.arm) for arm in scores.arms)]
    head = element("tr", *(element("th", each, scope="col") for each in columns))
    rows = [_wide_row(name, scores, {}) for name in names]
    rows += [_wide_row(name, scores, {arm.arm: arm.totals for arm in scores.arms})
             for name in totals]  # fmt: skip
    about = f"All measures ({len(names)}"
    about += f", and {len(totals)} more as the released scorer prints them)" if totals else ")"
    table = element("table", element("thead", head), element("tbody", *rows), class_="wide")
    return element("details", element("summary", about), element("div", table, class_="scroll"))


def _wide_row(name: str, scores: Scores, totals: Mapping[str, Mapping[str, float]]) -> Html:
    cells = []
    for arm in scores.arms:
        nan = float("nan")
        value = (
            f"{found:.4g}"
            if (found := totals.get(arm.arm, {}).get(name, nan)) == found
            else MISSING
        )
        shown = value if totals else with_interval(arm.measures.get(name, Estimate(nan)), name)
        cells.append(element("td", shown, class_="n"))
    about = element("small", "as printed") if totals else ""
    return element("tr", element("th", words(name), about, scope="row"), *cells)


def _bars(values: Mapping[str, float], kind: str) -> Html:
    scale = Scale(0.0, max([*values.values(), 1e-12]), ())
    write = size if kind == "memory" else seconds
    rows = [
        element(
            "tr",
            element("th", stage, scope="row"),
            element("td", drawing([
                element("rect", x=0, y=4, height=_BAR, width=span(scale, 0.0, value), rx=2)
            ], height=_BAR + 8, name=f"bar {kind}")),
            element("td", write(value), class_="value"),
        )
        for stage, value in values.items()
    ]  # fmt: skip
    return element("table", *rows, class_="bars", aria_label=counted(len(values), "stage"))
