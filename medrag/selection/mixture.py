"""Keep the hits whose scores belong to the upper of two groups."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import log, pi

import numpy as np
from numpy.typing import ArrayLike, NDArray

from medrag.records import Hit, Question, Selection
from medrag.selection.cutting import bounded, check_bounds
from medrag.selection.parting import naming, parted_by_score
from medrag.selection.scales import FUSED, by_score, scores_of

Floats = NDArray[np.float64]
# Below this many scores two groups cannot be told from one.
_FEWEST = 4
_FIRST_STEPS, _STEPS = 5, 200
_CONVERGED = 1e-5
_CLOSE = 1e-9
# The variance within groups, as a share of that of all scores: equal scores have none.
_LEAST_VARIANCE = 1e-4


@dataclass(frozen=True, slots=True)
class Mixture:
    """Two normal distributions of one variance, fitted to scores.

    Attributes:
        upper: (n,) the probability of each score to be of the upper one; rises with the score.
        means: of the lower and the upper.
        gain: by how much the Bayesian information criterion prefers two groups to one; None where
            it was not fitted, as there are too few scores or they are all equal.
    """

    upper: Floats
    means: tuple[float, float]
    gain: float | None


class MixtureSelector:
    """Keep the hits that are rather of the upper of two groups of scores.

    Scores need no zero and no unit: the same is kept of `a + b * score` for any b above 0. Where
    two groups explain the scores no better than one, there are fewer than four, or all are equal,
    nothing is cut beyond k_max, and the reason says so.

    Args:
        score: "fused", or a channel or reranker of `Hit.parts`; hits without it are of the lower.
        k_min, k_max: hits to keep at least and at most.

    Raises:
        ValueError: if a number is out of range.

    Source:
        Dempster, Laird & Rubin, "Maximum likelihood from incomplete data via the EM algorithm",
        1977; relevant and other documents as two distributions of scores: Manmatha, Rath & Feng,
        SIGIR 2001. One variance for both keeps the probability rising with the score.
    """

    def __init__(self, *, score: str = FUSED, k_min: int = 1, k_max: int = 10) -> None:
        check_bounds(k_min, k_max)
        self.score = score
        self.k_min = k_min
        self.k_max = k_max

    def select(self, question: Question, ranking: Sequence[Hit]) -> Selection:
        """Keep the upper group.

        Raises:
            RecipeError: if no hit has such a score; names the question.
        """
        with naming(question, "mixture"):
            scores = scores_of(ranking, self.score)
        fitted = two_groups(scores[by_score(scores)])
        apart = fitted.gain is not None and fitted.gain > 0
        keeps = int((fitted.upper > 0.5).sum()) if apart else len(ranking)
        cut = bounded(keeps, len(ranking), k_min=self.k_min, k_max=self.k_max)
        return parted_by_score(ranking, scores, cut, _told(fitted, keeps, self.score))


def two_groups(scores: ArrayLike) -> Mixture:
    """Fit two groups to (n,) scores, in any order, by expectation and maximisation.

    It makes some steps from every way to split the sorted scores in two, and goes on from the
    likeliest.
    """
    given = np.asarray(scores, dtype=np.float64)
    spread = float(given.std()) if len(given) else 0.0
    if len(given) < _FEWEST or not spread > _CLOSE * float(np.abs(given).max()):
        return Mixture(np.ones(len(given)), (float("nan"), float("nan")), None)
    centre = float(given.mean())
    scaled = (given - centre) / spread
    splits = (scaled >= np.unique(scaled)[1:, None]).astype(np.float64)
    likelihoods, uppers, _ = _fitted(scaled, splits, _FIRST_STEPS)
    best = int(likelihoods.argmax())
    (likelihood,), (upper,), (means,) = _fitted(scaled, uppers[best : best + 1], _STEPS)
    alone = -0.5 * len(given) * (log(2 * pi) + 1)
    # Four numbers of two groups against two of one.
    gain = 2 * (likelihood - alone) - (4 - 2) * log(len(given))
    low, high = (centre + spread * float(mean) for mean in means)
    return Mixture(upper, (low, high), float(gain))


def _fitted(scaled: Floats, upper: Floats, steps: int) -> tuple[Floats, Floats, Floats]:
    """Fit from several beginnings at once, in so many steps at most.

    Args:
        scaled: (n,) scores of mean 0 and variance 1.
        upper: (b, n) probabilities of the upper group to begin with.

    Returns:
        (b,) log-likelihoods, (b, n) probabilities of the upper group, (b, 2) means.
    """
    likelihood = np.full(len(upper), -np.inf)
    for _ in range(steps):
        share = np.clip(upper.mean(axis=1, keepdims=True), _CLOSE, 1 - _CLOSE)
        weights = np.stack([1 - upper, upper])
        totals = np.maximum(weights.sum(axis=2, keepdims=True), _CLOSE)
        means = (weights * scaled).sum(axis=2, keepdims=True) / totals
        squares = (scaled - means) ** 2
        variance = np.maximum((weights * squares).sum(axis=0).mean(axis=1), _LEAST_VARIANCE)
        below, above = np.log([1 - share, share]) - squares / (2 * variance[:, None])
        both = np.logaddexp(above, below)
        upper = np.exp(above - both)
        before, likelihood = likelihood, (both - 0.5 * np.log(2 * pi * variance)[:, None]).sum(1)
        if (likelihood - before < _CONVERGED).all():
            break
    # One variance for both: the group of the higher mean is the upper one, whatever it began as.
    turned = means[0, :, 0] > means[1, :, 0]
    upper = np.where(turned[:, None], 1 - upper, upper)
    return likelihood, upper, np.sort(means[:, :, 0].T, axis=1)


def _told(fitted: Mixture, keeps: int, score: str) -> str:
    if fitted.gain is None:
        return f"{score} scores are too few or too equal for two groups"
    if fitted.gain <= 0:
        return f"{score} scores are no two groups (information criterion {fitted.gain:.2f})"
    low, high = fitted.means
    return f"{keeps} {score} scores are of the group around {high:.3g}, not {low:.3g}"
