"""Pairs weighed by how much their mistakes matter."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import isfinite, nan
from typing import NamedTuple

import numpy as np

from medrag.alignment.pairs.pair import PreferencePair
from medrag.alignment.weighing.panel import Mistake, Panel, PanelScores
from medrag.alignment.weighing.weights import (
    LEAST,
    MOST,
    Floats,
    normalised_weights,
    shuffled_weights,
)

_PICTURE = "(a picture)"


@dataclass(frozen=True, slots=True)
class WeighingReport:
    """What weighing found and took.

    Attributes:
        scores: of each pair before they were normalised, in [0, 1]; nan where there is none, and
            the weight then is 1.
        n_unscored: of these.
        n_clipped: weights at either end of their range.
        n_agreed: pairs that the panel agreed on, of `n_judged`.
        mean_rounds: of asking for a pair; nan where no pair was judged.
        n_asked, n_unread, n_failed: see `PanelScores`.
        mean, variance: of the weights; nan without pairs.
    """

    scores: tuple[float, ...]
    n_unscored: int
    n_clipped: int
    n_judged: int
    n_agreed: int
    mean_rounds: float
    n_asked: int
    n_unread: int
    n_failed: int
    mean: float
    variance: float


class Weighed(NamedTuple):
    """Pairs with their weights, in the order given, and how these came about."""

    pairs: list[PreferencePair]
    report: WeighingReport


def weigh_pairs(
    pairs: Sequence[PreferencePair],
    panel: Panel | None = None,
    *,
    confidences: Mapping[str, float] | None = None,
    exact_mean: bool = False,
) -> Weighed:
    """Weigh pairs of two answers by a panel, and pairs of two pictures by a grounder's confidence.

    Each kind is normalised by itself (`normalised_weights`), since a panel and a grounder do not
    count on one scale.

    Args:
        panel: None leaves pairs of two answers at 1.
        confidences: that the lesion of a pair was found, by the pair's id; in [0, 1].
        exact_mean: see `normalised_weights`.

    Raises:
        ValueError: if a confidence lies outside of [0, 1].
        MedragError: as the panel raises it.

    Source:
        MMedPO, arXiv 2412.06141.
    """
    known = dict(confidences or {})
    for name, confidence in known.items():
        if not (0 <= confidence <= 1 or confidence != confidence):
            raise ValueError(f"the confidence of {name} must lie in [0, 1], got {confidence}")
    places = [place for place, pair in enumerate(pairs) if pair.chosen != pair.rejected]
    judged = PanelScores((), 0, 0, 0)
    if panel is not None:
        judged = panel.score([_mistake(pairs[place]) for place in places])
    scores = [known.get(pair.id, nan) if pair.chosen == pair.rejected else nan for pair in pairs]
    for place, relevance in zip(places, judged.relevances, strict=False):
        scores[place] = relevance.score
    weights = np.ones(len(pairs))
    for kind in (set(places), set(range(len(pairs))) - set(places)):
        members = sorted(kind)
        found = normalised_weights([scores[place] for place in members], exact_mean=exact_mean)
        weights[members] = found
    return Weighed(_with_weights(pairs, weights), _report(scores, weights, judged))


def normalised_pairs(
    pairs: Sequence[PreferencePair], *, exact_mean: bool = False
) -> list[PreferencePair]:
    """Bring the weights that pairs come with, such as those of MMedPO's files, about 1.

    See `normalised_weights`; pairs of answers and pairs of pictures are not told apart.
    """
    weights = normalised_weights([pair.weight for pair in pairs], exact_mean=exact_mean)
    return _with_weights(pairs, weights)


def shuffled_pairs(pairs: Sequence[PreferencePair], *, seed: int) -> list[PreferencePair]:
    """Deal the weights of pairs out anew within each family, see `shuffled_weights`."""
    weights = [pair.weight for pair in pairs]
    families = [pair.family for pair in pairs]
    return _with_weights(pairs, shuffled_weights(weights, seed=seed, groups=families))


def _with_weights(pairs: Sequence[PreferencePair], weights: Floats) -> list[PreferencePair]:
    return [replace(pair, weight=w) for pair, w in zip(pairs, weights.tolist(), strict=True)]


def _report(scores: Sequence[float], weights: Floats, judged: PanelScores) -> WeighingReport:
    rounds = [each.n_rounds for each in judged.relevances]
    return WeighingReport(
        scores=tuple(scores),
        n_unscored=sum(not isfinite(score) for score in scores),
        n_clipped=int(((weights <= LEAST) | (weights >= MOST)).sum()),
        n_judged=len(rounds),
        n_agreed=sum(each.agreed for each in judged.relevances),
        mean_rounds=sum(rounds) / len(rounds) if rounds else nan,
        n_asked=judged.n_asked,
        n_unread=judged.n_unread,
        n_failed=judged.n_failed,
        mean=float(weights.mean()) if len(weights) else nan,
        variance=float(weights.var()) if len(weights) else nan,
    )


def _mistake(pair: PreferencePair) -> Mistake:
    parts = (part if isinstance(part, str) else _PICTURE for part in pair.prompt)
    return Mistake("\n".join(parts), pair.chosen, pair.rejected)
