"""Parts of labelled pictures that share no group, each as like the whole as can be."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from medrag.evaluation.routing.labelled import LabelledPicture


def grouped_folds(
    pictures: Sequence[LabelledPicture], n: int, *, seed: int = 0
) -> NDArray[np.int64]:
    """Deal pictures out to folds, group by group, the largest first, ties at random.

    A group goes where its domains are rarest so far, so that each fold gets its share of each.

    Returns:
        (n_pictures,) in [0, n); equal for pictures of one group.

    Raises:
        ValueError: if n is below 2.
    """
    if n < 2:
        raise ValueError(f"folds must be at least 2, got {n}")
    domains = {name: at for at, name in enumerate(sorted({each.domain for each in pictures}))}
    names = sorted({each.group for each in pictures})
    places = {name: at for at, name in enumerate(names)}
    counts = np.zeros((len(names), len(domains)))
    for each in pictures:
        counts[places[each.group], domains[each.domain]] += 1
    shuffled = np.random.default_rng(seed).permutation(len(names))
    order = shuffled[np.argsort(-counts[shuffled].sum(axis=1), kind="stable")]
    shares = counts / np.maximum(counts.sum(axis=0), 1)
    held, fold_of = np.zeros((n, len(domains))), np.zeros(len(names), dtype=np.int64)
    for group in order:
        more = ((held + shares[group]) ** 2 - held**2).sum(axis=1)
        chosen = int(np.lexsort((np.arange(n), held.sum(axis=1), np.round(more, 12)))[0])
        held[chosen] += shares[group]
        fold_of[group] = chosen
    return np.array([fold_of[places[each.group]] for each in pictures], dtype=np.int64)
