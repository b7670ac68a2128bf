"""Pairs for training, for early stopping and for the measures: split by cluster, never by row."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from medrag.errors import MedragError

Rows = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Split:
    """Rows of pairs, ascending. No cluster is in two of them."""

    training: Rows
    stopping: Rows
    held_out: Rows


def split(clusters: Rows, *, held_out: float, stopping: float, seed: int = 0) -> Split:
    """Draw whole clusters until each part has its share of the pairs, or a little more.

    Args:
        clusters: (n,) number of each pair's cluster; see `Relations`.
        held_out, stopping: shares of the pairs; 0 for none.

    Raises:
        MedragError: if there are too few clusters for every part to have one.
    """
    names, sizes = np.unique(clusters, return_counts=True)
    drawn = np.random.default_rng(seed).permutation(len(names))
    parts: list[list[int]] = [[], [], []]
    place = 0
    for share, chosen in ((held_out, parts[2]), (stopping, parts[1])):
        wanted = share * len(clusters)
        n = 0
        while wanted > n and place < len(drawn):
            chosen.append(int(names[drawn[place]]))
            n += int(sizes[drawn[place]])
            place += 1
    parts[0] = [int(name) for name in names[drawn[place:]]]
    shares = (1.0, stopping, held_out)
    lacking = [share > 0 and not chosen for share, chosen in zip(shares, parts, strict=True)]
    if any(lacking):
        raise MedragError(
            f"{len(clusters)} pairs of {len(names)} subjects, studies, groups or pictures cannot "
            "be parted for training and measuring; give pairs of more subjects, or a smaller share "
            "as held_out and stopping"
        )
    training, stop, out = (np.flatnonzero(np.isin(clusters, part)) for part in parts)
    return Split(training, stop, out)


def folds(clusters: Rows, n_folds: int, *, seed: int = 0) -> list[Rows]:
    """Divide pairs into folds of about equal size, whole clusters each, the largest dealt first.

    Returns:
        Ascending rows of each fold.

    Raises:
        ValueError: if there are fewer clusters than folds, or fewer than two folds.
    """
    names, sizes = np.unique(clusters, return_counts=True)
    if not 2 <= n_folds <= len(names):
        raise ValueError(f"n_folds must be 2 to {len(names)}, the clusters there are: {n_folds}")
    drawn = np.random.default_rng(seed).permutation(len(names))
    order = drawn[np.argsort(-sizes[drawn], kind="stable")]
    held: list[list[int]] = [[] for _ in range(n_folds)]
    filled = [0] * n_folds
    for place in order.tolist():
        least = filled.index(min(filled))
        held[least].append(int(names[place]))
        filled[least] += int(sizes[place])
    return [np.flatnonzero(np.isin(clusters, chosen)) for chosen in held]
