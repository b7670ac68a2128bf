import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from medrag.evaluation.scores import Estimate
from medrag.evaluation.statistics import (
    Resamples,
    Statistic,
    WeightedStatistic,
    bootstrap_interval,
    estimate,
    mean_of,
    ratio_of,
)

NAN = float("nan")


def width(one: Estimate) -> float:
    return one.high - one.low


def clustered(
    seed: int, n_clusters: int = 60, size: int = 6
) -> tuple[NDArray[np.float64], list[str]]:
    """Values with mean 0 whose clusters share half of the variance."""
    generator = np.random.default_rng(seed)
    shared = np.repeat(generator.normal(size=n_clusters), size)
    values = (shared + generator.normal(size=n_clusters * size)) / math.sqrt(2)
    return values, [f"image {number // size}" for number in range(n_clusters * size)]


def test_the_value_is_that_of_the_items_that_count() -> None:
    found = estimate(mean_of([1.0, 0.0, NAN, 1.0]), ["a", "a", "b", "c"])
    assert found.value == pytest.approx(2 / 3)
    assert found.n == 3


def test_items_of_their_own_give_the_interval_of_the_plain_bootstrap() -> None:
    values = np.random.default_rng(1).random(200)
    found, plain = estimate(mean_of(values), [None] * 200), bootstrap_interval(values)
    # Another way to draw: the ends agree up to the noise of 2,000 resamples, a few percent of 0.08.
    assert found.low == pytest.approx(plain.low, abs=0.005)
    assert found.high == pytest.approx(plain.high, abs=0.005)


def test_questions_repeated_within_a_cluster_do_not_narrow_the_interval() -> None:
    values = np.random.default_rng(2).random(40)
    clusters = [f"image {number}" for number in range(40)]
    once = estimate(mean_of(values), clusters)
    ten_times = estimate(mean_of(np.tile(values, 10)), clusters * 10)
    # The same draws of the same clusters, each ten times as heavy: the mean is the same.
    assert ten_times.low == pytest.approx(once.low, abs=1e-9)
    assert ten_times.high == pytest.approx(once.high, abs=1e-9)


def test_the_clustered_interval_covers_the_truth_and_the_plain_one_is_too_narrow() -> None:
    covered, covered_plain = [], []
    for seed in range(200):
        values, clusters = clustered(seed)
        by_image = estimate(mean_of(values), clusters, n_resamples=300)
        alone = estimate(mean_of(values), [None] * len(values), n_resamples=300)
        covered.append(by_image.low <= 0 <= by_image.high)
        covered_plain.append(alone.low <= 0 <= alone.high)
    # Half of the variance is shared by 6: the design effect is 1 + 5 / 2 = 3.5, so a plain interval
    # holds 1.96 / sqrt(3.5) = 1.05 standard errors to each side, 70% of the time.
    # Standard deviation over 200 trials: 0.015 and 0.032.
    assert np.mean(covered) == pytest.approx(0.94, abs=0.045)
    assert np.mean(covered_plain) == pytest.approx(0.70, abs=0.1)


def test_the_same_seed_gives_the_same_interval() -> None:
    values, clusters = clustered(3)
    assert estimate(mean_of(values), clusters, seed=5) == estimate(
        mean_of(values), clusters, seed=5
    )
    assert estimate(mean_of(values), clusters, seed=5) != estimate(
        mean_of(values), clusters, seed=6
    )


@given(st.permutations(range(24)))
def test_the_order_of_the_items_does_not_matter(order: list[int]) -> None:
    values, clusters = clustered(4, n_clusters=8, size=3)
    plain = estimate(mean_of(values), clusters, n_resamples=50)
    turned = estimate(mean_of(values[order]), [clusters[row] for row in order], n_resamples=50)
    # The sums are of the same numbers in another order.
    assert (turned.value, turned.low, turned.high) == pytest.approx(
        (plain.value, plain.low, plain.high), abs=1e-12
    )


def test_many_measures_at_once_are_the_same_as_one_by_one() -> None:
    values, clusters = clustered(5)
    resamples = Resamples(clusters, n_resamples=100)
    measures = {"mean": mean_of(values), "square": mean_of(values**2)}
    together = resamples.estimates(measures)
    for name, measure in measures.items():
        apart = estimate(measure, clusters, n_resamples=100)
        assert together[name].n == apart.n
        # Matrix products of other shapes may add in another order.
        assert together[name].low == pytest.approx(apart.low, abs=1e-12)
        assert together[name].high == pytest.approx(apart.high, abs=1e-12)


def test_how_many_resamples_are_computed_at_a_time_changes_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    values, clusters = clustered(6)
    whole = Resamples(clusters, n_resamples=50).values({"": mean_of(values)})[""]
    for name, bound in [("_VALUES", 7), ("_BLOCK", 3), ("_ROWS", 1), ("_KEPT", 0)]:
        monkeypatch.setattr(f"medrag.evaluation.statistics.clustered.{name}", bound)
        parts = Resamples(clusters, n_resamples=50).values({"": mean_of(values)})[""]
        np.testing.assert_allclose(parts, whole, atol=1e-12)


def test_a_measure_of_all_items_agrees_with_the_same_measure_as_sums() -> None:
    values, clusters = clustered(7)
    weighted = WeightedStatistic(lambda weights: weights @ values / weights.sum(axis=1))
    found = estimate(weighted, clusters)
    by_sums = estimate(mean_of(values), clusters)
    assert (found.value, found.low, found.high) == pytest.approx(
        (by_sums.value, by_sums.low, by_sums.high), abs=1e-12
    )
    assert found.n == by_sums.n


def test_items_that_do_not_count_weigh_nothing() -> None:
    seen = []

    def total(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        seen.append(weights)
        return weights.sum(axis=1)

    counted = np.array([True, False, True])
    assert estimate(WeightedStatistic(total, counted), [None] * 3).value == 2
    assert all((weights[:, 1] == 0).all() for weights in seen)


def test_weights_are_the_size_of_the_set_in_every_resample() -> None:
    total = WeightedStatistic(lambda weights: weights.sum(axis=1))
    np.testing.assert_array_equal(Resamples([None] * 9).values({"": total})[""], 9)


def test_a_ratio_is_of_sums_and_not_a_mean_of_ratios() -> None:
    # 4 of 12, not the mean of one half and 3 tenths
    assert estimate(ratio_of([1, 3], [2, 10]), ["a", "b"]).value == pytest.approx(1 / 3)


@pytest.mark.parametrize(
    ("values", "clusters"),
    [([], []), ([NAN, NAN], ["a", "b"]), ([1.0, 0.0], ["a", "a"]), ([1.0, NAN], ["a", "b"])],
)
def test_below_two_clusters_there_is_no_interval(values: list[float], clusters: list[str]) -> None:
    found = estimate(mean_of(values), clusters)
    assert math.isnan(found.low)
    assert math.isnan(found.high)


def test_without_items_a_mean_is_not_a_number() -> None:
    found = estimate(mean_of([]), [])
    assert math.isnan(found.value)
    assert found.n == 0


def test_resamples_in_which_a_measure_is_undefined_are_left_out() -> None:
    # Of the two clusters only one holds a denominator; drawn without it, the ratio is 0 / 0.
    found = estimate(ratio_of([1.0, 0.0], [2.0, 0.0]), ["a", "b"])
    assert (found.value, found.low, found.high) == (0.5, 0.5, 0.5)


def test_a_division_by_zero_within_a_measure_warns_of_nothing() -> None:
    zero = Statistic(np.zeros((3, 2)), lambda sums: sums[..., 0] / sums[..., 1])
    assert math.isnan(estimate(zero, [None] * 3).value)


def test_a_statistic_of_other_items_is_refused() -> None:
    with pytest.raises(ValueError, match="2 items, but 3 clusters"):
        estimate(mean_of([1.0, 0.0]), [None] * 3)


@pytest.mark.parametrize(("n_resamples", "level"), [(0, 0.95), (10, 0.0), (10, 1.0)])
def test_settings_out_of_range_are_refused(n_resamples: int, level: float) -> None:
    with pytest.raises(ValueError, match=r"n_resamples|level"):
        Resamples(["a"], n_resamples=n_resamples, level=level)


def test_rows_of_unequal_length_are_refused() -> None:
    with pytest.raises(ValueError, match="equally long"):
        ratio_of([1.0], [1.0, 2.0])


def test_a_share_of_all_or_none_has_the_exact_interval_of_its_clusters() -> None:
    # Six clusters that all agree: (0.025)^(1/6) = 0.5407; two items a cluster change nothing.
    clusters = [str(place // 2) for place in range(12)]
    every = estimate(mean_of(np.ones(12)), clusters)
    assert (every.value, every.high) == (1, 1)
    assert every.low == pytest.approx(0.5407, abs=1e-4)
    none = estimate(mean_of(np.zeros(12)), clusters)
    assert (none.value, none.low) == (0, 0)
    assert none.high == pytest.approx(1 - 0.5407, abs=1e-4)


def test_a_mean_of_equal_numbers_that_are_no_share_keeps_its_point() -> None:
    found = estimate(mean_of(np.full(6, 2.5)), [None] * 6)
    assert (found.low, found.high) == (2.5, 2.5)
