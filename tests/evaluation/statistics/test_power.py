import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medrag.evaluation.statistics import (
    design_effect,
    detectable_mean_difference,
    mcnemar,
    mean_of,
    minimum_detectable_difference,
    paired,
    sample_size,
)

NAN = float("nan")


def test_the_detectable_difference_solves_its_formula() -> None:
    psi = 0.2
    d = minimum_detectable_difference(400, psi)
    # z of 0.975 and of 0.8
    needed = (1.959964 * math.sqrt(psi) + 0.841621 * math.sqrt(psi - d**2)) ** 2 / d**2
    assert needed == pytest.approx(400, rel=1e-5)


@given(st.floats(0.01, 1), st.integers(5, 100_000), st.floats(0.55, 0.99), st.floats(1, 10))
def test_a_set_of_the_size_needed_detects_the_difference(
    discordant: float, n: int, power: float, deff: float
) -> None:
    d = minimum_detectable_difference(n, discordant, design_effect=deff, power=power)
    if not math.isnan(d):
        assert sample_size(d, discordant, design_effect=deff, power=power) == n
        assert 0 < d <= discordant


def test_more_items_detect_less_and_clusters_more() -> None:
    plain = minimum_detectable_difference(400, 0.2)
    assert minimum_detectable_difference(1600, 0.2) < plain
    assert minimum_detectable_difference(400, 0.2, design_effect=2) > plain
    assert minimum_detectable_difference(400, 0.2, design_effect=2) == pytest.approx(
        minimum_detectable_difference(200, 0.2)
    )


@pytest.mark.parametrize(("n", "discordant"), [(1, 1.0), (7, 1.0), (30, 0.1), (400, 0.0)])
def test_a_set_that_could_not_even_show_all_disagreement_detects_nothing(
    n: int, discordant: float
) -> None:
    # At d = psi = 1 the formula needs 1.96^2 = 3.8 items and more; with psi = 0.1, 72.
    found = minimum_detectable_difference(n, discordant)
    assert math.isnan(found) == (discordant < 1 or n < 4)


def test_the_detectable_difference_is_found_as_often_as_asked() -> None:
    n, psi = 300, 0.3
    d = minimum_detectable_difference(n, psi)
    generator = np.random.default_rng(1)
    found = []
    for _ in range(400):
        drawn = generator.random(n)
        only_a, only_b = drawn < (psi - d) / 2, drawn > 1 - (psi + d) / 2
        found.append(mcnemar(only_a, only_b).p <= 0.05)
    # The exact test is a little stricter than the normal one; standard deviation 0.02.
    assert np.mean(found) == pytest.approx(0.78, abs=0.07)


def test_a_difference_beyond_what_the_runs_disagree_on_has_no_size() -> None:
    with pytest.raises(ValueError, match=r"got 0\.3"):
        sample_size(0.3, 0.2)


def test_the_detectable_difference_of_means_is_2_8_standard_errors() -> None:
    # 1.96 + 0.84
    assert detectable_mean_difference(0.01) == pytest.approx(0.028016, rel=1e-4)
    assert math.isnan(detectable_mean_difference(NAN))
    with pytest.raises(ValueError, match="negative"):
        detectable_mean_difference(-1)


def test_shares_and_means_agree_on_what_is_detectable() -> None:
    generator = np.random.default_rng(2)
    a, b = (generator.random((2, 5000)) < 0.5).astype(float)
    found = paired(mean_of(a), mean_of(b), [None] * 5000, n_permutations=1)
    # A difference of 0.03 beside a disagreement of one half hardly changes the variance.
    by_shares = minimum_detectable_difference(5000, float(np.mean(a != b)))
    assert detectable_mean_difference(found.standard_error) == pytest.approx(by_shares, rel=0.06)


def test_items_of_their_own_have_no_design_effect() -> None:
    assert design_effect([0.0, 1.0, 1.0, 0.5], [None] * 4) == pytest.approx(1)


def test_clusters_of_equal_answers_count_as_one_item() -> None:
    values = np.repeat(np.random.default_rng(3).random(500), 4)
    clusters = [str(row // 4) for row in range(2000)]
    # (n - 1) / (n - 4) of 2,000 items above 4
    assert design_effect(values, clusters) == pytest.approx(4 * 1999 / 1996)


def test_a_cluster_that_evens_out_is_worth_more_than_its_items() -> None:
    assert design_effect([0.0, 1.0] * 10, [str(row // 2) for row in range(20)]) == 0


@pytest.mark.parametrize(
    ("values", "clusters"), [([], []), ([1.0, 0.0], ["a", "a"]), ([1.0, 1.0, NAN], [None] * 3)]
)
def test_without_spread_or_clusters_there_is_no_design_effect(
    values: list[float], clusters: list[str]
) -> None:
    assert math.isnan(design_effect(values, clusters))


@pytest.mark.parametrize(
    "settings",
    [{"n": 0}, {"discordant": 1.1}, {"design_effect": 0}, {"alpha": 0}, {"power": 1}],
)
def test_settings_out_of_range_are_refused(settings: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="got"):
        minimum_detectable_difference(**{"n": 10, "discordant": 0.5, **settings})


def test_values_that_do_not_fit_the_clusters_are_refused() -> None:
    with pytest.raises(ValueError, match="do not fit 2 clusters"):
        design_effect([1.0], ["a", "b"])
