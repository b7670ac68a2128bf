"""Intervals over items and seeds: a model that was trained again is another model.

Of several seeds a measure is the mean of the seeds' own. In each resample clusters of items are
drawn, the same for all, and seeds, apart for each variant; what seeds add is widened so that its
variance is that of a mean of so many seeds, and not of the few that were drawn from.

Source:
    Items and seeds drawn at once: Owen, "The pigeonhole bootstrap", Annals of Applied Statistics
    1, 2007; the widening by n / (n - 1): Davison & Hinkley, Bootstrap Methods and their
    Application, 1997, section 3.8.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from medrag.alignment.comparing.records import Difference
from medrag.evaluation.scores import Estimate
from medrag.evaluation.statistics import Resamples, Statistic, mean_of, paired, ratio_of
from medrag.evaluation.statistics.clustered import percentiles

Floats = NDArray[np.float64]
_LEVEL = 0.95
_NAN = float("nan")


class SeedResamples:
    """Draws of clusters and seeds, the same clusters for every measure of the same items.

    Values of a measure are (n_seeds, n_items) in [0, 1], nan where an item does not count.
    """

    def __init__(
        self, clusters: Sequence[str | None], *, seed: int = 0, n_resamples: int = 2000
    ) -> None:
        self.clusters = clusters
        self.seed = seed
        self.resamples = Resamples(clusters, seed=seed, n_resamples=n_resamples)
        self.n_resamples = n_resamples

    def estimate(self, values: Floats) -> Estimate:
        """Give the mean over seeds of a measure, with its interval; nan if no item counts."""
        value = _mean(values)
        if len(values) == 1 or value in (0, 1):
            return self.resamples.estimate(mean_of(_over_seeds(values)))
        drawn = self._over_drawn_seeds(self._by_seed(values), 0)
        # What widens a share must not lead it out of its range.
        return self._estimated(value, np.clip(drawn, 0, 1), _counted(values))

    def difference(
        self, a: Floats, b: Floats, *, same_seeds: bool = False, n_permutations: int = 10_000
    ) -> Difference:
        """Compare two measures of the same items; b minus a.

        With one seed each, p is of the paired permutation test that `medrag eval compare` makes;
        with more, p is the share of resamples, shifted to no difference, that lie as far out.

        Args:
            same_seeds: whether seed i of a is seed i of b, as of two arms of one variant.

        Raises:
            ValueError: if `same_seeds` and the two differ in how many there are.
        """
        if same_seeds and len(a) != len(b):
            raise ValueError(f"the same seeds must be as many, got {len(a)} and {len(b)}")
        before, after = _mean(a), _mean(b)
        first, second = self._by_seed(a), self._by_seed(b)
        was = self._over_drawn_seeds(first, 1)
        if same_seeds:
            apart = self._over_drawn_seeds(second - first, 1)
        else:
            apart = self._over_drawn_seeds(second, 2) - was
        value, n = after - before, _counted(np.concatenate([a, b]))
        p = _NAN
        if value == value and max(len(a), len(b)) == 1:
            p = self._swapped(a[0], b[0], n_permutations)
        elif value == value:
            p = _shifted(apart, value)
        difference = self._estimated(value, np.clip(apart, -1, 1), n)
        return Difference(
            before, after, difference, self._relative(value, before, apart, was, n), p
        )

    def deviation(self, a: Floats, b: Floats) -> float:
        """Give the standard error of b minus a over items and seeds."""
        first = self._over_drawn_seeds(self._by_seed(a), 1)
        apart = self._over_drawn_seeds(self._by_seed(b), 2) - first
        known = apart[np.isfinite(apart)]
        return float(known.std(ddof=1)) if len(known) > 1 else _NAN

    def _estimated(self, value: float, drawn: Floats, n: int) -> Estimate:
        if value != value or self.resamples.n_clusters < 2:
            return Estimate(value, n=n)
        return Estimate(value, *percentiles(drawn, _LEVEL), n)

    def _relative(
        self, value: float, before: float, apart: Floats, was: Floats, n: int
    ) -> Estimate:
        """Give a difference as a share of what it begins at; no interval where all is lost."""
        if not before or not before + value:
            return Estimate(value / before if before else _NAN, n=n)
        shares = np.divide(apart, was, out=np.full_like(apart, _NAN), where=was > 0)
        # Whatever the widening does, no share falls by more than all of it.
        return self._estimated(value / before, np.maximum(shares, -1), n)

    def _by_seed(self, values: Floats) -> Floats:
        """Compute a measure of each seed in each resample: (n_resamples, n_seeds)."""
        drawn = self.resamples.values({str(k): _share(row) for k, row in enumerate(values)})
        return np.stack([drawn[str(k)] for k in range(len(values))], axis=1)

    def _over_drawn_seeds(self, by_seed: Floats, stream: int) -> Floats:
        """Average over seeds that are drawn again in each resample: (n_resamples,)."""
        n = by_seed.shape[1]
        mean: Floats = by_seed.mean(axis=1)
        if n == 1:
            return mean
        generator = np.random.default_rng([self.seed, stream])
        chosen = generator.integers(n, size=by_seed.shape)
        drawn = np.take_along_axis(by_seed, chosen, axis=1).mean(axis=1)
        widened: Floats = mean + np.sqrt(n / (n - 1)) * (drawn - mean)
        return widened

    def _swapped(self, a: Floats, b: Floats, n_permutations: int) -> float:
        # Intervals are drawn elsewhere: one resample is the least that can be asked for.
        found = paired(
            _share(a), _share(b), self.clusters,
            seed=self.seed, n_resamples=1, n_permutations=n_permutations,
        )  # fmt: skip
        return found.p


def _share(values: Floats) -> Statistic:
    """Make a measure of one seed a ratio, so that each side counts items of its own."""
    counts = ~np.isnan(values)
    return ratio_of(np.where(counts, values, 0.0), counts.astype(np.float64))


def _mean(values: Floats) -> float:
    """Average the means of the seeds; nan if one of them counts nothing."""
    if not values.size or (~np.isnan(values)).sum(axis=1).min(initial=1) == 0:
        return _NAN
    return float(np.nanmean(values, axis=1).mean())


def _over_seeds(values: Floats) -> Floats:
    """Average each item over the seeds that count it: (n_items,)."""
    counts = (~np.isnan(values)).sum(axis=0)
    total = np.nansum(values, axis=0)
    return np.where(counts > 0, total / np.maximum(counts, 1), np.nan)


def _counted(values: Floats) -> int:
    return int((~np.isnan(values)).any(axis=0).sum())


def _shifted(apart: Floats, value: float) -> float:
    """Give how often resamples about no difference lie as far out (Sakai, SIGIR 2006)."""
    known = apart[np.isfinite(apart)]
    n_extreme = int(np.sum(np.abs(known - value) >= abs(value) - 1e-12))
    return (1 + n_extreme) / (1 + len(known))
