"""The answers of a run that a calibration can learn from."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from medrag.errors import EvaluationError
from medrag.evaluation.runs import Run
from medrag.evaluation.scorers import ScoringProtocol
from medrag.evaluation.scores import STATES
from medrag.evaluation.scoring.columns import Columns, gather
from medrag.protocols import Progress
from medrag.verification.confidence import signals_of

# An answer that nobody gets is neither right nor wrong among those that are given.
_NOT_GIVEN = frozenset({"abstained", "failed", "missing"})


@dataclass(frozen=True, slots=True)
class Known:
    """Answers whose right and wrong are known, in the order of the run's items.

    Attributes:
        signals: of each, by name.
        right: (n,) in [0, 1].
        clusters: of each; items without one stand for themselves.
        models, templates: each once, sorted.
        left_out: how many answers do not take part, by reason.
    """

    signals: tuple[Mapping[str, float], ...]
    right: NDArray[np.float64]
    clusters: tuple[str, ...]
    models: tuple[str, ...]
    templates: tuple[str, ...]
    left_out: Mapping[str, int]


def known_answers(
    run: Run, protocol: ScoringProtocol, arm: str, *, progress: Progress | None = None
) -> Known:
    """Score one arm of a run, and gather the signals of its answers.

    Right is what the headline of the protocol counts, as `score_run` does; an answer that cannot
    be read is wrong. Answers that abstain by themselves, that failed or are missing, and those that
    the headline does not count, are left out: they are not among those given to a reader.

    Raises:
        EvaluationError: if the arm is not of the run, or a line of the run is broken.
    """
    if arm not in run.arms:
        raise EvaluationError(
            f"{run.folder} has no arm {arm!r}, it has {', '.join(run.arms) or 'none'}; name one of "
            "them: --arm"
        )
    columns = gather(run, protocol, arms=[arm], progress=progress).columns[arm]
    places = {name: place for place, name in enumerate(run.items)}
    found: dict[int, Mapping[str, float]] = {}
    models: set[str] = set()
    templates: set[str] = set()
    for answered in run.answers():
        place = places[answered.item]
        if answered.arm != arm or not _counts(columns, place):
            continue
        found[place] = signals_of(answered.answer)
        models.add(answered.answer.model)
        templates.add(answered.answer.template)
    kept = sorted(found)
    items = list(run.items.values())
    return Known(
        signals=tuple(found[place] for place in kept),
        right=np.clip(columns.right[kept], 0, 1),
        clusters=tuple(cluster_name(items[place].cluster, place) for place in kept),
        models=tuple(sorted(models)),
        templates=tuple(sorted(templates)),
        left_out=_left_out(columns),
    )


def _counts(columns: Columns, place: int) -> bool:
    state = STATES[columns.states[place]]
    return state not in _NOT_GIVEN and not np.isnan(columns.right[place])


def cluster_name(cluster: str | None, place: int) -> str:
    """Name the cluster of the item at a place, which may stand alone."""
    # Two kinds of names, so that no cluster is ever called like an item that stands alone.
    return f"item {place}" if cluster is None else f"cluster {cluster}"


def _left_out(columns: Columns) -> dict[str, int]:
    states = [STATES[state] for state in columns.states]
    found = Counter(state for state in states if state in _NOT_GIVEN)
    uncounted = sum(
        state not in _NOT_GIVEN and bool(np.isnan(right))
        for state, right in zip(states, columns.right, strict=True)
    )
    return {**found, **({"not counted by the headline": uncounted} if uncounted else {})}


def halves(clusters: Sequence[str], seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Part items into two halves that share no cluster, at random: places, ascending."""
    rank = shuffled(clusters, seed)
    n_first = (len(set(clusters)) + 1) // 2
    ranks = np.array([rank[each] for each in clusters], dtype=np.int64)
    return np.flatnonzero(ranks < n_first), np.flatnonzero(ranks >= n_first)


def folds(clusters: Sequence[str], n: int, seed: int) -> NDArray[np.int64]:
    """Give each item one of n folds, the same to all of a cluster: (n_items,) from 0."""
    rank = shuffled(clusters, seed)
    return np.array([rank[each] % n for each in clusters], dtype=np.int64)


def one_of_each(clusters: Sequence[str], seed: int) -> NDArray[np.int64]:
    """Draw one item of each cluster at random: places, ascending."""
    order = np.random.default_rng(seed).permutation(len(clusters))
    first: dict[str, int] = {}
    for place in order.tolist():
        first.setdefault(clusters[place], place)
    return np.array(sorted(first.values()), dtype=np.int64)


def shuffled(clusters: Sequence[str], seed: int) -> dict[str, int]:
    """Number clusters from 0 in random order; the order of the items has no influence."""
    names = sorted(set(clusters))
    order = np.random.default_rng(seed).permutation(len(names))
    return {names[place]: rank for rank, place in enumerate(order.tolist())}
