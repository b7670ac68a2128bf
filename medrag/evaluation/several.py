"""Several runs on the same items in one table: each with its interval, and beside the first."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from medrag.evaluation.compare import Side, check_same_items, columns_of
from medrag.evaluation.scorers import ScoringProtocol
from medrag.evaluation.scores import Estimate
from medrag.evaluation.scoring.columns import Columns
from medrag.evaluation.statistics import PairedDifference, Resamples, holm, mean_of, paired


@dataclass(frozen=True, slots=True)
class Row:
    """One run.

    Attributes:
        estimates: by measure, over the items that it answered and the measure counts.
        differences: by measure, this run minus the first over what both have; empty for the first.
        adjusted_p: of the differences, after Holm's correction over the whole table.
        n_kept: hits read for an item, on average.
        seconds: for an item, on average: retrieval, selection and answering together.
    """

    name: str
    estimates: Mapping[str, Estimate]
    differences: Mapping[str, PairedDifference]
    adjusted_p: Mapping[str, float]
    n_kept: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Table:
    """Runs in the order given; the first is what the others are held against."""

    measures: tuple[str, ...]
    rows: tuple[Row, ...]
    n_items: int


def compare_several(
    sides: Sequence[Side],
    protocol: ScoringProtocol,
    *,
    measures: Sequence[str] = (),
    seed: int = 0,
    n_resamples: int = 2000,
    n_permutations: int = 10_000,
) -> Table:
    """Put runs side by side.

    Args:
        sides: at least two, of the same items.
        measures: besides the headline of the protocol.

    Raises:
        EvaluationError: if two are not of the same items, or an arm is not there.
        ValueError: if there is one side only, or a measure is unknown.
    """
    if len(sides) < 2:
        raise ValueError(f"expected at least two runs, got {len(sides)}")
    for other in sides[1:]:
        check_same_items(sides[0], other)
    columns = [columns_of(side, protocol) for side in sides]
    names = _measures(columns, protocol.headline, measures)
    clusters = [item.cluster for item in sides[0].run.items.values()]
    found = {
        (place, name): paired(
            mean_of(columns[0].values[name]), mean_of(each.values[name]), clusters,
            seed=seed, n_resamples=n_resamples, n_permutations=n_permutations,
        )
        for place, each in enumerate(columns)
        for name in names
        if place
    }  # fmt: skip
    adjusted = dict(zip(found, holm([each.p for each in found.values()]), strict=True))
    resamples = Resamples(clusters, seed=seed, n_resamples=n_resamples)
    rows = []
    for place, (side, each) in enumerate(zip(sides, columns, strict=True)):
        kept, seconds = _costs(side)
        rows.append(Row(
            name=side.name,
            estimates={name: resamples.estimate(mean_of(each.values[name])) for name in names},
            differences={name: found[place, name] for name in names if place},
            adjusted_p={name: float(adjusted[place, name]) for name in names if place},
            n_kept=kept,
            seconds=seconds,
        ))  # fmt: skip
    return Table(names, tuple(rows), len(clusters))


def _measures(
    columns: Sequence[Columns], headline: Sequence[str], further: Sequence[str]
) -> tuple[str, ...]:
    there = set.intersection(*(set(each.values) for each in columns))
    unknown = [name for name in further if name not in there]
    if unknown:
        raise ValueError(f"no measure {unknown[0]!r}; there are {', '.join(sorted(there))}")
    return tuple(dict.fromkeys([*(name for name in headline if name in there), *further]))


def _costs(side: Side) -> tuple[float, float]:
    """Count the hits that answers were made of, and the seconds that they took, on average."""
    kept, seconds, n = 0, 0.0, 0
    for each in side.run.answers():
        if each.arm == side.arm:
            n += 1
            kept += len(each.answer.selection.kept)
            stages = ("retrieve", "select", "answer")
            seconds += sum(each.answer.timings.get(stage, 0.0) for stage in stages)
    return (kept / n, seconds / n) if n else (float("nan"), float("nan"))
