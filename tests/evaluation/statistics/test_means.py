import math

import numpy as np
import pytest

from medrag.evaluation.statistics import bootstrap_interval, paired_bootstrap


def test_an_interval_holds_the_mean_and_narrows_with_more_questions() -> None:
    values = np.random.default_rng(1).normal(0.6, 0.2, size=400)
    wide, narrow = bootstrap_interval(values[:40]), bootstrap_interval(values)
    assert wide.low < values[:40].mean() < wide.high
    assert narrow.high - narrow.low < wide.high - wide.low
    # The mean's standard error is 0.2 / 20 = 0.01; 95% is about 2 * 1.96 of it.
    assert narrow.high - narrow.low == pytest.approx(0.039, abs=0.006)


def test_an_interval_covers_the_true_mean_about_as_often_as_it_says() -> None:
    generator = np.random.default_rng(2)
    covered = [
        low <= 0.5 <= high
        for low, high in (
            bootstrap_interval(generator.random(50), n_resamples=400, level=0.9) for _ in range(300)
        )
    ]
    # Binomial: 0.9 with a standard deviation of 0.017 over 300 draws.
    assert np.mean(covered) == pytest.approx(0.9, abs=0.06)


def test_the_same_seed_gives_the_same_interval() -> None:
    values = list(np.linspace(0, 1, 30))
    assert bootstrap_interval(values, seed=7) == bootstrap_interval(values, seed=7)
    assert bootstrap_interval(values, seed=7) != bootstrap_interval(values, seed=8)


def test_many_questions_are_resampled_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    values = list(np.linspace(0, 1, 30))
    whole = bootstrap_interval(values, n_resamples=200)
    monkeypatch.setattr("medrag.evaluation.statistics.means._BLOCK", 90)
    # Drawn in blocks of three, the generator gives the same numbers in the same order.
    assert bootstrap_interval(values, n_resamples=200) == whole


def test_questions_without_a_value_are_left_out() -> None:
    nan = float("nan")
    assert bootstrap_interval([0.2, nan, 0.4], seed=1) == bootstrap_interval([0.2, 0.4], seed=1)
    assert math.isnan(bootstrap_interval([nan]).low)
    assert paired_bootstrap([0.1, nan], [0.3, 0.9]).mean == pytest.approx(0.2)
    assert math.isnan(paired_bootstrap([], []).p)


def test_a_small_but_steady_gain_is_found_although_questions_differ_widely() -> None:
    generator = np.random.default_rng(3)
    a = generator.random(200)
    b = a + generator.normal(0.02, 0.05, size=200)
    difference = paired_bootstrap(a, b)
    assert difference.mean == pytest.approx(np.mean(b - a))
    assert difference.interval.low > 0
    assert difference.p < 0.01


def test_two_systems_that_are_alike_do_not_differ() -> None:
    generator = np.random.default_rng(4)
    a, b = generator.random((2, 200))
    difference = paired_bootstrap(a, b)
    assert difference.interval.low < 0 < difference.interval.high
    assert difference.p > 0.05
    same = paired_bootstrap(a, a)
    assert (same.mean, same.p) == (0, 1)


def test_swapping_the_systems_turns_the_sign() -> None:
    a, b = np.random.default_rng(5).random((2, 60))
    forth, back = paired_bootstrap(a, b, seed=9), paired_bootstrap(b, a, seed=9)
    assert forth.mean == pytest.approx(-back.mean)
    assert forth.interval.low == pytest.approx(-back.interval.high)
    assert forth.p == back.p


def test_systems_on_different_questions_are_refused() -> None:
    with pytest.raises(ValueError, match="got 2 and 1 values"):
        paired_bootstrap([0.1, 0.2], [0.3])


@pytest.mark.parametrize(("n_resamples", "level"), [(0, 0.95), (10, 0.0), (10, 1.0)])
def test_settings_out_of_range_are_refused(n_resamples: int, level: float) -> None:
    with pytest.raises(ValueError, match=r"n_resamples|level"):
        bootstrap_interval([0.1], n_resamples=n_resamples, level=level)
