"""Measures of answers that are one of some classes: yes and no, options, modalities.

An answer that could not be read is a class of its own, `UNPARSED`: it is never right, it counts
in what should have been found, and no average over classes contains it.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from medrag.evaluation.statistics import Statistic, WeightedStatistic, ratio_of

Floats = NDArray[np.float64]

UNPARSED = "unparsed"


class Confusion(NamedTuple):
    """How often which class was answered for which.

    Attributes:
        references: classes of the rows, sorted.
        predictions: classes of the columns, sorted, `UNPARSED` last where it occurs.
        counts: (rows, columns) items.
    """

    references: tuple[str, ...]
    predictions: tuple[str, ...]
    counts: NDArray[np.int64]


class BinaryConfusion(NamedTuple):
    """Items of a positive and a negative class; an answer of neither is `unparsed`."""

    true_positive: int
    false_positive: int
    false_negative: int
    true_negative: int
    unparsed_positive: int
    unparsed_negative: int


def class_measures(
    predicted: Sequence[str], reference: Sequence[str | None]
) -> dict[str, Statistic]:
    """Compute accuracy, its mean over classes, macro-F1, and the measures of each class.

    Args:
        predicted: the class of each answer; `UNPARSED` or any other text that is no reference
            class is wrong.
        reference: as many right classes; None where the item does not count.

    Returns:
        "accuracy", "balanced_accuracy" (mean recall), "macro_f1", then for each reference class
        "precision: yes", "recall: yes", "f1: yes". Averages are over classes that occur among
        the references of the sample or resample; precision is nan where a class is never
        answered, and such a class has F1 0.

    Raises:
        ValueError: if the two differ in length, or a reference is `UNPARSED`.
    """
    classes = _classes(predicted, reference)
    sums = class_sums(predicted, reference, classes)
    n_classes = len(classes)
    measures = {
        "accuracy": ratio_of(sums[:, :n_classes].sum(axis=1), sums[:, 2 * n_classes :].sum(axis=1)),
        "balanced_accuracy": Statistic(sums, _balanced_accuracy),
        "macro_f1": Statistic(sums, _macro_f1),
    }
    for place, name in enumerate(classes):
        # Only its own three columns: all measures of a run are resampled side by side.
        own = sums[:, place::n_classes]
        measures[f"precision: {name}"] = Statistic(own, _first(_precisions))
        measures[f"recall: {name}"] = Statistic(own, _first(_recalls))
        measures[f"f1: {name}"] = Statistic(own, _first(_f1s))
    return measures


def class_sums(
    predicted: Sequence[str], reference: Sequence[str | None], classes: Sequence[str]
) -> Floats:
    """List what each item adds to the counts of each class.

    Returns:
        (n_items, 3 * n_classes): right, answered, and right answer is the class; nan where the
        reference is None.
    """
    codes = {name: code for code, name in enumerate(classes)}
    sums = np.zeros((len(predicted), 3 * len(classes)))
    for row, (answer, right) in enumerate(zip(predicted, reference, strict=True)):
        if right is None:
            sums[row] = np.nan
            continue
        sums[row, 2 * len(classes) + codes[right]] = 1
        if answer in codes:
            sums[row, len(classes) + codes[answer]] = 1
            sums[row, codes[answer]] = answer == right
    return sums


def confusion(predicted: Sequence[str], reference: Sequence[str | None]) -> Confusion:
    """Count answers by right class.

    Raises:
        ValueError: if the two differ in length, or a reference is `UNPARSED`.
    """
    rows = _classes(predicted, reference)
    pairs = Counter(zip(reference, predicted, strict=True))
    columns = sorted(
        {answer for right, answer in pairs if right is not None},
        key=lambda name: (name == UNPARSED, name),
    )
    counts = np.array([[pairs[row, column] for column in columns] for row in rows], dtype=np.int64)
    return Confusion(tuple(rows), tuple(columns), counts.reshape(len(rows), len(columns)))


def binary_confusion(
    predicted: Sequence[str],
    reference: Sequence[str | None],
    *,
    positive: str = "yes",
    negative: str = "no",
) -> BinaryConfusion:
    """Count right and wrong answers of either class.

    Raises:
        ValueError: if the two differ in length or a reference is neither class.
    """
    _classes(predicted, reference)
    pairs = Counter(zip(reference, predicted, strict=True))
    others = sorted({r for r, _ in pairs if r not in (positive, negative, None)}, key=str)
    if others:
        raise ValueError(f"reference {others[0]!r} is neither {positive!r} nor {negative!r}")
    n_positive = sum(n for (right, _), n in pairs.items() if right == positive)
    n_negative = sum(n for (right, _), n in pairs.items() if right == negative)
    tp, fn = pairs[positive, positive], pairs[positive, negative]
    fp, tn = pairs[negative, positive], pairs[negative, negative]
    return BinaryConfusion(tp, fp, fn, tn, n_positive - tp - fn, n_negative - fp - tn)


def auroc(scores: ArrayLike, positive: ArrayLike) -> WeightedStatistic:
    """Make the area under the ROC curve a statistic.

    It is the share of pairs of a positive and a negative item in which the positive one has the
    higher score, a tie counting half. With `positive` being whether the answer is right and the
    score its confidence, it is the AUROC of correctness.

    Args:
        scores: (n_items,), higher for positive; nan where the item does not count.
        positive: (n_items,) 1 or 0; nan where the item does not count.

    Returns:
        A value in [0, 1]; nan where all items that count are of one class.

    Raises:
        ValueError: if the two differ in length, or `positive` holds another value.

    Source:
        Hanley & McNeil, Radiology 1982; Mann-Whitney U.
    """
    given, labels = np.asarray(scores, dtype=np.float64), np.asarray(positive, dtype=np.float64)
    if given.ndim != 1 or given.shape != labels.shape:
        raise ValueError(f"expected two equally long rows, got {given.shape} and {labels.shape}")
    counted = ~np.isnan(given) & ~np.isnan(labels)
    if not np.isin(labels[counted], (0, 1)).all():
        raise ValueError("positive must hold 0, 1 or nan only")
    items = np.flatnonzero(counted)
    order = items[np.argsort(given[items], kind="stable")]
    starts = np.flatnonzero(np.diff(given[order], prepend=-np.inf) != 0)
    is_positive = labels[order] == 1

    def value(weights: Floats) -> Floats:
        if not len(order):
            return np.full(len(weights), np.nan)
        drawn = weights[:, order]
        positives = np.add.reduceat(drawn * is_positive, starts, axis=1)
        negatives = np.add.reduceat(drawn * ~is_positive, starts, axis=1)
        below = np.cumsum(negatives, axis=1) - negatives / 2
        n_pairs = positives.sum(axis=1) * negatives.sum(axis=1)
        won: Floats = (positives * below).sum(axis=1)
        return np.where(n_pairs > 0, won / np.where(n_pairs > 0, n_pairs, 1), np.nan)

    return WeightedStatistic(value, counted)


def _classes(predicted: Sequence[str], reference: Sequence[str | None]) -> list[str]:
    if len(predicted) != len(reference):
        raise ValueError(
            f"predicted and reference must be of the same items, got {len(predicted)} and "
            f"{len(reference)}"
        )
    classes = sorted({right for right in reference if right is not None})
    if UNPARSED in classes:
        raise ValueError(f"{UNPARSED!r} is kept for answers that could not be read")
    return classes


def _parts(sums: Floats) -> tuple[Floats, Floats, Floats]:
    n_classes = sums.shape[-1] // 3
    right, answered, wanted = np.split(sums, [n_classes, 2 * n_classes], axis=-1)
    return right, answered, wanted


def _balanced_accuracy(sums: Floats) -> Floats:
    return _mean_known(_recalls(sums))


def _macro_f1(sums: Floats) -> Floats:
    return _mean_known(_f1s(sums))


def _precisions(sums: Floats) -> Floats:
    right, answered, _ = _parts(sums)
    return _divided(right, answered)


def _recalls(sums: Floats) -> Floats:
    right, _, wanted = _parts(sums)
    return _divided(right, wanted)


def _f1s(sums: Floats) -> Floats:
    """F1 of each class; nan where it is not among the references."""
    right, answered, wanted = _parts(sums)
    return np.where(wanted > 0, _divided(2 * right, answered + wanted), np.nan)


def _first(of_classes: Callable[[Floats], Floats]) -> Callable[[Floats], Floats]:
    return lambda sums: of_classes(sums)[..., 0]


def _divided(above: Floats, below: Floats) -> Floats:
    return np.where(below > 0, above / np.where(below > 0, below, 1), np.nan)


def _mean_known(values: Floats) -> Floats:
    known = ~np.isnan(values)
    return _divided(np.where(known, values, 0).sum(axis=-1), known.sum(axis=-1).astype(np.float64))
