import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from medrag.evaluation.statistics import Statistic, mcnemar, mean_of, paired

NAN = float("nan")
RIGHT = st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=60)


def test_a_run_does_not_differ_from_itself() -> None:
    values = mean_of(np.random.default_rng(1).random(100))
    found = paired(values, values, [f"image {number // 3}" for number in range(100)])
    assert (found.difference, found.interval, found.p) == (0, (0, 0), 1)


def test_a_gain_everywhere_is_found_and_its_interval_lies_above_zero() -> None:
    a = np.random.default_rng(2).random(200)
    found = paired(mean_of(a), mean_of(a + 0.1), [None] * 200)
    assert found.difference == pytest.approx(0.1)
    # b gains the same on every item, so that every resample does.
    assert found.interval == pytest.approx((0.1, 0.1))
    assert found.standard_error == pytest.approx(0, abs=1e-12)
    # No swap of 10,000 is as far from zero as none at all.
    assert found.p == pytest.approx(1 / 10_001)
    assert not found.exact


def test_few_clusters_are_swapped_in_all_ways() -> None:
    # Differences 1, 1, 1, 1: of 16 sums of signs, two are as far from zero as 4.
    found = paired(mean_of([0.0] * 4), mean_of([1.0] * 4), [None] * 4)
    assert found.exact
    assert found.p == 2 / 16


def test_items_of_one_cluster_are_swapped_together() -> None:
    found = paired(mean_of([0.0] * 4), mean_of([1.0] * 4), ["a", "a", "b", "b"])
    # Two clusters: of 4 ways to swap, none and both are as far from zero.
    assert (found.p, found.n, found.n_clusters) == (2 / 4, 4, 2)


def test_all_ways_and_some_ways_to_swap_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = mean_of(np.arange(10.0)), mean_of(np.arange(10.0) ** 1.1)
    exact = paired(a, b, [None] * 10)
    monkeypatch.setattr("medrag.evaluation.statistics.comparing._ENUMERATED", 0)
    drawn = paired(a, b, [None] * 10)
    assert (exact.exact, drawn.exact) == (True, False)
    # 10,000 draws: a standard deviation of 0.005 at most.
    assert drawn.p == pytest.approx(exact.p, abs=0.02)


def test_p_is_that_of_another_implementation() -> None:
    generator = np.random.default_rng(3)
    a = generator.random(12)
    b = a + generator.normal(0.1, 0.2, size=12)
    theirs = stats.permutation_test(
        (a, b), lambda x, y: np.mean(y - x), permutation_type="samples", n_resamples=np.inf
    )
    assert paired(mean_of(a), mean_of(b), [None] * 12).p == pytest.approx(theirs.pvalue)


def test_swapping_the_runs_turns_the_sign() -> None:
    a, b = (mean_of(values) for values in np.random.default_rng(4).random((2, 60)))
    forth, back = paired(a, b, [None] * 60), paired(b, a, [None] * 60)
    assert forth.difference == -back.difference
    assert forth.interval.low == pytest.approx(-back.interval.high)
    assert (forth.a, forth.b, forth.p) == (back.b, back.a, back.p)


def test_without_a_difference_p_is_uniform() -> None:
    generator = np.random.default_rng(5)
    n, ps = 30, []
    for _ in range(300):
        # Six items to a cluster that share most of what sets a and b apart.
        shared = np.repeat(generator.normal(size=(2, n)), 6, axis=1)
        a, b = shared + generator.normal(scale=0.3, size=(2, 6 * n))
        clusters = [f"image {row // 6}" for row in range(6 * n)]
        found = paired(mean_of(a), mean_of(b), clusters, n_permutations=200, n_resamples=2)
        ps.append(found.p)
    # A deviation of 0.078 from uniform is what 300 draws exceed once in twenty.
    assert stats.kstest(ps, "uniform").statistic < 0.078


def test_the_interval_of_a_difference_covers_it_as_often_as_it_says() -> None:
    generator = np.random.default_rng(6)
    covered = []
    for _ in range(200):
        a = np.repeat(generator.normal(size=50), 4)
        gain = 0.2 + np.repeat(generator.normal(size=50), 4) + generator.normal(size=200)
        clusters = [f"image {row // 4}" for row in range(200)]
        found = paired(mean_of(a), mean_of(a + gain), clusters, n_permutations=1, n_resamples=300)
        covered.append(found.interval.low <= 0.2 <= found.interval.high)
    # Standard deviation over 200 trials: 0.015; intervals from 50 clusters are a bit short.
    assert np.mean(covered) == pytest.approx(0.94, abs=0.045)


def test_the_standard_error_is_that_of_the_mean_difference() -> None:
    generator = np.random.default_rng(7)
    a, b = generator.normal(size=(2, 400))
    found = paired(mean_of(a), mean_of(b), [None] * 400)
    expected = np.std(b - a, ddof=1) / 20
    # 2,000 resamples know a standard deviation to 1.6%.
    assert found.standard_error == pytest.approx(expected, rel=0.06)


def test_items_that_only_one_run_counts_are_left_out() -> None:
    found = paired(mean_of([0.0, NAN, 1.0]), mean_of([1.0, 1.0, NAN]), ["a", "b", "c"])
    assert (found.a, found.b, found.n, found.n_clusters) == (0, 1, 1, 1)
    assert math.isnan(found.interval.low)
    assert found.p == 1


def test_without_common_items_nothing_is_known() -> None:
    found = paired(mean_of([NAN]), mean_of([1.0]), ["a"])
    assert math.isnan(found.difference)
    assert math.isnan(found.p)
    assert found.n == 0


def test_a_measure_of_many_sums_is_compared_likewise() -> None:
    def f1(sums: np.ndarray) -> np.ndarray:
        return 2 * sums[..., 0] / (sums[..., 1] + sums[..., 2])

    generator = np.random.default_rng(8)
    truth, noise = generator.random(300) < 0.4, generator.random((2, 300))
    said = [truth ^ (noise[0] < 0.1), truth ^ (noise[1] < 0.4)]
    a, b = (
        Statistic(np.stack([one & truth, one, truth], axis=1).astype(float), f1) for one in said
    )
    found = paired(a, b, [None] * 300)
    assert found.difference < -0.1
    assert found.interval.low < found.difference < found.interval.high < 0
    assert found.p < 0.01


def test_runs_of_other_items_are_refused() -> None:
    with pytest.raises(ValueError, match="one shape"):
        paired(mean_of([1.0]), mean_of([1.0, 0.0]), [None])
    with pytest.raises(ValueError, match="2 items, but 1 clusters"):
        paired(mean_of([1.0, 1.0]), mean_of([1.0, 0.0]), [None])
    with pytest.raises(ValueError, match="n_permutations"):
        paired(mean_of([1.0]), mean_of([1.0]), [None], n_permutations=0)


def test_mcnemar_counts_items_that_only_one_run_has_right() -> None:
    found = mcnemar([1, 1, 1, 0, 0, NAN], [1, 0, 0, 1, 0, 1])
    # Only a: 2, only b: 1. At even odds, all splits of 3 are at least as uneven as 2 to 1.
    assert (found.only_a, found.only_b, found.n, found.p) == (2, 1, 5, 1)


@given(RIGHT)
def test_mcnemar_is_the_two_sided_binomial_test(answers: list[tuple[bool, bool]]) -> None:
    found = mcnemar([a for a, _ in answers], [b for _, b in answers])
    n = found.only_a + found.only_b
    expected = stats.binomtest(found.only_a, n).pvalue if n else 1
    # Logarithms of factorials are good to about 1e-14.
    assert found.p == pytest.approx(expected, rel=1e-10)


def test_mcnemar_bears_many_items() -> None:
    a = np.r_[np.ones(50_600), np.zeros(49_400)]
    found = mcnemar(a, 1 - a)
    assert found.p == pytest.approx(stats.binomtest(50_600, 100_000).pvalue, rel=1e-6)


@given(RIGHT)
def test_mcnemar_does_not_care_which_run_comes_first(answers: list[tuple[bool, bool]]) -> None:
    a, b = [a for a, _ in answers], [b for _, b in answers]
    assert mcnemar(a, b).p == mcnemar(b, a).p
    assert mcnemar(a, a).p == 1


def test_mcnemar_refuses_scores_between_right_and_wrong() -> None:
    with pytest.raises(ValueError, match=r"got 0\.5"):
        mcnemar([0.5], [1.0])
    with pytest.raises(ValueError, match="equally long"):
        mcnemar([1.0], [1.0, 0.0])
