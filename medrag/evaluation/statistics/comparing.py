"""Whether two runs on the same items differ: by resampling, by swapping, by counting."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from medrag.evaluation.statistics.clustered import (
    Resamples,
    Statistic,
    cluster_sums,
    counted_items,
    percentiles,
)
from medrag.evaluation.statistics.means import Interval

# Below this many clusters that differ, all ways to swap them are tried: 2^14 at most.
_ENUMERATED = 14
# Swaps drawn at a time.
_BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class PairedDifference:
    """How b does beside a, on the items that both count.

    Attributes:
        a, b: the measure of each run.
        difference: b minus a; nan if one of the two is undefined.
        interval: of the difference, by bootstrap over clusters; nan below two clusters.
        standard_error: of the difference, likewise.
        p: two-sided; how often a difference this large arises if swapping a and b changes nothing.
        n: items that both count.
        n_clusters: clusters of these.
        exact: whether all ways to swap were tried, rather than some drawn.
    """

    a: float
    b: float
    difference: float
    interval: Interval
    standard_error: float
    p: float
    n: int
    n_clusters: int
    exact: bool


def paired(
    a: Statistic,
    b: Statistic,
    clusters: Sequence[str | None],
    *,
    seed: int = 0,
    n_resamples: int = 2000,
    n_permutations: int = 10_000,
    level: float = 0.95,
) -> PairedDifference:
    """Compare two runs by a measure of the same items.

    The two statistics must be the same measure, as swapping puts what one run adds into the other.
    Whole clusters are swapped, as their items are not independent. A swap that makes the measure
    undefined counts as one as extreme. Two runs that add the same everywhere have p = 1.

    Args:
        clusters: of each item; None where an item stands alone.
        n_permutations: how many swaps to draw; all are tried if at most 14 clusters differ.

    Raises:
        ValueError: if a and b are not of the same shape, or of other items than the clusters.

    Source:
        Randomisation test: Noreen, Computer-Intensive Methods for Testing Hypotheses, 1989; one is
        added on both sides: Phipson & Smyth, Statistical Applications in Genetics and Molecular
        Biology 9, 2010.
    """
    if a.sums.shape != b.sums.shape:
        raise ValueError(f"a and b must be of one shape, got {a.sums.shape} and {b.sums.shape}")
    if n_permutations < 1:
        raise ValueError(f"n_permutations must be at least 1, got {n_permutations}")
    both = counted_items(a, len(clusters)) & counted_items(b, len(clusters))
    kept = [cluster for cluster, counts in zip(clusters, both, strict=True) if counts]
    resamples = Resamples(kept, seed=seed, n_resamples=n_resamples, level=level)
    # Kept as a and what b adds beyond it, so that equal runs differ by exactly 0 in every resample.
    joined = np.concatenate([a.sums[both], b.sums[both] - a.sums[both]], axis=1)
    pair = _Pair(a, b, cluster_sums(joined, resamples.codes) if kept else joined)
    with np.errstate(divide="ignore", invalid="ignore"):
        before, after = (float(one.value(one.sums[both].sum(axis=0)[None])[0]) for one in (a, b))
        p, exact = _swap_test(pair, after - before, seed, n_permutations)
    interval, error = Interval(float("nan"), float("nan")), float("nan")
    if resamples.n_clusters > 1 and np.isfinite(after - before):
        drawn = resamples.values({"": Statistic(joined, pair.difference)})[""]
        interval, error = Interval(*percentiles(drawn, level)), _deviation(drawn)
    n = int(both.sum())
    return PairedDifference(
        before, after, after - before, interval, error, p, n, resamples.n_clusters, exact
    )


@dataclass(frozen=True, slots=True)
class McNemar:
    """Where two runs disagree on which items are right.

    Attributes:
        only_a: items that a alone has right; McNemar's b.
        only_b: items that b alone has right; McNemar's c.
        p: exact and two-sided; 1 if they never disagree.
        n: items that both count.
    """

    only_a: int
    only_b: int
    p: float
    n: int


def mcnemar(a_right: ArrayLike, b_right: ArrayLike) -> McNemar:
    """Compare two runs on the same closed questions by those that only one has right.

    It takes the items for independent: where several share an image or a patient, p is too small,
    and `paired` is the test to report.

    Args:
        a_right: (n_items,), 1 or true where right, 0 where not, nan where it does not count.
        b_right: likewise, in the same order.

    Raises:
        ValueError: if the two differ in length, or hold another value.

    Source:
        McNemar, Psychometrika 12, 1947; the exact form is the sign test.
    """
    a, b = (np.asarray(right, dtype=np.float64) for right in (a_right, b_right))
    if a.ndim != 1 or a.shape != b.shape:
        raise ValueError(f"expected two equally long rows, got shapes {a.shape} and {b.shape}")
    both = ~(np.isnan(a) | np.isnan(b))
    a, b = a[both], b[both]
    other = [value for value in np.concatenate([a, b]) if value not in (0, 1)]
    if other:
        raise ValueError(
            f"McNemar's test needs right (1) or wrong (0), got {other[0]}; "
            "compare means by paired()"
        )
    only_a, only_b = int(np.sum(a > b)), int(np.sum(b > a))
    return McNemar(only_a, only_b, _sign_test(only_a, only_b), len(a))


@dataclass(frozen=True, slots=True)
class _Pair:
    """Two statistics over the same clusters.

    `sums`: (n_clusters, 2 s), what a cluster adds to a, then what it adds to b beyond that.
    """

    a: Statistic
    b: Statistic
    sums: NDArray[np.float64]

    def values(
        self, sums: NDArray[np.float64], swapped: NDArray[np.float64] | float = 0.0
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Compute both measures of (..., 2 s) sums, after (..., s) moved from b to a."""
        width = self.a.sums.shape[1]
        first, beyond = sums[..., :width], sums[..., width:]
        return self.a.value(first + swapped), self.b.value(first + (beyond - swapped))

    def difference(self, sums: NDArray[np.float64]) -> NDArray[np.float64]:
        before, after = self.values(sums)
        return after - before


def _swap_test(pair: _Pair, difference: float, seed: int, n_drawn: int) -> tuple[float, bool]:
    """Give p, and whether all ways to swap were tried."""
    if np.isnan(difference):
        return float("nan"), False
    beyond = pair.sums[:, pair.a.sums.shape[1] :]
    beyond = beyond[(beyond != 0).any(axis=1)]
    exact = len(beyond) <= _ENUMERATED
    swaps = _all_swaps(len(beyond)) if exact else _drawn_swaps(len(beyond), seed, n_drawn)
    total = pair.sums.sum(axis=0)
    n_extreme, n = 0, 0
    for swap in swaps:
        a, b = pair.values(total, swap @ beyond)
        # A difference that rounding alone keeps from being as large counts as well.
        slack = 1e-12 * np.maximum(1, np.maximum(np.abs(a), np.abs(b)))
        smaller = np.abs(b - a) < abs(difference) - slack
        n_extreme += int(np.sum(~smaller))
        n += len(swap)
    return (n_extreme / n if exact else (1 + n_extreme) / (1 + n)), exact


def _all_swaps(n: int) -> Iterator[NDArray[np.float64]]:
    yield (np.arange(1 << n)[:, None] >> np.arange(n) & 1).astype(np.float64)


def _drawn_swaps(n: int, seed: int, n_drawn: int) -> Iterator[NDArray[np.float64]]:
    generator = np.random.default_rng(seed)
    at_once = max(_BLOCK // n, 1)
    for start in range(0, n_drawn, at_once):
        shape = (min(at_once, n_drawn - start), -(-n // 8))
        octets = generator.integers(256, size=shape, dtype=np.uint8)
        yield np.unpackbits(octets, axis=1, count=n).astype(np.float64)


def _deviation(values: NDArray[np.float64]) -> float:
    known = values[np.isfinite(values)]
    return float(known.std(ddof=1)) if len(known) > 1 else float("nan")


def _sign_test(k: int, m: int) -> float:
    """Give the two-sided probability of a split at least as uneven as k to m at even odds."""
    n = k + m
    log_choices = [
        math.lgamma(n + 1) - math.lgamma(i + 1) - math.lgamma(n - i + 1)
        for i in range(min(k, m) + 1)
    ]
    # Summed as logarithms: the number of ways overflows a float from about a thousand items on.
    tail = math.fsum(math.exp(log - n * math.log(2)) for log in log_choices)
    return min(1.0, 2 * tail)
