"""How much of its accuracy a system keeps where the items differ from what it was made for.

A shift is a column of the items and its values that are out of distribution: a modality, an organ
or a kind of question that was held out.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from medrag.errors import EvaluationError
from medrag.evaluation.scores import Estimate
from medrag.evaluation.statistics import Resamples, Statistic, mean_of
from medrag.records import Item

# Values of a column that an error names.
_NAMED = 8


@dataclass(frozen=True, slots=True)
class Shift:
    """A named shift.

    Attributes:
        name: as it is reported, such as "held-out modality".
        column: of `Item.fields`.
        ood: the values of the column that are out of distribution, as text; all others are in it.
    """

    name: str
    column: str
    ood: frozenset[str]


@dataclass(frozen=True, slots=True)
class Robustness:
    """A measure in and out of distribution.

    Attributes:
        shift: its name.
        iid, ood: the mean of either part.
        relative: 1 - (iid - ood) / iid: the share of the measure that is kept; above 1 if the
            shifted items are easier. nan where iid is 0.
        n_left_out: items without the column; they are in neither part.
    """

    shift: str
    iid: Estimate
    ood: Estimate
    relative: Estimate
    n_left_out: int


def robustness(
    items: Sequence[Item],
    values: ArrayLike,
    shift: Shift,
    *,
    seed: int = 0,
    n_resamples: int = 2000,
    level: float = 0.95,
) -> Robustness:
    """Compare a measure of shifted items with that of the others, intervals by cluster.

    Args:
        values: (n_items,), such as 1 where right; nan does not count.

    Raises:
        EvaluationError: if either part is empty; names the values that the column holds.
        ValueError: if there are not as many values as items.

    Source:
        Relative robustness: SURE-VQA (IML-DKFZ/sure-vqa).
    """
    given = np.asarray(values, dtype=np.float64)
    if given.shape != (len(items),):
        raise ValueError(f"{len(items)} items need as many values, got shape {given.shape}")
    iid, ood = in_and_out(items, shift)
    statistics = {
        "iid": mean_of(np.where(iid, given, np.nan)),
        "ood": mean_of(np.where(ood, given, np.nan)),
        "relative": relative_robustness(np.where(iid | ood, given, np.nan), ood),
    }
    clusters = [item.cluster for item in items]
    resamples = Resamples(clusters, seed=seed, n_resamples=n_resamples, level=level)
    n_left_out = len(items) - int((iid | ood).sum())
    return Robustness(shift.name, n_left_out=n_left_out, **resamples.estimates(statistics))


def relative_robustness(values: ArrayLike, ood: ArrayLike) -> Statistic:
    """Make relative robustness a statistic, for intervals and for comparing two runs.

    Args:
        values: (n_items,); nan does not count.
        ood: (n_items,), true where the item is out of distribution.
    """
    given, shifted = np.asarray(values, dtype=np.float64), np.asarray(ood, dtype=bool)
    known = np.where(np.isnan(given), np.nan, 1.0)
    parts = [given * ~shifted, known * ~shifted, given * shifted, known * shifted]
    return Statistic(np.stack(parts, axis=1), _kept_share)


def in_and_out(items: Sequence[Item], shift: Shift) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Tell which items are in and which are out of distribution: (n_items,) each.

    An item without the column, or with None in it, is neither.

    Raises:
        EvaluationError: if either part is empty; names the values that the column holds.
    """
    found = [item.fields.get(shift.column) for item in items]
    known = np.array([value is not None for value in found], dtype=bool)
    ood = known & np.array([str(value) in shift.ood for value in found], dtype=bool)
    iid = known & ~ood
    if not ood.any() or not iid.any():
        held = sorted({str(value) for value in found if value is not None})
        some = ", ".join(held[:_NAMED]) + (", ..." if len(held) > _NAMED else "")
        raise EvaluationError(
            f"shift {shift.name!r}: of {len(items)} items, {int(iid.sum())} are in and "
            f"{int(ood.sum())} out of distribution, and both need some; out are those with "
            f"{shift.column} one of {', '.join(sorted(shift.ood))}; the column holds "
            f"{some or 'nothing'}"
        )
    return iid, ood


def _kept_share(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    iid, ood = sums[..., 0] / sums[..., 1], sums[..., 2] / sums[..., 3]
    kept: NDArray[np.float64] = 1 - (iid - ood) / np.where(iid == 0, np.nan, iid)
    return kept
