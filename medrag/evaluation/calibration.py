"""Does confidence tell right from wrong: calibration, selective answering, conformal sets.

`confidence` is in [0, 1], `right` in [0, 1] (1 for a right answer; a soft score is allowed), both
(n_items,); an item with a nan in either does not count. Items of equal confidence cannot be told
apart: where an order matters, they count as if in random order, in expectation.
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from medrag.evaluation.scores import Curves
from medrag.evaluation.statistics import Statistic, WeightedStatistic, mean_of

Floats = NDArray[np.float64]
Binning = Literal["width", "mass"]


class Bin(NamedTuple):
    """Items of like confidence: its mean, the share of right answers, and how many they are."""

    confidence: float
    right: float
    n: int


class RiskCoverage(NamedTuple):
    """A curve from the most confident items on; both equally long.

    Attributes:
        coverage: share of the items that are answered, rising to 1.
        risk: share of wrong answers among them.
    """

    coverage: tuple[float, ...]
    risk: tuple[float, ...]


def ece(
    confidence: ArrayLike, right: ArrayLike, *, n_bins: int = 10, binning: Binning = "width"
) -> Statistic:
    """Make the expected calibration error a statistic, in [0, 1], lower is better.

    Gaps count whatever their sign, so chance adds to them: of few items, and in resamples, the
    error is too high on average.

    Args:
        n_bins: at least 1.
        binning: "width": bins (0, 0.1], (0.1, 0.2] and so on, 0 in the first; "mass": bins of as
            many items each as can be without parting items of equal confidence. Their bounds are
            of all items given and stay in a resample.

    Raises:
        ValueError: if an argument is out of range or the rows differ in length.

    Source:
        Guo et al., "On calibration of modern neural networks", ICML 2017; equal mass: Nixon et
        al., "Measuring calibration in deep learning", CVPR workshops 2019.
    """
    given, shares = _checked(confidence, right)
    codes = _bins(given, n_bins, binning)
    sums = np.zeros((len(given), 2 * n_bins))
    rows = np.arange(len(given))
    sums[rows, codes] = shares - given
    sums[rows, n_bins + codes] = 1
    sums[np.isnan(given) | np.isnan(shares)] = np.nan

    def value(totals: Floats) -> Floats:
        n = totals[..., n_bins:].sum(axis=-1)
        gap = np.abs(totals[..., :n_bins]).sum(axis=-1)
        return np.where(n > 0, gap / np.where(n > 0, n, 1), np.nan)

    return Statistic(sums, value)


def brier(confidence: ArrayLike, right: ArrayLike) -> Statistic:
    """Make the mean squared distance of confidence and rightness a statistic; lower is better.

    Raises:
        ValueError: if an argument is out of range or the rows differ in length.

    Source:
        Brier, Monthly Weather Review 1950, for one event: the answer is right.
    """
    given, shares = _checked(confidence, right)
    return mean_of((given - shares) ** 2)


def reliability(
    confidence: ArrayLike, right: ArrayLike, *, n_bins: int = 10, binning: Binning = "width"
) -> tuple[Bin, ...]:
    """List the bins that hold an item, by confidence; see `ece`."""
    given, shares = _checked(confidence, right)
    counted = ~np.isnan(given) & ~np.isnan(shares)
    codes = _bins(given, n_bins, binning)
    found = []
    for code in range(n_bins):
        inside = counted & (codes == code)
        if inside.any():
            means = float(given[inside].mean()), float(shares[inside].mean())
            found.append(Bin(*means, int(inside.sum())))
    return tuple(found)


def aurc(confidence: ArrayLike, right: ArrayLike) -> WeightedStatistic:
    """Make the area under the risk-coverage curve a statistic; lower is better.

    The mean, over k = 1 to n, of the share of wrong answers among the k most confident.

    Raises:
        ValueError: if an argument is out of range or the rows differ in length.

    Source:
        Geifman, Uziel & El-Yaniv, "Bias-reduced uncertainty estimation", ICLR 2019.
    """
    ranked = _Ranked(*_checked(confidence, right))
    return WeightedStatistic(ranked.area, ranked.counted)


def excess_aurc(confidence: ArrayLike, right: ArrayLike) -> WeightedStatistic:
    """Make AURC minus that of the best order of the same answers a statistic (E-AURC).

    0 if every right answer is more confident than every wrong one.

    Raises:
        ValueError: if an argument is out of range or the rows differ in length.

    Source:
        As `aurc`; the best order is computed exactly, not by the logarithm of the paper.
    """
    given, shares = _checked(confidence, right)
    ranked = _Ranked(given, shares)
    best = _Ranked(np.where(np.isnan(given), np.nan, shares), shares)
    return WeightedStatistic(
        lambda weights: ranked.area(weights) - best.area(weights), ranked.counted
    )


def selective_accuracy(
    confidence: ArrayLike, right: ArrayLike, *, coverage: float = 0.8
) -> WeightedStatistic:
    """Make the share of right answers among the most confident a statistic.

    Args:
        coverage: the share of items that are answered, in (0, 1]; rounded up to a whole item.

    Raises:
        ValueError: if an argument is out of range or the rows differ in length.
    """
    if not 0 < coverage <= 1:
        raise ValueError(f"coverage must lie in (0, 1], got {coverage}")
    ranked = _Ranked(*_checked(confidence, right))
    return WeightedStatistic(lambda weights: 1 - ranked.risk(weights, coverage), ranked.counted)


def risk_coverage(confidence: ArrayLike, right: ArrayLike, *, n_points: int = 200) -> RiskCoverage:
    """Compute the risk-coverage curve; empty if no item counts.

    Args:
        n_points: coverages of the curve at most, at least 2; always those of the ends. A run of
            equal confidence has its point at its end, for no threshold lies within.

    Raises:
        ValueError: if an argument is out of range or the rows differ in length.

    Source:
        El-Yaniv & Wiener, JMLR 2010.
    """
    if n_points < 2:
        raise ValueError(f"n_points must be at least 2, got {n_points}")
    coverage, risk = _Ranked(*_checked(confidence, right)).curve()
    if len(coverage) > n_points:
        kept = np.unique(np.linspace(0, len(coverage) - 1, n_points).round().astype(int))
        coverage, risk = coverage[kept], risk[kept]
    return RiskCoverage(tuple(coverage.tolist()), tuple(risk.tolist()))


def curves(arm: str, confidence: ArrayLike, right: ArrayLike, *, n_bins: int = 10) -> Curves:
    """Compute the risk-coverage curve and the bins of a calibration plot of an arm."""
    curve = risk_coverage(confidence, right)
    return Curves(arm, curve.coverage, curve.risk, reliability(confidence, right, n_bins=n_bins))


def option_probabilities(option_scores: Sequence[Sequence[float]]) -> Floats:
    """Turn log-probabilities of options into probabilities that sum to 1 over the options.

    Args:
        option_scores: of each item, one score for each of its options; empty where none is known.

    Returns:
        (n_items, most options of an item); nan behind the last option of an item.
    """
    n_options = max((len(scores) for scores in option_scores), default=0)
    padded = np.full((len(option_scores), n_options), np.nan)
    for row, scores in enumerate(option_scores):
        if len(scores):
            shifted = np.exp(np.asarray(scores, dtype=np.float64) - max(scores))
            padded[row, : len(scores)] = shifted / shifted.sum()
    return padded


def conformal_threshold(probabilities: ArrayLike, right: ArrayLike, *, alpha: float = 0.1) -> float:
    """Find how unlikely an option may be and still belong to the set of answers.

    The ceil((n + 1)(1 - alpha))-th smallest of 1 - p(right option) over n calibration items. A set
    of all options with 1 - p at most this holds the right one with probability 1 - alpha or more,
    if calibration and test items are exchangeable: questions of one patient must not be in both.

    Args:
        probabilities: (n_items, n_options); nan where an item has no such option.
        right: (n_items,) the right option, from 0. An item of which the right option has no
            probability does not count.
        alpha: the share of sets that may miss, in (0, 1).

    Returns:
        In [0, 1]; inf, and so sets of all options, if there are too few calibration items.

    Raises:
        ValueError: if alpha is out of range or `right` names no column.

    Source:
        Sadinle, Lei & Wasserman, JASA 2019 (LAC); Angelopoulos & Bates, "A gentle introduction to
        conformal prediction", 2021.
    """
    if not 0 < alpha < 1:
        raise ValueError(f"alpha must lie between 0 and 1, got {alpha}")
    chances = np.asarray(probabilities, dtype=np.float64)
    misfit = 1 - chances[np.arange(len(chances)), _right_options(chances, right)]
    misfit = np.sort(misfit[~np.isnan(misfit)])
    # 0.95 * 20 may be 19.000000000000004 to a computer, and 20 rounded up.
    rank = int(np.ceil((len(misfit) + 1) * (1 - alpha) - 1e-9))
    return float(misfit[rank - 1]) if rank <= len(misfit) else float("inf")


def conformal_sets(probabilities: ArrayLike, threshold: float) -> NDArray[np.bool_]:
    """Tell which options belong to the set of each item: (n_items, n_options)."""
    chances = np.asarray(probabilities, dtype=np.float64)
    inside: NDArray[np.bool_] = ~np.isnan(chances) & (1 - np.nan_to_num(chances) <= threshold)
    return inside


def conformal_measures(
    probabilities: ArrayLike, right: ArrayLike, threshold: float
) -> dict[str, Statistic]:
    """Compute "conformal_coverage" and "conformal_size" on items that set no threshold.

    Items without probabilities do not count.

    Raises:
        ValueError: if `right` names no column.
    """
    chances = np.asarray(probabilities, dtype=np.float64)
    sets = conformal_sets(chances, threshold)
    known = ~np.isnan(chances).all(axis=1)
    held = sets[np.arange(len(sets)), _right_options(chances, right)]
    return {
        "conformal_coverage": mean_of(np.where(known, held, np.nan)),
        "conformal_size": mean_of(np.where(known, sets.sum(axis=1), np.nan)),
    }


def _right_options(probabilities: Floats, right: ArrayLike) -> NDArray[np.int64]:
    options = np.asarray(right, dtype=np.int64)
    if probabilities.ndim != 2 or options.shape != probabilities.shape[:1]:
        raise ValueError(
            "expected (n_items, n_options) probabilities and (n_items,) right options, got "
            f"{probabilities.shape} and {options.shape}"
        )
    outside = options[(options < 0) | (options >= probabilities.shape[1])]
    if len(outside):
        raise ValueError(f"there is no option {outside[0]}; there are {probabilities.shape[1]}")
    return options


class _Ranked:
    """Items from the most confident on, in groups of equal confidence."""

    def __init__(self, confidence: Floats, right: Floats) -> None:
        self.counted = ~np.isnan(confidence) & ~np.isnan(right)
        items = np.flatnonzero(self.counted)
        self.order = items[np.argsort(-confidence[items], kind="stable")]
        sorted_confidence = confidence[self.order]
        self.starts = np.flatnonzero(np.diff(sorted_confidence, prepend=np.inf) != 0)
        self.wrong = 1 - right[self.order]

    def area(self, weights: Floats) -> Floats:
        """Average the risk over all coverages: (B, n_items) whole weights to (B,)."""
        if not len(self.order):
            return np.full(len(weights), np.nan)
        n, wrong = self._groups(weights)
        before = np.cumsum(n, axis=1) - n
        wrong_before = np.cumsum(wrong, axis=1) - wrong
        rate = wrong / np.where(n > 0, n, 1)
        # Among equals the k-th has an expected risk of (wrong_before + j rate) / (before + j):
        # rate plus what those before differ from it by, over before + j, a harmonic sum.
        total = n.sum(axis=1)
        harmonic = np.concatenate([[0.0], np.cumsum(1 / np.arange(1, total.max() + 1))])
        first, last = before.astype(np.int64), (before + n).astype(np.int64)
        spread = (wrong_before - before * rate) * (harmonic[last] - harmonic[first])
        summed = (n * rate + spread).sum(axis=1)
        return np.where(total > 0, summed / np.where(total > 0, total, 1), np.nan)

    def risk(self, weights: Floats, coverage: float) -> Floats:
        """Compute the risk at a coverage: (B, n_items) weights to (B,)."""
        if not len(self.order):
            return np.full(len(weights), np.nan)
        n, wrong = self._groups(weights)
        ends = np.cumsum(n, axis=1)
        total = ends[:, -1]
        # 0.8 of 10 items is 8.000000000000002 to a computer, and 9 rounded up.
        wanted = np.ceil(total * coverage - 1e-9)
        taken = np.clip(wanted[:, None] - (ends - n), 0, n)
        kept = (taken * wrong / np.where(n > 0, n, 1)).sum(axis=1)
        return np.where(total > 0, kept / np.where(total > 0, wanted, 1), np.nan)

    def curve(self) -> tuple[Floats, Floats]:
        """Compute coverage and risk at the end of each group."""
        if not len(self.order):
            return np.zeros(0), np.zeros(0)
        n, wrong = self._groups(np.ones((1, len(self.counted))))
        ends = np.cumsum(n[0])
        return ends / ends[-1], np.cumsum(wrong[0]) / ends

    def _groups(self, weights: Floats) -> tuple[Floats, Floats]:
        drawn = weights[:, self.order]
        n = np.add.reduceat(drawn, self.starts, axis=1)
        return n, np.add.reduceat(drawn * self.wrong, self.starts, axis=1)


def _bins(confidence: Floats, n_bins: int, binning: Binning) -> NDArray[np.int64]:
    if n_bins < 1:
        raise ValueError(f"n_bins must be at least 1, got {n_bins}")
    known = np.sort(confidence[~np.isnan(confidence)])
    if binning == "width":
        # The bounds as fractions, so that 0.3 is in (0.2, 0.3] however it is computed.
        upper = np.arange(1, n_bins) / n_bins
    elif binning == "mass":
        ends = np.ceil(len(known) * np.arange(1, n_bins) / n_bins - 1e-9).astype(int)
        upper = known[np.maximum(ends - 1, 0)] if len(known) else np.zeros(n_bins - 1)
    else:
        raise ValueError(f'binning must be "width" or "mass", got {binning!r}')
    codes: NDArray[np.int64] = np.searchsorted(upper, np.nan_to_num(confidence), side="left")
    return codes


def _checked(confidence: ArrayLike, right: ArrayLike) -> tuple[Floats, Floats]:
    given = np.asarray(confidence, dtype=np.float64)
    shares = np.asarray(right, dtype=np.float64)
    if given.ndim != 1 or given.shape != shares.shape:
        raise ValueError(f"expected two equally long rows, got {given.shape} and {shares.shape}")
    for name, row in (("confidence", given), ("right", shares)):
        outside = row[(row < 0) | (row > 1)]
        if len(outside):
            raise ValueError(f"{name} must lie in [0, 1], got {outside[0]}")
    return given, shares
