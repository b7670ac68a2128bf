"""Where to set the threshold between answering at once and searching, on questions of a run."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from medrag.records import Answer

STEP = "when_unsure"


@dataclass(frozen=True, slots=True)
class SwitchCurve:
    """What each threshold would have given on a run: arrays of equal length, thresholds ascending.

    Attributes:
        thresholds: a question is searched for where its uncertainty is at least this.
        searched: the share of the questions that is searched for.
        accuracy: the share that is answered right.
    """

    thresholds: NDArray[np.float64]
    searched: NDArray[np.float64]
    accuracy: NDArray[np.float64]


def switch_curve(
    uncertainty: ArrayLike, right_without: ArrayLike, right_with: ArrayLike
) -> SwitchCurve:
    """Compute accuracy and cost of every threshold that changes anything.

    It describes the questions that it was computed on; what it promises of others must be seen on
    others. A question whose uncertainty is not known (nan) is always searched for.

    Args:
        uncertainty: (n,) of each question, asked without evidence.
        right_without: (n,) whether its answer without evidence is right.
        right_with: (n,) whether its answer with evidence is right.

    Returns:
        From 0 (all are searched for) over the uncertainties found to inf (none, where known).

    Raises:
        ValueError: if the three differ in length, or are empty.
    """
    unsure = np.asarray(uncertainty, dtype=np.float64)
    without = np.asarray(right_without, dtype=np.float64)
    found = np.asarray(right_with, dtype=np.float64)
    if not unsure.shape == without.shape == found.shape or unsure.ndim != 1 or not len(unsure):
        raise ValueError(
            "uncertainty, right_without and right_with must be of one length, at least 1; got "
            f"{unsure.shape}, {without.shape} and {found.shape}"
        )
    known = unsure[~np.isnan(unsure)]
    thresholds = np.unique(np.concatenate(([0.0], known, [np.inf])))
    searched = np.array([_searched(unsure, each).mean() for each in thresholds])
    right = [np.where(_searched(unsure, each), found, without).mean() for each in thresholds]
    return SwitchCurve(thresholds, searched, np.array(right))


def chosen_threshold(curve: SwitchCurve) -> float:
    """Give the threshold of the best accuracy; of equal ones that which searches least."""
    best = np.flatnonzero(curve.accuracy >= curve.accuracy.max() - 1e-12)
    return float(curve.thresholds[best[-1]])


def uncertainties(answers: Sequence[Answer]) -> NDArray[np.float64]:
    """Read from the traces of answers how unsure the model was; nan where it is not told."""
    return np.array([_told(answer) for answer in answers], dtype=np.float64)


def _searched(unsure: NDArray[np.float64], threshold: float) -> NDArray[np.bool_]:
    searched: NDArray[np.bool_] = np.isnan(unsure) | (unsure >= threshold)
    return searched


def _told(answer: Answer) -> float:
    for step in answer.trace:
        if step.get("step") == STEP and isinstance(step.get("uncertainty"), int | float):
            return float(step["uncertainty"])
    return float("nan")
