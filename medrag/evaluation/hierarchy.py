"""Structured reports as vectors of answers to a tree of questions: Rad-ReStruct's scores.

Each column of a vector is one possible answer to one question. A question about a finding follows
from a parent ("Are there signs of disease in the lung?"), and once the parent is denied, so are its
children, whatever a system says of them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from medrag.errors import EvaluationError
from medrag.evaluation.scores import Estimate
from medrag.evaluation.statistics import Resamples, Statistic, mean_of


@dataclass(frozen=True, slots=True)
class AnswerTree:
    """The columns of an answer vector and how they hang together.

    Attributes:
        columns: names, in the order of the vector.
        parents: child column to the column that must be 1 for the child to be 1; top ones lack.
        denials: column that says no to the column that says yes to the same question; it becomes 1
            where the latter is denied with its parent. Empty where a vector has no such columns.
    """

    columns: tuple[str, ...]
    parents: Mapping[str, str] = field(hash=False)
    denials: Mapping[str, str] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class VectorScores:
    """How predicted vectors agree with the reference; intervals by cluster.

    Attributes:
        report_accuracy: reports whose whole vector is right.
        precision, recall, f1: means over the columns that a reference says yes to.
        unanswered: share of entries without an answer; they are wrong for report accuracy, and not
            predicted for precision and recall.
    """

    report_accuracy: Estimate
    precision: Estimate
    recall: Estimate
    f1: Estimate
    unanswered: Estimate


@dataclass(frozen=True, slots=True)
class HierarchyScores:
    """Scores of the vectors as predicted, and once parents decide over their children.

    `n_changed`: entries that the second have otherwise, the unanswered among them.
    """

    raw: VectorScores
    consistent: VectorScores
    n_changed: int


def score_vectors(
    predicted: ArrayLike,
    reference: ArrayLike,
    tree: AnswerTree,
    *,
    clusters: Sequence[str | None] | None = None,
    seed: int = 0,
    n_resamples: int = 2000,
) -> HierarchyScores:
    """Score answer vectors before and after their parents decide.

    Args:
        predicted: (n_reports, n_columns) of 0, 1 and nan where there is no answer.
        reference: likewise, without nan.
        clusters: patient of each report; None if each is its own.

    Raises:
        ValueError: if shapes do not fit, or values are others.
        EvaluationError: if the tree is none, or a reference affirms a child of what it denies.

    Source:
        Pellegrini et al., "Rad-ReStruct", MICCAI 2023 (ChantalMP/Rad-ReStruct). The released scorer
        gives a column that is never predicted a precision of 1, and counts its own averages among
        the columns; here the precision is 0, and they are not.
    """
    given, right = _pair(predicted, reference, tree)
    enforced = enforce(given, tree)
    changed = (given != enforced) & ~(np.isnan(given) & np.isnan(enforced))
    resamples = Resamples(
        clusters if clusters is not None else [None] * len(given),
        seed=seed,
        n_resamples=n_resamples,
    )
    raw, consistent = (
        VectorScores(**resamples.estimates(_statistics(each, right))) for each in (given, enforced)
    )
    return HierarchyScores(raw, consistent, int(changed.sum()))


def vector_statistics(
    predicted: ArrayLike, reference: ArrayLike, tree: AnswerTree
) -> dict[str, Statistic]:
    """Make the fields of `VectorScores` statistics over the reports, in their order.

    By their names once parents decide over their children, and with "raw_" before them as
    predicted.

    Raises:
        ValueError, EvaluationError: as `score_vectors`.
    """
    given, right = _pair(predicted, reference, tree)
    raw = {f"raw_{name}": one for name, one in _statistics(given, right).items()}
    return _statistics(enforce(given, tree), right) | raw


def enforce(predicted: ArrayLike, tree: AnswerTree) -> NDArray[np.float64]:
    """Deny the children of what is denied, and theirs.

    A parent without an answer (nan) decides nothing.

    Args:
        predicted: (n_reports, n_columns) of 0, 1 and nan.

    Returns:
        A copy, of the same shape.

    Raises:
        ValueError: if shape or values are others.
        EvaluationError: if the tree names a column that it lacks, or goes round in a circle.
    """
    vectors = _checked(predicted, tree, "predicted").copy()
    places = {name: place for place, name in enumerate(tree.columns)}
    denied = {yes: no for no, yes in tree.denials.items()}
    for child in from_the_top(tree):
        parent = tree.parents[child]
        out = vectors[:, places[parent]] == 0
        vectors[out, places[child]] = 0
        if child in denied:
            vectors[out, places[denied[child]]] = 1
    return vectors


def from_the_top(tree: AnswerTree) -> tuple[str, ...]:
    """Order the columns that have a parent so that each comes after its own.

    Raises:
        EvaluationError: if a name is no column, a column stands twice, or parents form a circle.
    """
    known = set(tree.columns)
    if len(known) < len(tree.columns):
        raise EvaluationError("the answer tree has a column twice; each needs a name of its own")
    named = [*tree.parents.items(), *tree.denials.items()]
    stray = sorted({name for pair in named for name in pair} - known)
    if stray:
        raise EvaluationError(
            f"the answer tree names {stray[0]!r}, which is none of its {len(known)} columns"
        )
    depths: dict[str, int] = {}
    for column in tree.columns:
        path = [column]
        while path[-1] in tree.parents and path[-1] not in depths:
            if tree.parents[path[-1]] in path:
                raise EvaluationError(
                    f"the answer tree goes round in a circle at {path[-1]!r}; "
                    "a column must not be among its own parents"
                )
            path.append(tree.parents[path[-1]])
        above = depths.get(path[-1], 0)
        depths.update({name: above + rise for rise, name in enumerate(reversed(path))})
    return tuple(sorted(tree.parents, key=lambda name: depths[name]))


def _pair(
    predicted: ArrayLike, reference: ArrayLike, tree: AnswerTree
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    given, right = _checked(predicted, tree, "predicted"), _checked(reference, tree, "reference")
    if given.shape != right.shape:
        raise ValueError(f"{len(given)} vectors are predicted, but the reference has {len(right)}")
    if np.isnan(right).any():
        raise ValueError("the reference must answer every column, but holds nan")
    _check_consistent(right, tree)
    return given, right


def _checked(vectors: ArrayLike, tree: AnswerTree, what: str) -> NDArray[np.float64]:
    given = np.asarray(vectors, dtype=np.float64)
    if given.ndim != 2 or given.shape[1] != len(tree.columns):
        raise ValueError(
            f"{what} must be of shape (n_reports, {len(tree.columns)}), got {given.shape}"
        )
    if not (np.isnan(given) | np.isin(given, (0, 1))).all():
        raise ValueError(f"{what} must hold 0, 1 and nan only")
    return given


def _check_consistent(reference: NDArray[np.float64], tree: AnswerTree) -> None:
    places = {name: place for place, name in enumerate(tree.columns)}
    for child in from_the_top(tree):
        parent = tree.parents[child]
        broken = (reference[:, places[parent]] == 0) & (reference[:, places[child]] == 1)
        if broken.any():
            raise EvaluationError(
                f"the reference of report {int(np.argmax(broken))} (from 0) affirms {child!r} but "
                f"denies its parent {parent!r}, as do {int(broken.sum())} reports in all; the "
                "files are damaged, or older than their correction"
            )


def _statistics(given: NDArray[np.float64], right: NDArray[np.float64]) -> dict[str, Statistic]:
    # Columns that no reference affirms are in no mean, and most are such.
    affirmed = right.any(axis=0)
    positive, said = right[:, affirmed], (given == 1)[:, affirmed]
    # What each report adds to hits, predictions and positives of each column.
    sums = np.concatenate([said * positive, said, positive], axis=1)
    return {
        "report_accuracy": mean_of((given == right).all(axis=1)),
        "precision": Statistic(sums, _macro_precision),
        "recall": Statistic(sums, _macro_recall),
        "f1": Statistic(sums, _macro_f1),
        "unanswered": mean_of(np.isnan(given).mean(axis=1)),
    }


def _macro_precision(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    hits, said, positive = np.split(sums, 3, axis=-1)
    return _mean_over_columns(hits / np.maximum(said, 1), positive)


def _macro_recall(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    hits, _, positive = np.split(sums, 3, axis=-1)
    return _mean_over_columns(hits / np.maximum(positive, 1), positive)


def _macro_f1(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    hits, said, positive = np.split(sums, 3, axis=-1)
    return _mean_over_columns(2 * hits / np.maximum(said + positive, 1), positive)


def _mean_over_columns(
    values: NDArray[np.float64], positive: NDArray[np.float64]
) -> NDArray[np.float64]:
    affirmed = positive > 0
    total: NDArray[np.float64] = np.where(affirmed, values, 0).sum(axis=-1)
    mean: NDArray[np.float64] = total / affirmed.sum(axis=-1)
    return mean
