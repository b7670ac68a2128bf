"""Trained models beside each other: base, SFT, preferences, and the controls of each."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from medrag.alignment.comparing.claiming import claims_of
from medrag.alignment.comparing.measuring import (
    BARE,
    EMPTY,
    Floats,
    Measured,
    answered_by_all,
    better,
    gathered,
)
from medrag.alignment.comparing.pairing import pairs_of
from medrag.alignment.comparing.records import (
    AlignmentComparison,
    Beside,
    Difference,
    Variant,
    VariantScores,
)
from medrag.alignment.comparing.seeds import SeedResamples
from medrag.alignment.comparing.variants import common_arms, training_of
from medrag.alignment.comparing.warning import problems_of
from medrag.errors import EvaluationError
from medrag.evaluation.scorers import ScoringProtocol
from medrag.evaluation.scores import CONTEXT, Estimate
from medrag.evaluation.scoring.columns import Columns
from medrag.evaluation.statistics import detectable_mean_difference, holm
from medrag.protocols import Progress
from medrag.records import Item

_MOST_GROUPS = 12
# Below it a standard error of shares is of rounding alone.
_NO_SPREAD = 1e-12
_WANTED = (CONTEXT, BARE, *EMPTY)


def compare_alignment(
    variants: Sequence[Variant],
    protocol: ScoringProtocol,
    *,
    group_by: Sequence[str] = (),
    notes: Sequence[str] = (),
    seed: int = 0,
    n_resamples: int = 5000,
    n_permutations: int = 10_000,
    progress: Progress | None = None,
) -> AlignmentComparison:
    """Compare variants on the items that every run answered in every arm.

    Args:
        variants: of `variants_of`.
        group_by: fields of the items that accuracy is broken down by.
        notes: what the reader must know first.
        seed: of the resamples and permutations.
        n_resamples: with several seeds, no p is below 1 / n_resamples, before its correction.

    Raises:
        EvaluationError: if the runs share no arm, or no item was answered by all.
    """
    items = list(variants[0].runs[0].items.values())
    columns = _scored(variants, protocol, progress)
    counted = _counted(columns)
    measured = [
        Measured(name=name, columns=runs, items=items, counted=counted)
        for name, runs in columns.items()
    ]
    draws = SeedResamples([item.cluster for item in items], seed=seed, n_resamples=n_resamples)
    comparisons = tuple(_adjusted(list(_held(draws, items, measured, n_permutations))))
    claims = claims_of(comparisons, {each.name: len(each.runs) for each in variants})
    n_clusters = _n_clusters(items, counted)
    return AlignmentComparison(
        benchmark=variants[0].runs[0].manifest["benchmark"]["name"],
        split=variants[0].runs[0].manifest["benchmark"]["split"],
        protocol=protocol.name,
        mode=protocol.mode,
        n_items=int(counted.sum()),
        n_clusters=n_clusters,
        variants=tuple(
            _scores(draws, items, variant, each, group_by)
            for variant, each in zip(variants, measured, strict=True)
        ),
        comparisons=comparisons,
        claims=claims.gains,
        losses=claims.losses,
        claims_note=claims.note,
        notes=tuple(notes),
        problems=tuple(problems_of(variants, columns, counted, n_clusters, _WANTED)),
    )


def _scored(
    variants: Sequence[Variant], protocol: ScoringProtocol, progress: Progress | None
) -> dict[str, list[Mapping[str, Columns]]]:
    """Score the answers of each run in the arms that all runs share, by variant."""
    arms = common_arms(variants)
    if not arms:
        raise EvaluationError("the runs share no arm; answer each with the arm context at least")
    return {each.name: gathered(each, protocol, arms, progress=progress) for each in variants}


def _counted(columns: Mapping[str, Sequence[Mapping[str, Columns]]]) -> NDArray[np.bool_]:
    counted = answered_by_all([run for runs in columns.values() for run in runs])
    if not counted.any():
        raise EvaluationError("no item was answered by every run in every arm that they share")
    return counted


def _held(
    draws: SeedResamples, items: Sequence[Item], measured: Sequence[Measured], n_permutations: int
) -> Iterator[Beside]:
    named = {each.name: each for each in measured}
    for a, b in pairs_of(list(named)):
        yield _beside(draws, items, named[a], named[b], n_permutations)


def _beside(
    draws: SeedResamples, items: Sequence[Item], a: Measured, b: Measured, n_permutations: int
) -> Beside:
    shared = [name for name in a.values if name in b.values and better(name)]
    shared += [name for name in a.values if name in b.values and name.startswith("image_blind")]
    differences = {
        name: draws.difference(a.values[name], b.values[name], n_permutations=n_permutations)
        for name in shared
    }
    was, now = a.right(), b.right()
    if was is None or now is None:
        nan = float("nan")
        return Beside(a.name, b.name, differences, nan, nan, (), (), nan)
    before, after = _share_of_seeds(was), _share_of_seeds(now)
    error = draws.deviation(was, now)
    return Beside(
        a.name,
        b.name,
        differences,
        n_fixed=float(np.nansum((1 - before) * after)),
        n_broken=float(np.nansum(before * (1 - after))),
        fixed=_where((before < 0.5) & (after > 0.5), items),
        broken=_where((before > 0.5) & (after < 0.5), items),
        # Where all resamples agree, none tells how far another sample would lie.
        detectable=detectable_mean_difference(error) if error > _NO_SPREAD else float("nan"),
    )


def _adjusted(held: Sequence[Beside]) -> Iterator[Beside]:
    """Correct p over all that is held against the same variant, by Holm."""
    tested = [
        (place, name, each.differences[name].p)
        for place, each in enumerate(held)
        for name in each.differences
        if better(name)
    ]
    adjusted: dict[tuple[int, str], float] = {}
    for against in dict.fromkeys(each.a for each in held):
        own = [row for row in tested if held[row[0]].a == against]
        values = holm([p for _, _, p in own])
        adjusted |= {(row[0], row[1]): float(p) for row, p in zip(own, values, strict=True)}
    for place, each in enumerate(held):
        corrected = {
            name: replace(one, adjusted_p=adjusted.get((place, name), float("nan")))
            for name, one in each.differences.items()
        }
        yield replace(each, differences=corrected)


def _scores(
    draws: SeedResamples,
    items: Sequence[Item],
    variant: Variant,
    measured: Measured,
    group_by: Sequence[str],
) -> VariantScores:
    arms = {arm: values for arm in _WANTED if (values := measured.right(arm)) is not None}
    gain = None
    if CONTEXT in arms and BARE in arms:
        gain = draws.difference(arms[BARE], arms[CONTEXT], same_seeds=True)
    groups: dict[str, Mapping[str, Mapping[str, Estimate]]] = {}
    gains: dict[str, Mapping[str, Difference]] = {}
    for column, members in _groups(items, group_by).items():
        parts = {
            value: {arm: np.where(inside, each, np.nan) for arm, each in arms.items()}
            for value, inside in members.items()
        }
        groups[column] = {
            value: {arm: draws.estimate(each) for arm, each in part.items()}
            for value, part in parts.items()
        }
        if gain is not None:
            gains[column] = {
                value: draws.difference(part[BARE], part[CONTEXT], same_seeds=True)
                for value, part in parts.items()
            }
    return VariantScores(
        name=variant.name,
        n_seeds=len(variant.runs),
        measures={name: draws.estimate(values) for name, values in measured.values.items()},
        from_context=gain,
        groups=groups,
        gains=gains,
        trainings=tuple(training_of(run) for run in variant.runs),
    )


def _groups(
    items: Sequence[Item], group_by: Sequence[str]
) -> dict[str, dict[str, NDArray[np.bool_]]]:
    """Tell which items have which value of a column; one that does not part them is left out."""
    found = {}
    for column in group_by:
        told = [item.fields.get(column) for item in items]
        values = sorted({str(each) for each in told if each not in (None, "")})
        if 1 < len(values) <= _MOST_GROUPS:
            found[column] = {
                value: np.array([str(each) == value for each in told], dtype=bool)
                for value in values
            }
    return found


def _share_of_seeds(values: Floats) -> Floats:
    """Give the share of seeds that have an item right; nan where one does not count it."""
    return np.asarray(values.mean(axis=0), dtype=np.float64)


def _where(chosen: NDArray[np.bool_], items: Sequence[Item]) -> tuple[str, ...]:
    return tuple(items[int(place)].id for place in np.flatnonzero(chosen))


def _n_clusters(items: Sequence[Item], counted: NDArray[np.bool_]) -> int:
    kept = [item for item, counts in zip(items, counted, strict=True) if counts]
    return len({item.cluster or item.id for item in kept})
