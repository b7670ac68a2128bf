"""The items that a page shows: the worst and the best of its main arm."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from heapq import nsmallest

from medrag.evaluation.runs import Run
from medrag.evaluation.scores import RIGHT, Flow, ScoreRow, Scores
from medrag.records import Answer


@dataclass(frozen=True, slots=True)
class Example:
    """One item of the main arm as it was answered and scored.

    Attributes:
        answer: None if the item was never answered.
        change: what context made of it, "fixed" or "broken"; empty where it changed nothing.
        others: how the other arms answered it, in the order of the arms.
    """

    row: ScoreRow
    answer: Answer | None
    change: str
    others: tuple[ScoreRow, ...]


@dataclass(frozen=True, slots=True)
class Examples:
    """Examples, the most telling first."""

    worst: tuple[Example, ...]
    best: tuple[Example, ...]


def examples(run: Run, scores: Scores, arm: str, *, n: int) -> Examples:
    """Choose what to look at, and read the answers to it.

    Worst is what is wrong, the most confident first, of equals what context broke; then what was
    not answered. Best is what is right: what context fixed first, then by confidence. The answers
    are read once, and only those to be shown are kept.
    """
    flow = next((f for f in scores.diagnostics.flows if f.before == "no_context"), None)
    fixed, broken = _changed(flow, arm)
    worst_keys, best_keys = [], []
    # Keys and places only: rows are made as they are read, and there may be a million.
    for place, row in enumerate(scores.rows):
        if row.arm != arm or not math.isfinite(row.right):
            continue
        if row.right < RIGHT:
            key = (row.state != "answered", -_sure(row), row.item not in broken, place)
            worst_keys.append(key)
        else:
            best_keys.append((row.item not in fixed, -_sure(row), -row.right, place))
    worst = [scores.rows[key[-1]] for key in nsmallest(n, worst_keys)]
    best = [scores.rows[key[-1]] for key in nsmallest(n, best_keys)]
    wanted = {row.item for row in (*worst, *best)}
    others = _others(scores.rows, arm, wanted)
    answers = _answers(run, arm, wanted)
    made = {
        row.item: Example(
            row,
            answers.get(row.item),
            "fixed" if row.item in fixed else "broken" if row.item in broken else "",
            tuple(others.get(row.item, ())),
        )
        for row in (*worst, *best)
    }
    return Examples(tuple(made[row.item] for row in worst), tuple(made[row.item] for row in best))


def _changed(flow: Flow | None, arm: str) -> tuple[frozenset[str], frozenset[str]]:
    if flow is None or flow.after != arm:
        return frozenset(), frozenset()
    return frozenset(flow.fixed), frozenset(flow.broken)


def _sure(row: ScoreRow) -> float:
    return row.confidence if row.confidence is not None and row.confidence >= 0 else -1.0


def _others(rows: Iterable[ScoreRow], arm: str, wanted: set[str]) -> Mapping[str, list[ScoreRow]]:
    found: dict[str, list[ScoreRow]] = {}
    for row in rows:
        if row.item in wanted and row.arm != arm:
            found.setdefault(row.item, []).append(row)
    return found


def _answers(run: Run, arm: str, wanted: set[str]) -> Mapping[str, Answer]:
    if not wanted:
        return {}
    return {
        answered.item: answered.answer
        for answered in run.answers()
        if answered.arm == arm and answered.item in wanted
    }
