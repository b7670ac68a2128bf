"""Two runs, or two arms of one, on the same items: what differs, and what the set could show."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from medrag.errors import EvaluationError
from medrag.evaluation.runs import Run
from medrag.evaluation.scorers import ScoringProtocol
from medrag.evaluation.scores import CONTEXT, RIGHT, Flow
from medrag.evaluation.scoring.columns import Columns, gather
from medrag.evaluation.scoring.diagnostics import flow
from medrag.evaluation.statistics import (
    McNemar,
    PairedDifference,
    design_effect,
    holm,
    mcnemar,
    mean_of,
    minimum_detectable_difference,
    paired,
    sample_size,
)
from medrag.records import Item

# A set that cannot tell this difference from none is too small to compare systems on.
WORTH_FINDING = 0.10
# Where two runs agree too often to tell how much others would differ, this much is taken for it.
LEAST_DISCORDANT = 0.10


@dataclass(frozen=True, slots=True)
class Compared:
    """One measure of two runs.

    Attributes:
        adjusted_p: p after Holm's correction over the measures compared together.
        counts: items that only one run has right; None where the measure is not right or wrong.
    """

    measure: str
    difference: PairedDifference
    adjusted_p: float
    counts: McNemar | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two runs on the same items.

    Attributes:
        a, b: how the two are called.
        measures: the headline first.
        n_asked: items of the runs.
        n_items, n_clusters: those that both answered and the first measure counts; what follows
            is of these.
        discordant: share of items that only one of the two has right, as observed.
        detectable: the smallest difference in the share of right answers that the set would find
            in 8 of 10 cases at level 0.05, if runs disagree on `discordant`, and on a tenth of the
            items at least; nan if it would find none.
        too_small: whether `detectable` is above 0.10.
        needed: items like these that would find a difference of 0.10; None where that many are
            here already, or cannot be told.
        flow: which items changed, each by the first headline measure that counts it.
        problems: what a reader of the numbers must know.
    """

    a: str
    b: str
    measures: tuple[Compared, ...]
    n_asked: int
    n_items: int
    n_clusters: int
    discordant: float
    detectable: float
    too_small: bool
    needed: int | None
    flow: Flow
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Side:
    """One arm of one run, and how it is called."""

    run: Run
    arm: str
    name: str


def compare_runs(
    a: Side,
    b: Side,
    protocol: ScoringProtocol,
    *,
    measures: Sequence[str] = (),
    seed: int = 0,
    n_resamples: int = 2000,
    n_permutations: int = 10_000,
) -> Comparison:
    """Compare two arms item by item; b minus a.

    Args:
        measures: besides the headline of the protocol.

    Raises:
        EvaluationError: if the two runs are not of the same items, an arm is not there, or no item
            was answered by both.
        ValueError: if a measure is unknown.
    """
    check_same_items(a, b)
    items = list(a.run.items.values())
    first, second = columns_of(a, protocol), columns_of(b, protocol)
    problems = tuple(_problems(a, first) + _problems(b, second)) if a != b else ()
    clusters = [item.cluster for item in items]
    names = _measures(first, second, protocol.headline, measures)
    differences = {
        name: paired(
            mean_of(first.values[name]),
            mean_of(second.values[name]),
            clusters,
            seed=seed,
            n_resamples=n_resamples,
            n_permutations=n_permutations,
        )
        for name in names
    }
    adjusted = holm([differences[name].p for name in names])
    compared = tuple(
        Compared(name, differences[name], float(p), _counts(first, second, name))
        for name, p in zip(names, adjusted, strict=True)
    )
    if not names:
        raise EvaluationError(
            f"the protocol {protocol.name} counts no item that both {a.name} and {b.name} answered"
        )
    right = (_as_right(first.values[names[0]]), _as_right(second.values[names[0]]))
    found = _comparison(a, b, compared, flow(first, second, items), right, clusters)
    return replace(found, problems=problems)


def _comparison(
    a: Side,
    b: Side,
    compared: tuple[Compared, ...],
    changed: Flow,
    right: tuple[NDArray[np.float64], NDArray[np.float64]],
    clusters: Sequence[str | None],
) -> Comparison:
    was, now = right
    both = ~(np.isnan(was) | np.isnan(now))
    n = int(both.sum())
    if not n:
        raise EvaluationError(f"no item that counts was answered by both {a.name} and {b.name}")
    apart = np.where(both, now - was, np.nan)
    discordant = float(np.mean(was[both] != now[both]))
    assumed = max(discordant, LEAST_DISCORDANT)
    # Where nothing differs, how the runs' right answers cluster stands for how differences would.
    effect = design_effect(apart if discordant else np.where(both, was, np.nan), clusters)
    effect = max(1.0, effect) if np.isfinite(effect) else 1.0
    detectable = minimum_detectable_difference(n, assumed, design_effect=effect)
    too_small = not detectable <= WORTH_FINDING
    return Comparison(
        a=a.name,
        b=b.name,
        measures=compared,
        n_asked=len(clusters),
        n_items=n,
        n_clusters=_n_clusters(clusters, both),
        discordant=discordant,
        detectable=detectable,
        too_small=too_small,
        needed=sample_size(WORTH_FINDING, assumed, design_effect=effect) if too_small else None,
        flow=changed,
    )


def _as_right(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(np.isnan(values), np.nan, values >= RIGHT)


def _n_clusters(clusters: Sequence[str | None], counted: NDArray[np.bool_]) -> int:
    return len({one or place for place, one in enumerate(clusters) if counted[place]})


def columns_of(side: Side, protocol: ScoringProtocol) -> Columns:
    """Score the answers of one arm; an arm that is not there is refused."""
    if side.arm not in side.run.arms:
        raise EvaluationError(
            f"{side.run.folder} has no arm {side.arm!r}; it has {', '.join(side.run.arms)}"
        )
    return gather(side.run, protocol, arms=(side.arm,)).columns[side.arm]


def _problems(side: Side, columns: Columns) -> list[str]:
    """Say what one side lacks."""
    missing, failed = columns.n_in("missing"), columns.n_in("failed")
    found = [f"{side.name}: {problem}" for problem in side.run.manifest["problems"]]
    if missing:
        found.append(f"{side.name}: {missing} of {columns.n_items} items are not answered")
    if failed:
        found.append(f"{side.name}: {failed} answers failed, and count as not right")
    if side.arm == CONTEXT and not np.nan_to_num(columns.values["has_context"]).any():
        found.append(f"{side.name}: no item carries any context")
    return found


def check_same_items(a: Side, b: Side) -> None:
    """Refuse runs that are not of the same items."""
    one, other = a.run, b.run
    if one.folder == other.folder:
        return
    for key in ("name", "split"):
        there, here = one.manifest["benchmark"][key], other.manifest["benchmark"][key]
        if there != here:
            raise EvaluationError(
                f"{one.folder} is of {key} {there!r} and {other.folder} of {here!r}: only runs on "
                "the same items can be compared"
            )
    differing = [name for name in {*one.items, *other.items} if not _same(one, other, name)]
    if differing:
        raise EvaluationError(
            f"{one.folder} and {other.folder} differ in {len(differing)} items, such as "
            f"{min(differing)!r}: only runs on the same items can be compared"
        )


def _same(one: Run, other: Run, name: str) -> bool:
    a, b = one.items.get(name), other.items.get(name)
    return a is not None and b is not None and _asked(a) == _asked(b)


def _asked(item: Item) -> tuple[object, ...]:
    return item.question.text, item.question.options, item.references, item.kind, item.cluster


def _measures(
    first: Columns, second: Columns, headline: Sequence[str], further: Sequence[str]
) -> list[str]:
    there = first.values.keys() & second.values.keys()
    unknown = [name for name in further if name not in there]
    if unknown:
        raise ValueError(f"no measure {unknown[0]!r}; there are {', '.join(sorted(there))}")
    names = [name for name in headline if name in there]
    return list(dict.fromkeys([*names, *further]))


def _counts(first: Columns, second: Columns, name: str) -> McNemar | None:
    a, b = first.values[name], second.values[name]
    known = np.concatenate([a[~np.isnan(a)], b[~np.isnan(b)]])
    return mcnemar(a, b) if np.isin(known, (0.0, 1.0)).all() else None
