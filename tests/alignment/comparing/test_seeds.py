"""Intervals over items and seeds."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medrag.alignment.comparing.seeds import SeedResamples
from medrag.evaluation.statistics import Resamples, mean_of, paired

CLUSTERS = [f"c{place // 2}" for place in range(40)]
DRAWN = np.random.default_rng(3)
ONE = (DRAWN.random((1, 40)) < 0.4).astype(float)
OTHER = (DRAWN.random((1, 40)) < 0.7).astype(float)


def test_one_seed_is_what_the_score_of_a_run_says() -> None:
    found = SeedResamples(CLUSTERS).estimate(ONE)
    assert found == Resamples(CLUSTERS).estimate(mean_of(ONE[0]))


def test_one_seed_beside_another_is_what_the_comparison_of_two_runs_says() -> None:
    found = SeedResamples(CLUSTERS).difference(ONE, OTHER)
    known = paired(mean_of(ONE[0]), mean_of(OTHER[0]), CLUSTERS)
    assert (found.a, found.b, found.p) == (known.a, known.b, known.p)
    assert found.value.value == pytest.approx(known.difference)
    assert (found.value.low, found.value.high) == pytest.approx(known.interval)


def test_a_measure_is_the_mean_of_its_seeds() -> None:
    # 1 of 2, and 2 of 2 items that count: (1/2 + 1) / 2
    values = np.array([[1.0, 0.0, np.nan], [1.0, np.nan, 1.0]])
    assert SeedResamples([None] * 3).estimate(values).value == pytest.approx(0.75)


def test_seeds_that_agree_leave_the_interval_of_one() -> None:
    draws = SeedResamples(CLUSTERS)
    alone, thrice = draws.estimate(ONE), draws.estimate(np.repeat(ONE, 3, axis=0))
    assert (thrice.value, thrice.low, thrice.high) == pytest.approx(
        (alone.value, alone.low, alone.high)
    )


def test_what_seeds_add_has_the_variance_of_their_mean() -> None:
    # Every item agrees within a seed, so that only seeds vary: means 0.2, 0.4 and 0.9, whose mean
    # has the standard error sqrt(var / 3), var with n - 1. A percent of 20,000 draws is far away.
    means = np.array([0.2, 0.4, 0.9])
    values = np.repeat(means[:, None], 40, axis=1)
    draws = SeedResamples(CLUSTERS, n_resamples=20_000)
    error = draws.deviation(np.zeros((1, 40)), values)
    assert error == pytest.approx(np.sqrt(means.var(ddof=1) / 3), rel=0.02)


def test_an_interval_holds_the_truth_about_as_often_as_it_says() -> None:
    # Two variants of one kind, whose seeds differ by chance, on items that are hard for both: the
    # true difference is 0. Of 100 intervals at 95%, fewer than 88 would be 3 deviations too few.
    draw = np.random.default_rng(0)
    held = 0
    for _ in range(100):
        hard = draw.normal(0, 0.6, 20).repeat(2) + draw.normal(0, 0.6, 40)
        a, b = (
            np.stack(
                [(hard + draw.normal(0, 0.25) + draw.normal(0, 0.8, 40) > 0) for _ in range(3)]
            )
            for _ in range(2)
        )
        found = SeedResamples(CLUSTERS, n_resamples=300).difference(
            a.astype(np.float64), b.astype(np.float64)
        )
        held += found.value.low <= 0 <= found.value.high
    assert held >= 88


def test_seeds_that_differ_widen_the_interval() -> None:
    draws = SeedResamples(CLUSTERS)
    apart = np.concatenate([np.zeros((1, 40)), np.ones((1, 40))])
    found, alone = draws.estimate(apart), draws.estimate(ONE)
    assert found.high - found.low > alone.high - alone.low


def test_two_arms_of_the_same_seeds_do_not_vary_by_seed() -> None:
    draws = SeedResamples(CLUSTERS)
    was = np.repeat(np.array([[0.0], [0.5]]), 40, axis=1)
    found = draws.difference(was, was + 0.25, same_seeds=True)
    assert (found.value.value, found.value.low, found.value.high) == pytest.approx((0.25,) * 3)


def test_the_same_seeds_must_be_as_many() -> None:
    with pytest.raises(ValueError, match="the same seeds must be as many, got 1 and 2"):
        SeedResamples(CLUSTERS).difference(ONE, np.repeat(ONE, 2, axis=0), same_seeds=True)


def test_a_relative_change_is_that_of_the_means() -> None:
    # 8 of 40 fall to 4 of 40: by half
    was, now = np.zeros((1, 40)), np.zeros((1, 40))
    was[0, :8], now[0, :4] = 1, 1
    found = SeedResamples(CLUSTERS).difference(was, now)
    assert found.relative.value == pytest.approx(-0.5)
    assert found.relative.low <= -0.5 <= found.relative.high


def test_where_all_is_lost_no_interval_pretends_to_know_it() -> None:
    was = np.zeros((1, 40))
    was[0, :8] = 1
    found = SeedResamples(CLUSTERS).difference(was, np.zeros((1, 40)))
    assert found.relative.value == -1
    assert np.isnan(found.relative.low)


def test_a_change_of_nothing_has_no_share() -> None:
    found = SeedResamples(CLUSTERS).difference(np.zeros((1, 40)), OTHER)
    assert np.isnan(found.relative.value)
    assert found.value.value > 0


def test_each_side_counts_its_own_items() -> None:
    # a: 1 of the 2 that count, b: 3 of 4
    a = np.array([[1.0, 0.0, np.nan, np.nan]])
    b = np.array([[1.0, 1.0, 1.0, 0.0]])
    found = SeedResamples([None] * 4).difference(a, b)
    assert (found.a, found.b) == pytest.approx((0.5, 0.75))
    assert found.value.n == 4


def test_equal_variants_differ_by_nothing_for_certain() -> None:
    found = SeedResamples(CLUSTERS).difference(ONE, ONE)
    assert (found.value.value, found.value.low, found.value.high, found.p) == (0, 0, 0, 1)


def test_a_measure_that_counts_nothing_is_not_a_number() -> None:
    nothing = np.full((2, 40), np.nan)
    draws = SeedResamples(CLUSTERS)
    assert np.isnan(draws.estimate(nothing).value)
    assert np.isnan(draws.difference(nothing, ONE).p)


def test_one_cluster_has_no_interval() -> None:
    found = SeedResamples(["c"] * 4).estimate(np.array([[1.0, 0, 1, 0], [1, 1, 1, 0]]))
    assert found.value == pytest.approx(0.625)
    assert np.isnan(found.low)


@given(
    st.lists(st.lists(st.sampled_from([0.0, 1.0]), min_size=6, max_size=6), min_size=2, max_size=4),
    st.lists(st.lists(st.sampled_from([0.0, 1.0]), min_size=6, max_size=6), min_size=1, max_size=4),
)
def test_p_is_a_probability_and_the_other_way_round_is_as_far(
    first: list[list[float]], second: list[list[float]]
) -> None:
    draws = SeedResamples([None] * 6, n_resamples=200)
    a, b = np.array(first), np.array(second)
    found, turned = draws.difference(a, b), draws.difference(b, a)
    assert 0 < found.p <= 1
    assert found.value.value == pytest.approx(-turned.value.value)
