"""Splits that test whether a system learnt the disease or its company.

Confounded splits: in training, a class goes with a value of something else (sex, hospital, colour);
out of domain the two are swapped. Held-out combinations: every part of a combination was seen, but
never together.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from medrag.errors import EvaluationError
from medrag.evaluation.scores import Estimate
from medrag.evaluation.statistics import Resamples, Statistic, mean_of

_SPLITS = ("train", "test", "ood")


@dataclass(frozen=True, slots=True)
class Labelled:
    """A row of a classification benchmark: its class and what the class is confounded with.

    `group` is the patient; rows of one stay in one split. None where a row stands alone.
    """

    id: str
    label: str
    confounder: str
    group: str | None = None


@dataclass(frozen=True, slots=True)
class SplitSizes:
    """How many rows each split gets; even numbers, as half of each is of either class."""

    train: int
    test: int
    ood: int


@dataclass(frozen=True, slots=True)
class ConfoundedSplits:
    """Ids of the rows of each split, in the order of the rows given.

    In `train` and `test`, the classes go with their confounder; in `ood`, with the other's.
    """

    train: tuple[str, ...]
    test: tuple[str, ...]
    ood: tuple[str, ...]


def labelled(
    rows: Iterable[Mapping[str, Any]],
    *,
    label: str,
    confounder: str,
    id: str = "id",  # noqa: A002
    group: str | None = None,
) -> tuple[Labelled, ...]:
    """Read rows by the names of their columns; values become text.

    Args:
        group: column of the patient; None if rows stand alone.

    Raises:
        EvaluationError: if a row lacks a column, or has None in it; names the row, from 1. A
            patient may be None.
    """
    read = []
    for number, row in enumerate(rows, start=1):
        lacking = [name for name in (id, label, confounder) if row.get(name) is None]
        if group is not None and group not in row:
            lacking.append(group)
        if lacking:
            raise EvaluationError(
                f"row {number} has no {lacking[0]!r}; its columns are {', '.join(map(str, row))}: "
                "leave such rows out, or name another column"
            )
        patient = None if group is None or row[group] is None else str(row[group])
        read.append(Labelled(str(row[id]), str(row[label]), str(row[confounder]), patient))
    return tuple(read)


def confounded_splits(
    rows: Sequence[Labelled],
    pairing: Mapping[str, str],
    sizes: SplitSizes,
    *,
    strength: float = 1.0,
    seed: int = 0,
) -> ConfoundedSplits:
    """Draw splits in which a class goes with a confounder, and one where it goes with the other.

    Every split holds as many rows of either class, and of either value of the confounder. No
    patient is in two splits. Rows of other classes or values are left alone.

    Args:
        pairing: the two classes to the value of the confounder that each goes with in training,
            such as {"pneumonia": "male", "normal": "female"}.
        strength: share of the rows that follow the pairing (or, out of domain, break it), in
            [0.5, 1]; at 0.5 nothing is confounded.

    Raises:
        ValueError: if the pairing is not of two classes with two values, a size is odd or negative,
            or the strength is out of range.
        EvaluationError: if an id stands twice, or rows lack; says how many of which kind.

    Source:
        The confounded data sets of Yang et al., "A Textbook Remedy for Domain Shifts: Knowledge
        Priors for Medical Image Analysis", NeurIPS 2024. Drawing whole patients is ours.
    """
    _check_asked(pairing, sizes, strength)
    _check_ids(rows)
    demand = _demand(pairing, sizes, strength)
    taken = _allotted(rows, demand, seed)
    lacking = {(split, kind): n for split in _SPLITS for kind, n in demand[split].items() if n}
    if lacking:
        raise EvaluationError(_lack(rows, lacking))
    return ConfoundedSplits(
        *(tuple(row.id for row in rows if taken.get(row.id) == split) for split in _SPLITS)
    )


@dataclass(frozen=True, slots=True)
class ConfoundedGap:
    """Accuracy in and out of domain.

    Attributes:
        mean: of the two accuracies.
        gap: absolute difference, as it is published; its interval never reaches below 0.
        drop: in domain minus out of domain; this interval tells whether there is a gap.
    """

    in_domain: Estimate
    out_of_domain: Estimate
    mean: Estimate
    gap: Estimate
    drop: Estimate


def confounded_gap(
    right: ArrayLike,
    out_of_domain: ArrayLike,
    clusters: Sequence[str | None],
    *,
    seed: int = 0,
    n_resamples: int = 2000,
    level: float = 0.95,
) -> ConfoundedGap:
    """Measure how much accuracy hangs on the confounder, with intervals by cluster.

    Args:
        right: (n_items,) in [0, 1]; nan does not count.
        out_of_domain: (n_items,), true where the item is of the swapped split.
        clusters: patient of each item; None where an item stands alone.

    Raises:
        ValueError: if the three differ in length.

    Source:
        Yang et al., NeurIPS 2024: in-domain, out-of-domain, mean, absolute gap.
    """
    given, swapped = np.asarray(right, dtype=np.float64), np.asarray(out_of_domain, dtype=bool)
    if given.shape != swapped.shape or given.shape != (len(clusters),):
        raise ValueError(
            f"right, out_of_domain and clusters must be of the same items, got shapes "
            f"{given.shape}, {swapped.shape} and {len(clusters)} clusters"
        )
    known = np.where(np.isnan(given), np.nan, 1.0)
    sums = np.stack([given * ~swapped, known * ~swapped, given * swapped, known * swapped], axis=1)
    resamples = Resamples(clusters, seed=seed, n_resamples=n_resamples, level=level)
    return ConfoundedGap(
        **resamples.estimates(
            {
                "in_domain": mean_of(np.where(swapped, np.nan, given)),
                "out_of_domain": mean_of(np.where(swapped, given, np.nan)),
                "mean": Statistic(sums, lambda totals: _accuracies(totals).mean(axis=-1)),
                "gap": Statistic(sums, lambda totals: np.abs(_drop(totals))),
                "drop": Statistic(sums, _drop),
            }
        )
    )


class Triple(NamedTuple):
    """What a picture shows and what is asked of it, as Med-MAT has it."""

    modality: str
    area: str
    task: str


@dataclass(frozen=True, slots=True)
class HeldOut:
    """Ids of rows beside one combination that training must not hold.

    Attributes:
        test: rows of the combination.
        related: rows that share a part with it; together they show every part.
        unrelated: rows that share none, to train a control on.
    """

    test: tuple[str, ...]
    related: tuple[str, ...]
    unrelated: tuple[str, ...]


def held_out_combination(rows: Mapping[str, Triple], combination: Triple) -> HeldOut:
    """Hold out a combination of modality, area and task whose parts occur elsewhere.

    Raises:
        EvaluationError: if no row is of the combination, or one of its parts occurs in no other, so
            that nothing could be composed.

    Source:
        Med-MAT, "On the Compositional Generalization of Multimodal LLMs for Medical Imaging"
        (FreedomIntelligence/Med-MAT).
    """
    shown = " x ".join(combination)
    others = {name: triple for name, triple in rows.items() if triple != combination}
    test = tuple(name for name in rows if name not in others)
    if not test:
        raise EvaluationError(f"no row is of {shown}; it cannot be tested")
    for place, part in enumerate(combination):
        if all(triple[place] != part for triple in others.values()):
            raise EvaluationError(
                f"the {Triple._fields[place]} {part!r} of {shown} occurs in no other combination; "
                "nothing can be composed from it: hold out another one"
            )
    related = {name for name, triple in others.items() if any(map(str.__eq__, triple, combination))}
    return HeldOut(
        test=test,
        related=tuple(name for name in others if name in related),
        unrelated=tuple(name for name in others if name not in related),
    )


# A class with a value of the confounder.
_Kind = tuple[str, str]


def _check_asked(pairing: Mapping[str, str], sizes: SplitSizes, strength: float) -> None:
    if len(pairing) != 2 or len(set(pairing.values())) != 2:
        raise ValueError(
            f"pairing must give two classes a value of their own each, got {dict(pairing)}"
        )
    for split in _SPLITS:
        size = getattr(sizes, split)
        if size < 0 or size % 2:
            raise ValueError(f"the size of {split} must be even and not negative, got {size}")
    if not 0.5 <= strength <= 1:
        raise ValueError(f"strength must lie in [0.5, 1], got {strength}")


def _check_ids(rows: Sequence[Labelled]) -> None:
    for name, n in Counter(row.id for row in rows).items():
        if n > 1:
            raise EvaluationError(f"row {name!r} is given {n} times; each row needs its own id")


def _demand(
    pairing: Mapping[str, str], sizes: SplitSizes, strength: float
) -> dict[str, dict[_Kind, int]]:
    """Give how many rows of each kind each split wants."""
    demand: dict[str, dict[_Kind, int]] = {}
    swapped = dict(zip(pairing, reversed(list(pairing.values())), strict=True))
    for split in _SPLITS:
        half = int(getattr(sizes, split)) // 2
        n_typical = round(strength * half)
        most, rest = (swapped, pairing) if split == "ood" else (pairing, swapped)
        demand[split] = dict.fromkeys(most.items(), n_typical)
        demand[split] |= dict.fromkeys(rest.items(), half - n_typical)
    return demand


def _allotted(
    rows: Sequence[Labelled], demand: dict[str, dict[_Kind, int]], seed: int
) -> dict[str, str]:
    """Give rows to splits, patient by patient, and count the demand down: id to split.

    The patient with most rows first, ties at random: a small one fills what a large one leaves. A
    split that lacks the largest share of what the patient has comes first.
    """
    wanted = {split: dict(kinds) for split, kinds in demand.items()}
    groups: dict[object, list[Labelled]] = {}
    for row in sorted(rows, key=lambda row: row.id):
        groups.setdefault(("alone", row.id) if row.group is None else row.group, []).append(row)
    order = np.random.default_rng(seed).permutation(len(groups))
    shuffled = [list(groups.values())[place] for place in order]
    taken: dict[str, str] = {}
    for members in sorted(shuffled, key=len, reverse=True):
        kinds = Counter((row.label, row.confounder) for row in members)
        split = max(_SPLITS, key=lambda name: _want(kinds, demand[name], wanted[name]))
        for row in members:
            kind = (row.label, row.confounder)
            if demand[split].get(kind, 0) > 0:
                demand[split][kind] -= 1
                taken[row.id] = split
    return taken


def _want(kinds: Counter[_Kind], left: Mapping[_Kind, int], asked: Mapping[_Kind, int]) -> float:
    return sum(
        min(n, left.get(kind, 0)) * left.get(kind, 0) / max(asked.get(kind, 0), 1)
        for kind, n in kinds.items()
    )


def _lack(rows: Sequence[Labelled], lacking: Mapping[tuple[str, _Kind], int]) -> str:
    have = Counter((row.label, row.confounder) for row in rows)
    parts = [
        f"{split} lacks {n} rows of {kind[0]!r} with {kind[1]!r} (there are {have[kind]} in all)"
        for (split, kind), n in lacking.items()
    ]
    return (
        f"{len(rows)} rows are too few for the splits asked for: {'; '.join(parts)}; ask for "
        "smaller splits or a weaker pairing. No patient is divided, which can cost rows too"
    )


def _accuracies(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """Divide (..., 4) sums into (..., 2) accuracies, in and out of domain."""
    accuracies: NDArray[np.float64] = sums[..., 0::2] / sums[..., 1::2]
    return accuracies


def _drop(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    accuracies = _accuracies(sums)
    drop: NDArray[np.float64] = accuracies[..., 0] - accuracies[..., 1]
    return drop
