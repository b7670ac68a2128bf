"""What the numbers say, in a sentence or two."""

import math
from collections.abc import Sequence

import numpy as np

from medrag.evaluation.runs import Run
from medrag.evaluation.scores import ArmScores, Estimate, Scores
from medrag.evaluation.statistics import mean_of, paired
from medrag.reporting.evaluation.names import arm_name, floors, is_floor, main_arm
from medrag.reporting.evaluation.numbers import counted, in_percent, lower_is_better, points

# Apart by more than rounding, the share of right items and the headline are not one measure.
_SAME = 5e-4


def verdict(run: Run, scores: Scores) -> str:
    """Say whether context helps, and whether the answers beat the strongest floor.

    Differences are of the same items, in points of what counts as right, with 95% intervals by
    bootstrap over clusters.
    """
    main = main_arm(scores)
    if main is None or not scores.headline:
        return "Nothing was scored."
    if not math.isfinite(headline(main, scores).value):
        return "No item counts towards the headline measure, so nothing can be said."
    before, floor = _without_context(scores, main), strongest_floor(scores)
    others = [each.arm for each in (before, floor) if each is not None]
    apart = differences(run, scores, main.arm, others)
    sentences = [
        _on_context(apart[before.arm], scores, main, before) if before else "",
        _on_floor(apart[floor.arm], scores, main, floor) if floor else _no_floor(main),
    ]
    if before and not before.states.get("answered"):
        # Beside silence every answer looks like a gain: the floor comes first.
        sentences.reverse()
    return " ".join(each for each in sentences if each)


def headline(arm: ArmScores, scores: Scores) -> Estimate:
    """Give the first headline measure of an arm; nan if it has none."""
    name = scores.headline[0] if scores.headline else ""
    return arm.measures.get(name, Estimate(float("nan")))


def strongest_floor(scores: Scores) -> ArmScores | None:
    """Give the floor that does best by the headline; None without floors."""
    known = [each for each in floors(scores) if math.isfinite(headline(each, scores).value)]
    sign = -1 if scores.headline and lower_is_better(scores.headline[0]) else 1
    return max(known, key=lambda each: sign * headline(each, scores).value, default=None)


def differences(run: Run, scores: Scores, arm: str, others: Sequence[str]) -> dict[str, Estimate]:
    """Estimate by how much an arm is ahead of each of others, item by item.

    What counts is the headline measure, or, where that is no mean over items or lower is better,
    what counts as right. Items that either arm lacks, or that do not count in either, are left out.

    Returns:
        By the name of the other arm; nan where the two share no item that counts.
    """
    measure = scores.headline[0] if scores.headline else ""
    usable = in_percent(measure) and not lower_is_better(measure)
    places = {item: place for place, item in enumerate(run.items)}
    right = {name: np.full(len(places), np.nan) for name in (arm, *others)}
    by_measure = {name: np.full(len(places), np.nan) for name in (arm, *others)}
    for row in scores.rows:
        if row.arm in right and row.item in places:
            right[row.arm][places[row.item]] = row.right
            if usable and measure in row.values:
                by_measure[row.arm][places[row.item]] = row.values[measure]
    clusters = [item.cluster for item in run.items.values()]
    given = all(np.isfinite(each).any() for each in by_measure.values())
    values = {name: mean_of(each) for name, each in (by_measure if given else right).items()}
    found = {other: paired(values[other], values[arm], clusters) for other in others}
    return {
        other: Estimate(each.difference, *each.interval, each.n) for other, each in found.items()
    }


def _without_context(scores: Scores, main: ArmScores) -> ArmScores | None:
    if main.arm != "context":
        return None
    return next((each for each in scores.arms if each.arm == "no_context"), None)


def _on_context(gain: Estimate, scores: Scores, main: ArmScores, before: ArmScores) -> str:
    counts = _counts(gain, scores, main, before)
    if not math.isfinite(gain.value):
        return ""
    if not before.states.get("answered"):
        return "Without evidence this pipeline answers nothing, so context is all that it has."
    if not math.isfinite(gain.low):
        return f"Context changes the result by {points(gain, signed=True)}{counts}."
    if gain.low > 0:
        return f"Context adds {points(gain)}{counts}."
    if gain.high < 0:
        return f"Context costs {points(_turned(gain))}{counts}: without it the model does better."
    n = counted(gain.n, "item")
    return f"Whether context helps cannot be told from {n}: {points(gain, signed=True)}{counts}."


def _no_floor(main: ArmScores) -> str:
    if is_floor(main.arm):
        return "Only floors were run."
    return "No floor was run, so how far a guess would get is not known."


def _on_floor(lead: Estimate, scores: Scores, main: ArmScores, floor: ArmScores) -> str:
    if is_floor(main.arm):
        return _no_floor(main)
    counts = _counts(lead, scores, main, floor)
    name = f"the strongest floor, “{arm_name(floor.arm)}”"
    if not math.isfinite(lead.value):
        return ""
    if not math.isfinite(lead.low):
        return f"Apart from {name}: {points(lead, signed=True)}{counts}."
    if lead.low > 0:
        return f"The answers are {points(lead)}{counts} above {name}."
    if lead.high < 0:
        return f"The answers are {points(_turned(lead))}{counts} below {name}."
    return f"The answers cannot be told from {name}: {points(lead, signed=True)}{counts}."


def _counts(found: Estimate, scores: Scores, arm: ArmScores, other: ArmScores) -> str:
    """Say what the points count where it is not the headline."""
    apart = headline(arm, scores).value - headline(other, scores).value
    return "" if abs(found.value - apart) <= _SAME else " of items right"


def _turned(found: Estimate) -> Estimate:
    return Estimate(-found.value, -found.high, -found.low, found.n)
