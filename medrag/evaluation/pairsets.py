"""Pairs of pictures that look alike and are asked the same: MediConfusion's scores.

A system that does not see the difference gives both pictures the same answer, which individual
accuracy cannot tell from guessing.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from medrag.errors import EvaluationError
from medrag.evaluation.scores import Estimate
from medrag.evaluation.statistics import Resamples, Statistic, mean_of

_NAN = float("nan")
_COLUMNS = (
    "set_accuracy", "individual_accuracy", "confusion", "invalid", "precision", "same_contexts",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class PairAnswer:
    """What was chosen for one picture of a pair.

    Attributes:
        chosen: the option; None if the answer chose none, or abstained.
        right: the right option.
        contexts: ids of the passages that were retrieved, in any order; None if it is not known.
    """

    chosen: str | None
    right: str
    contexts: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class PairScores:
    """Scores of a set of pairs; the n of each estimate are pairs.

    Attributes:
        set_accuracy: pairs with both right, among all.
        individual_accuracy: right answers among all answers.
        confusion: pairs with the same option for both, among those with two valid answers.
        invalid: answers without an option, among all answers.
        precision: pairs with both right, among those with two valid answers that differ.
        same_contexts: pairs with the same passages for both, among those whose passages are known
            and that have any; retrieval that ignores the picture gives 1.
    """

    set_accuracy: Estimate
    individual_accuracy: Estimate
    confusion: Estimate
    invalid: Estimate
    precision: Estimate
    same_contexts: Estimate
    n_pairs: int


def score_pairs(
    pairs: Mapping[str, Sequence[PairAnswer]],
    *,
    seed: int = 0,
    n_resamples: int = 2000,
    level: float = 0.95,
) -> PairScores:
    """Score pairs of answers, with intervals by bootstrap over pairs.

    Args:
        pairs: id of the pair to the answers for its two pictures.

    Raises:
        EvaluationError: if a pair has not two answers, or one right option for both.

    Source:
        MediConfusion (AIF4S/MediConfusion): set accuracy, individual accuracy, confusion.
    """
    resamples = Resamples(list(pairs), seed=seed, n_resamples=n_resamples, level=level)
    return PairScores(**resamples.estimates(pair_statistics(pairs)), n_pairs=len(pairs))


def pair_statistics(pairs: Mapping[str, Sequence[PairAnswer]]) -> dict[str, Statistic]:
    """Make the fields of `PairScores` statistics over the pairs, in their order."""
    rows = np.array(list(_rows(pairs)), dtype=np.float64).reshape(len(pairs), len(_COLUMNS))
    return {name: mean_of(rows[:, place]) for place, name in enumerate(_COLUMNS)}


def _rows(pairs: Mapping[str, Sequence[PairAnswer]]) -> Iterator[tuple[float, ...]]:
    for name, answers in pairs.items():
        if len(answers) != 2:
            raise EvaluationError(
                f"pair {name!r} has {len(answers)} answers, expected 2; answer both of its "
                "pictures, or leave the pair out"
            )
        first, second = answers
        if first.right == second.right:
            raise EvaluationError(
                f"pair {name!r}: {first.right!r} is right for both pictures, but the right options "
                "of a pair must differ; check the benchmark's files"
            )
        n_right = sum(answer.chosen == answer.right for answer in answers)
        n_valid = sum(answer.chosen is not None for answer in answers)
        same = float(first.chosen == second.chosen) if n_valid == 2 else _NAN
        both = float(n_right == 2)
        yield (
            both, n_right / 2, same, 1 - n_valid / 2, both if same == 0 else _NAN,
            _same_contexts(first, second),
        )  # fmt: skip


def _same_contexts(first: PairAnswer, second: PairAnswer) -> float:
    if first.contexts is None or second.contexts is None:
        return _NAN
    if not first.contexts and not second.contexts:
        return _NAN
    return float(set(first.contexts) == set(second.contexts))
