"""Whether a head helps on pairs that it has not seen, by cross-validation over whole clusters."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from medrag.alignment.retriever.heads import PairVectors, put, train_heads, untrained_heads
from medrag.alignment.retriever.recall import chance, cluster_names, cosines, gain, ranks_of
from medrag.alignment.retriever.relations import part
from medrag.alignment.retriever.settings import RetrieverSettings
from medrag.alignment.retriever.splitting import folds, split
from medrag.encoding.projected import Heads
from medrag.evaluation.scores import Estimate
from medrag.evaluation.statistics import PairedDifference, Resamples, mean_of

Fit = Callable[[PairVectors], Heads]


@dataclass(frozen=True, slots=True)
class CrossValidated:
    """Recall@k of queries among the passages of their fold, over all folds.

    Attributes:
        recalls: by start, "trained", and further heads that were compared.
        gains: of "trained" and of the further heads over the start, with intervals over clusters.
        ranks: by head, (n,) of each query's best right passage within its fold.
        chance: recall@k of a blind draw.
        n_candidates: of a fold, on average.
    """

    k: int
    recalls: Mapping[str, Estimate]
    gains: Mapping[str, PairedDifference]
    ranks: Mapping[str, NDArray[np.int64]]
    chance: float
    n_candidates: float
    n_clusters: int


def cross_validate(
    pairs: PairVectors,
    *,
    settings: RetrieverSettings,
    rate: float,
    n_folds: int = 5,
    others: Mapping[str, Fit] | None = None,
) -> CrossValidated:
    """Train on all folds but one and look for the pairs of that one, in turn.

    Early stopping looks at clusters of the training folds alone. The start is the untrained head
    that training begins with, from the same seed.

    Args:
        settings: `held_out` is not used here; the folds are what is held out.
        rate: the highest learning rate.
        others: further ways to a head, by name, such as `ridge_heads`.

    Raises:
        ValueError: if there are fewer clusters than folds.
        MedragError: if too few clusters are left to stop by, or the loss is no number.
    """
    n = len(pairs.images)
    fits = {"start": _start(settings), "trained": trained_by(settings, rate), **(others or {})}
    ranks = {name: np.zeros(n, dtype=np.int64) for name in fits}
    blind, candidates = [], []
    for held in folds(pairs.known.clusters, n_folds, seed=settings.seed):
        rest = np.setdiff1d(np.arange(n, dtype=np.int64), held)
        training, test = rows_of(pairs, rest), rows_of(pairs, held)
        for name, fit in fits.items():
            scores = cosines(*put(fit(training), test.images, test.texts))
            ranks[name][held] = ranks_of(scores, test.known)
        blind += [chance(test.known, settings.k)] * len(held)
        candidates.append(len(np.unique(test.known.passages)))
    clusters = cluster_names(pairs.known)
    found = {name: each <= settings.k for name, each in ranks.items()}
    resamples = Resamples(clusters, seed=settings.seed)
    return CrossValidated(
        k=settings.k,
        recalls=resamples.estimates({name: mean_of(each) for name, each in found.items()}),
        gains={
            name: gain(found["start"], each, clusters, seed=settings.seed)
            for name, each in found.items()
            if name != "start"
        },
        ranks=ranks,
        chance=float(np.mean(blind)),
        n_candidates=float(np.mean(candidates)),
        n_clusters=len(set(clusters)),
    )


def trained_by(settings: RetrieverSettings, rate: float) -> Fit:
    """Give the way to a head that `cross_validate` takes with these settings."""

    def fit(training: PairVectors) -> Heads:
        clusters = training.known.clusters
        parts = split(clusters, held_out=0, stopping=settings.stopping, seed=settings.seed)
        stopping = rows_of(training, parts.stopping) if settings.stopping else None
        own = rows_of(training, parts.training)
        return train_heads(own, stopping, settings=settings, rate=rate).heads

    return fit


def rows_of(pairs: PairVectors, rows: NDArray[np.int64]) -> PairVectors:
    """Give some of the pairs, in the order of the rows."""
    return PairVectors(pairs.images[rows], pairs.texts[rows], part(pairs.known, rows))


def _start(settings: RetrieverSettings) -> Fit:
    def fit(training: PairVectors) -> Heads:
        return untrained_heads(training.images.shape[1], training.texts.shape[1], settings)

    return fit
