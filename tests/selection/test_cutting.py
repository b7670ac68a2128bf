"""Rules of ranked scores: the paper's gap, its code's ratio, and their defects."""

from math import exp, inf, log

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medrag.selection.cutting import Rule, select_context

SCORES = st.lists(st.floats(1e-3, 1e3), max_size=30).map(lambda each: sorted(each, reverse=True))
PREFIX_RULES: list[tuple[Rule, dict[str, float]]] = [
    ("fixed", {}),
    ("adjacent_log_gap", {"gamma": 0.4}),
    ("top1_ratio", {"tau": 1.5}),
    ("score_floor", {"floor": 1.0}),
]


def test_a_gap_cuts_before_the_first_large_drop() -> None:
    # u = log(0.9/0.8) = 0.118, log(0.8/0.4) = 0.693, log(0.4/0.1) = 1.386
    cut = select_context([0.9, 0.8, 0.4, 0.1], "adjacent_log_gap", gamma=0.4)
    assert cut.kept == (0, 1)
    assert cut.fired
    np.testing.assert_allclose(cut.log_gaps, [log(9 / 8), log(2), log(4)], rtol=1e-12)


def test_without_a_large_gap_all_are_kept_and_the_rule_did_not_fire() -> None:
    cut = select_context([0.9, 0.8, 0.7], "adjacent_log_gap", gamma=0.4)
    assert cut.kept == (0, 1, 2)
    assert not cut.fired
    assert max(cut.log_gaps) < 0.4


def test_a_ratio_adds_up_the_drops_that_a_gap_takes_one_by_one() -> None:
    # Drops of log(1.25) = 0.223 each: none is above log(1.5) = 0.405, but two together are.
    scores = [1.0, 0.8, 0.64, 0.512]
    assert select_context(scores, "adjacent_log_gap", gamma=log(1.5)).kept == (0, 1, 2, 3)
    assert select_context(scores, "top1_ratio", tau=1.5).kept == (0, 1)


@given(SCORES.filter(len))
def test_the_ratio_to_the_first_is_the_exponential_of_the_summed_drops(scores: list[float]) -> None:
    cut = select_context(scores, "fixed", k_max=5)
    for i, score in enumerate(scores):
        # Sums of up to 29 rounded logarithms.
        assert scores[0] / score == pytest.approx(exp(sum(cut.log_gaps[:i])), rel=1e-9)


@given(SCORES, st.floats(1.01, 20))
def test_gap_and_ratio_agree_on_the_second_hit(scores: list[float], tau: float) -> None:
    two = scores[:2]
    gap = select_context(two, "adjacent_log_gap", gamma=log(tau))
    ratio = select_context(two, "top1_ratio", tau=tau)
    # At equality the paper keeps (not above gamma) and the code drops (not below tau).
    if len(two) < 2 or abs(two[0] / two[1] - tau) > 1e-9:
        assert gap.kept == ratio.kept


def test_a_ratio_never_lets_a_negative_score_pass() -> None:
    # The released code keeps -0.1 and -0.2, whose ratios -9 and -4.5 are below 1.5, and drops the
    # positive 0.5 and 0.4 between: 0.9 / 0.5 = 1.8.
    cut = select_context([0.9, 0.7, 0.5, 0.4, -0.1, -0.2], "top1_ratio", tau=1.5)
    assert cut.kept == (0, 1)


def test_a_score_of_zero_is_infinitely_far_from_one_above_it() -> None:
    cut = select_context([0.9, 0.8, 0.0, -0.5], "adjacent_log_gap", gamma=0.4)
    assert cut.kept == (0, 1)
    assert cut.log_gaps[1:] == (inf, 0.0)


@pytest.mark.parametrize("scores", [[0.0, -0.1], [-0.2, -0.3], [0.0]])
@pytest.mark.parametrize("rule", ["adjacent_log_gap", "top1_ratio"])
def test_ratios_to_a_score_that_is_not_above_zero_are_refused(
    scores: list[float], rule: Rule
) -> None:
    with pytest.raises(ValueError, match="ratios need a best score above 0"):
        select_context(scores, rule, gamma=0.4, tau=1.5)


@given(SCORES, st.integers(1, 5), st.integers(0, 20), st.sampled_from(PREFIX_RULES))
def test_every_rule_keeps_a_prefix_within_its_bounds(
    scores: list[float], k_min: int, more: int, rule: tuple[Rule, dict[str, float]]
) -> None:
    name, numbers = rule
    k_max = k_min + more
    cut = select_context(scores, name, k_min=k_min, k_max=k_max, **numbers)  # type: ignore[arg-type]
    assert cut.kept == tuple(range(len(cut.kept)))
    assert min(k_min, len(scores)) <= len(cut.kept) <= min(k_max, len(scores))
    if name != "fixed":
        assert cut.fired == (len(cut.kept) < min(k_max, len(scores)))


@given(SCORES, st.floats(1e-3, 1e3), st.sampled_from(PREFIX_RULES[1:3]))
def test_a_positive_factor_changes_nothing_for_rules_of_ratios(
    scores: list[float], factor: float, rule: tuple[Rule, dict[str, float]]
) -> None:
    name, numbers = rule
    scaled = [factor * each for each in scores]
    plain = select_context(scores, name, k_max=30, **numbers)  # type: ignore[arg-type]
    assert select_context(scaled, name, k_max=30, **numbers).kept == plain.kept  # type: ignore[arg-type]


@given(SCORES, st.floats(0, 3), st.floats(0, 3))
def test_a_larger_gamma_never_keeps_less(scores: list[float], one: float, other: float) -> None:
    low, high = sorted((one, other))
    few = select_context(scores, "adjacent_log_gap", k_max=30, gamma=low)
    many = select_context(scores, "adjacent_log_gap", k_max=30, gamma=high)
    assert len(few.kept) <= len(many.kept)


def test_a_floor_keeps_what_reaches_it() -> None:
    assert select_context([3.0, 2.0, -1.0], "score_floor", floor=2.0).kept == (0, 1)


def test_a_fixed_number_fires_where_there_is_more() -> None:
    assert select_context([3.0, 2.0, 1.0], "fixed", k_max=2).fired
    assert not select_context([3.0, 2.0], "fixed", k_max=2).fired


def test_nothing_may_be_kept_only_where_no_context_is_an_answer() -> None:
    with pytest.raises(ValueError, match="no_context_below"):
        select_context([1.0], "score_floor", k_min=0, floor=2.0)
    assert select_context([1.0], "score_floor", k_min=0, floor=2.0, empty=True).kept == ()


@pytest.mark.parametrize(
    ("rule", "numbers", "problem"),
    [
        ("adjacent_log_gap", {}, "needs gamma"),
        ("adjacent_log_gap", {"gamma": -0.1}, "gamma must be at least 0"),
        ("top1_ratio", {}, "needs tau"),
        ("top1_ratio", {"tau": 1.0}, "tau must be above 1"),
        ("top1_ratio", {"tau": float("nan")}, "tau must be above 1"),
        ("score_floor", {}, "needs floor"),
        ("gap", {}, "rule must be one of"),
        ("fixed", {"k_min": 3, "k_max": 2}, "k_max must be at least k_min"),
    ],
)
def test_numbers_that_make_no_sense_are_refused(
    rule: Rule, numbers: dict[str, float], problem: str
) -> None:
    with pytest.raises(ValueError, match=problem):
        select_context([1.0], rule, **numbers)  # type: ignore[arg-type]


@pytest.mark.parametrize("scores", [[1.0, 2.0], [1.0, float("nan")], [[1.0]]])
def test_scores_must_be_one_row_that_descends(scores: list[float]) -> None:
    with pytest.raises(ValueError, match="one row of numbers that descends"):
        select_context(scores, "fixed")


def test_an_empty_ranking_keeps_nothing_by_any_rule() -> None:
    for rule, numbers in PREFIX_RULES:
        assert select_context([], rule, **numbers).kept == ()  # type: ignore[arg-type]
