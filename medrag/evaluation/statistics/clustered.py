"""Intervals of any measure by drawing clusters again: images or patients, not questions.

Questions about one picture stand and fall together, so that drawing them one by one makes an
interval too narrow. What the items of a cluster add is summed once; a resample is then a count for
each cluster, and all measures of a run share the counts.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from medrag.evaluation.scores import Estimate

# Counts drawn at a time: a block of them stays in the cache of a processor.
_BLOCK = 1 << 19
# Resamples drawn at a time at least: fewer would read the sums too often.
_ROWS = 8
# Sums or weights computed at a time.
_VALUES = 1 << 22
# Counts kept for the next measure, one byte each; beyond that they are drawn anew.
_KEPT = 1 << 26


@dataclass(frozen=True, slots=True)
class Statistic:
    """A measure that depends on sums over items: a mean, a share, F1, corpus BLEU.

    Attributes:
        sums: (n_items, s), what each item adds; a row with a nan does not count.
        value: (..., s) sums to (...) values; nan where undefined. A division by zero warns of
            nothing while it is called.
        is_share: whether every item adds 0 or 1, so that the value is a share of the items.
    """

    sums: NDArray[np.float64]
    value: Callable[[NDArray[np.float64]], NDArray[np.float64]]
    is_share: bool = False


@dataclass(frozen=True, slots=True)
class WeightedStatistic:
    """A measure that needs all items at once, such as AUROC or AURC.

    Attributes:
        value: (B, n_items) weights to (B,) values, nan where undefined. The weights are whole
            numbers: how often each item stands in a resample.
        counted: (n_items,) which items count, the others always weigh 0; None if all do.
    """

    value: Callable[[NDArray[np.float64]], NDArray[np.float64]]
    counted: NDArray[np.bool_] | None = None


def mean_of(values: ArrayLike) -> Statistic:
    """Make the mean of (n_items,) values a statistic; an item of value nan does not count."""
    given = np.asarray(values, dtype=np.float64)
    made = ratio_of(given, np.ones_like(given))
    return replace(made, is_share=bool(np.isin(given[~np.isnan(given)], (0, 1)).all()))


def ratio_of(numerators: ArrayLike, denominators: ArrayLike) -> Statistic:
    """Make the sum of (n_items,) numerators over that of the denominators a statistic.

    An item does not count if either is nan; the ratio is nan where the denominators sum to 0.

    Raises:
        ValueError: if the two are not equally long rows.
    """
    above = np.asarray(numerators, dtype=np.float64)
    below = np.asarray(denominators, dtype=np.float64)
    if above.ndim != 1 or above.shape != below.shape:
        raise ValueError(f"expected two equally long rows, got shapes {above.shape}, {below.shape}")
    return Statistic(np.stack([above, below], axis=1), _ratio)


def estimate(
    statistic: Statistic | WeightedStatistic,
    clusters: Sequence[str | None],
    *,
    seed: int = 0,
    n_resamples: int = 2000,
    level: float = 0.95,
) -> Estimate:
    """Give a measure with its interval; see `Resamples`, which serves many measures faster."""
    resamples = Resamples(clusters, seed=seed, n_resamples=n_resamples, level=level)
    return resamples.estimate(statistic)


class Resamples:
    """Draws of clusters with replacement, the same for every measure of the same items.

    A cluster of None is the item's own. Named clusters are drawn in the order of their names, so
    that the order of the items does not matter; items without one are told apart by their place.

    Source:
        Percentile interval: Efron & Tibshirani, An Introduction to the Bootstrap, 1993, section
        13.3; whole clusters are drawn: Davison & Hinkley, Bootstrap Methods and their Application,
        1997. With few clusters such intervals are too narrow, and where all items agree the
        interval is a point.
    """

    def __init__(
        self,
        clusters: Sequence[str | None],
        *,
        seed: int = 0,
        n_resamples: int = 2000,
        level: float = 0.95,
    ) -> None:
        if n_resamples < 1:
            raise ValueError(f"n_resamples must be at least 1, got {n_resamples}")
        if not 0 < level < 1:
            raise ValueError(f"level must lie between 0 and 1, got {level}")
        self.codes = cluster_codes(clusters)
        self.n_clusters = int(self.codes.max()) + 1 if len(self.codes) else 0
        self.seed = seed
        self.n_resamples = n_resamples
        self.level = level
        self._kept: NDArray[np.uint8] | None = None

    def estimate(self, statistic: Statistic | WeightedStatistic) -> Estimate:
        """Give the measure of all items and its interval.

        Returns:
            No interval (nan) if the measure is undefined or fewer than two clusters count.
            Resamples in which the measure is undefined are left out.

        Raises:
            ValueError: if the statistic is not of as many items as there are clusters given.
        """
        return self.estimates({"": statistic})[""]

    def estimates(
        self, statistics: Mapping[str, Statistic | WeightedStatistic]
    ) -> dict[str, Estimate]:
        """Give several measures at once, which is faster than one by one; see `estimate`."""
        drawn = self.values(statistics)
        return {
            name: self._estimate(statistic, drawn[name]) for name, statistic in statistics.items()
        }

    def values(
        self, statistics: Mapping[str, Statistic | WeightedStatistic]
    ) -> dict[str, NDArray[np.float64]]:
        """Compute measures in each resample: (n_resamples,) values by name.

        Raises:
            ValueError: if a statistic is not of as many items as there are clusters given.
        """
        values = {name: np.full(self.n_resamples, np.nan) for name in statistics}
        if not self.n_clusters:
            return values
        computed = self._of_counts(statistics)
        with np.errstate(divide="ignore", invalid="ignore"):
            for start, counts in self._blocks(self._at_once(statistics)):
                for name, block in computed(counts).items():
                    values[name][start : start + len(counts)] = block
        return values

    def _of_counts(
        self, statistics: Mapping[str, Statistic | WeightedStatistic]
    ) -> Callable[[NDArray[np.float64]], dict[str, NDArray[np.float64]]]:
        """Make measures a function of (b, n_clusters) counts."""
        summed = {n: one for n, one in statistics.items() if isinstance(one, Statistic)}
        weighted = {n: one for n, one in statistics.items() if isinstance(one, WeightedStatistic)}
        counted = {n: counted_items(one, len(self.codes)) for n, one in statistics.items()}
        parts = [np.where(counted[n][:, None], one.sums, 0) for n, one in summed.items()]
        ends = np.cumsum([part.shape[1] for part in parts])
        # Side by side, so that the counts are read once for all measures.
        sums = cluster_sums(np.concatenate(parts, axis=1), self.codes).T.copy() if parts else None

        def computed(counts: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
            values = {}
            if sums is not None:
                totals = np.split((sums @ counts.T).T, ends[:-1], axis=1)
                named = zip(summed.items(), totals, strict=True)
                values = {n: one.value(part) for (n, one), part in named}
            for n, whole in weighted.items():
                values[n] = whole.value(counts[:, self.codes] * counted[n])
            return values

        return computed

    def _estimate(
        self, statistic: Statistic | WeightedStatistic, drawn: NDArray[np.float64]
    ) -> Estimate:
        counted = counted_items(statistic, len(self.codes))
        n = int(counted.sum())
        value = float("nan")
        if n:
            with np.errstate(divide="ignore", invalid="ignore"):
                once = np.ones((1, self.n_clusters))
                value = float(self._of_counts({"": statistic})(once)[""][0])
        interval = (float("nan"), float("nan"))
        n_clusters = len(np.unique(self.codes[counted]))
        if np.isfinite(value) and n_clusters > 1:
            interval = percentiles(drawn, self.level)
            if isinstance(statistic, Statistic) and statistic.is_share and value in (0, 1):
                interval = _agreeing(value, n_clusters, self.level)
        return Estimate(value, *interval, n)

    def _at_once(self, statistics: Mapping[str, Statistic | WeightedStatistic]) -> int:
        """Give how many resamples to compute at a time, so that memory stays bounded."""
        width: int = sum(
            one.sums.shape[1] for one in statistics.values() if isinstance(one, Statistic)
        )
        if any(isinstance(one, WeightedStatistic) for one in statistics.values()):
            width += len(self.codes)
        wanted = max(_BLOCK // self.n_clusters, _ROWS)
        return max(min(wanted, _VALUES // max(width, 1)), 1)

    def _blocks(self, at_once: int) -> Iterator[tuple[int, NDArray[np.float64]]]:
        """Give (b, n_clusters) counts of the resamples, and which resample is the first of them."""
        if self._kept is None and self.n_resamples * self.n_clusters <= _KEPT:
            drawn_at_once = max(_BLOCK // self.n_clusters, 1)
            self._kept = np.concatenate([block for _, block in self._drawn(drawn_at_once)])
        kept = self._kept
        blocks = self._drawn(at_once) if kept is None else _split(kept, at_once)
        for start, block in blocks:
            yield start, block.astype(np.float64)

    def _drawn(self, at_once: int) -> Iterator[tuple[int, NDArray[np.uint8]]]:
        generator = np.random.default_rng(self.seed)
        n = self.n_clusters
        for start in range(0, self.n_resamples, at_once):
            b = min(at_once, self.n_resamples - start)
            drawn = generator.integers(n, size=(b, n)) + np.arange(b)[:, None] * n
            counts = np.bincount(drawn.ravel(), minlength=b * n).reshape(b, n)
            # A byte is enough: with more than 255 clusters, one that is drawn 256 times among n
            # draws has a probability below 1 / 256!.
            yield start, counts.astype(np.uint8)


def cluster_codes(clusters: Sequence[str | None]) -> NDArray[np.int64]:
    """Number the clusters: (n_items,) from 0, named ones first and by name."""
    names = sorted({cluster for cluster in clusters if cluster is not None})
    numbers = {name: number for number, name in enumerate(names)}
    codes = np.empty(len(clusters), dtype=np.int64)
    n_alone = 0
    for row, cluster in enumerate(clusters):
        codes[row] = len(names) + n_alone if cluster is None else numbers[cluster]
        n_alone += cluster is None
    return codes


def cluster_sums(sums: NDArray[np.float64], codes: NDArray[np.int64]) -> NDArray[np.float64]:
    """Add up (n_items, s) rows by cluster: (n_clusters, s); see `cluster_codes`."""
    columns = [np.bincount(codes, weights=column) for column in sums.T]
    return np.stack(columns, axis=1) if columns else np.zeros((int(codes.max()) + 1, 0))


def counted_items(statistic: Statistic | WeightedStatistic, n_items: int) -> NDArray[np.bool_]:
    """Tell which items a statistic counts: (n_items,).

    Raises:
        ValueError: if the statistic is of another number of items.
    """
    rows: NDArray[np.bool_]
    if isinstance(statistic, Statistic):
        rows = np.logical_not(np.isnan(statistic.sums).any(axis=1))
    elif statistic.counted is None:
        rows = np.ones(n_items, dtype=bool)
    else:
        rows = np.asarray(statistic.counted, dtype=bool)
    if rows.shape != (n_items,):
        raise ValueError(f"the statistic is of {len(rows)} items, but {n_items} clusters are given")
    return rows


def percentiles(values: NDArray[np.float64], level: float) -> tuple[float, float]:
    """Give the interval that holds a share of the values that are finite; nan if none is."""
    known = values[np.isfinite(values)]
    if not len(known):
        return float("nan"), float("nan")
    low, high = np.quantile(known, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def _split(kept: NDArray[np.uint8], at_once: int) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    for start in range(0, len(kept), at_once):
        yield start, kept[start : start + at_once]


def _agreeing(value: float, n: int, level: float) -> tuple[float, float]:
    """Give the exact interval of a share of 0 or 1 among n."""
    reach = ((1 - level) / 2) ** (1 / n)
    return (reach, 1.0) if value else (0.0, 1 - reach)


def _ratio(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    below = np.where(sums[..., 1] == 0, np.nan, sums[..., 1])
    ratio: NDArray[np.float64] = sums[..., 0] / below
    return ratio
