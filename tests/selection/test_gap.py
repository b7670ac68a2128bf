"""The gap selector: its scales, whose scores it takes, and when it refuses."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medrag.errors import RecipeError
from medrag.selection.gap import GapSelector
from medrag.selection.scales import logarithms
from medrag.selection.top_k import TopKSelector
from tests.selection.ranked import ASKED, names, ranked, selected

ANY = st.lists(st.floats(-50, 50), max_size=20)


def test_the_reason_tells_the_drop_that_cut() -> None:
    # log(0.8 / 0.4) = 0.693
    found = selected(GapSelector(gamma=0.4), ranked([0.9, 0.8, 0.4, 0.1]))
    assert names(found.kept) == ["p0", "p1"]
    assert found.fired
    assert found.reason == "adjacent_log_gap of fused scores: a drop of 0.693 after 2; 2 kept"


def test_a_rule_that_did_not_fire_says_so_and_tells_the_largest_drop() -> None:
    # log(0.8 / 0.7) = 0.134
    found = selected(GapSelector(gamma=0.4), ranked([0.9, 0.8, 0.7]))
    assert not found.fired
    assert "no drop above 0.4, the largest is 0.134" in found.reason


def test_what_k_max_alone_cuts_is_not_the_rule_s() -> None:
    found = selected(GapSelector(gamma=0.4, k_max=2), ranked([0.9, 0.8, 0.7, 0.6]))
    assert len(found.kept) == 2
    assert not found.fired


def test_the_ratio_counts_what_lies_within_a_factor_of_the_first() -> None:
    found = selected(GapSelector(rule="top1_ratio", tau=1.5), ranked([0.9, 0.7, 0.5]))
    assert names(found.kept) == ["p0", "p1"]
    assert "2 within a factor of 1.5 of the first" in found.reason


@pytest.mark.parametrize("lowest", [0.0, -0.1])
def test_raw_scores_that_are_not_above_zero_are_refused_with_the_way_out(lowest: float) -> None:
    with pytest.raises(RecipeError, match=r"scale: cosine.*scale: softmax") as error:
        GapSelector(gamma=0.4).select(ASKED, ranked([0.9, 0.5, lowest]))
    assert "question 'q1'" in str(error.value)


def test_the_code_s_rule_safe_of_signs_drops_them_instead() -> None:
    selector = GapSelector(rule="top1_ratio", tau=3.0, not_positive="drop")
    found = selected(selector, ranked([0.9, 0.5, 0.4, -0.1, -0.2]))
    assert names(found.kept) == ["p0", "p1", "p2"]
    with pytest.raises(RecipeError, match=r"mean nothing with -0\.1"):
        selector.select(ASKED, ranked([-0.1, -0.2]))


def test_another_selector_may_choose_where_the_rule_cannot() -> None:
    selector = GapSelector(gamma=0.4, otherwise=TopKSelector(k=2))
    found = selected(selector, ranked([0.9, 0.5, -0.1]))
    assert names(found.kept) == ["p0", "p1"]
    assert found.reason.startswith("the first 2 (no adjacent_log_gap: ratios of fused scores")


def test_cosines_below_zero_are_taken_by_their_own_scale() -> None:
    # (1 + s) / 2: 0.95, 0.9, 0.45: log(0.9 / 0.45) = 0.693
    found = selected(GapSelector(gamma=0.4, scale="cosine"), ranked([0.9, 0.8, -0.1]))
    assert names(found.kept) == ["p0", "p1"]


def test_a_score_that_is_no_cosine_is_refused_by_that_scale() -> None:
    with pytest.raises(RecipeError, match=r"12\.5 is no cosine"):
        GapSelector(gamma=0.4, scale="cosine").select(ASKED, ranked([12.5, 3.0]))


def test_a_softmax_gap_is_a_difference_over_the_temperature() -> None:
    # Logits 5, 4, -3 at temperature 10: drops of 0.1 and 0.7.
    ranking = ranked([5.0, 4.0, -3.0])
    found = selected(GapSelector(gamma=0.4, scale="softmax", temperature=10.0), ranking)
    assert names(found.kept) == ["p0", "p1"]
    found = selected(GapSelector(gamma=0.4, scale="softmax"), ranking)
    assert names(found.kept) == ["p0"]


@given(ANY, st.floats(-50, 50))
def test_an_arbitrary_zero_changes_nothing_for_softmax(scores: list[float], shift: float) -> None:
    ordered = np.round(sorted(scores, reverse=True), 3).tolist()
    selector = GapSelector(gamma=0.4005, scale="softmax", k_max=20)
    moved = ranked([each + round(shift, 3) for each in ordered])
    assert names(selected(selector, moved).kept) == names(selected(selector, ranked(ordered)).kept)


@given(ANY)
def test_whatever_the_scores_softmax_selects_within_the_bounds(scores: list[float]) -> None:
    found = selected(GapSelector(gamma=0.4, scale="softmax", k_min=2, k_max=5), ranked(scores))
    assert min(2, len(scores)) <= len(found.kept) <= 5


def test_the_score_of_a_channel_decides_where_it_is_named() -> None:
    ranking = ranked([0.9, 0.8, 0.7], parts={"text": [0.3, 0.6, 0.58]})
    # By text the order is p1, p2, p0; log(0.58 / 0.3) = 0.66.
    found = selected(GapSelector(gamma=0.4, score="text"), ranking)
    assert names(found.kept) == ["p1", "p2"]


def test_hits_without_the_score_come_last_and_only_for_k_min() -> None:
    ranking = ranked([0.9, 0.8, 0.7], parts={"text": [None, None, 0.5]})
    found = selected(GapSelector(gamma=0.4, score="text"), ranking)
    assert names(found.kept) == ["p2"]
    assert found.fired
    assert found.reason.endswith("2 lack the score")
    found = selected(GapSelector(gamma=0.4, score="text", k_min=2), ranking)
    assert names(found.kept) == ["p0", "p2"]


def test_a_score_that_no_hit_has_is_refused_with_those_there_are() -> None:
    ranking = ranked([0.9], parts={"text": [0.5]})
    with pytest.raises(RecipeError, match="no hit has a score 'txt'; there are fused, text"):
        GapSelector(gamma=0.4, score="txt").select(ASKED, ranking)


@pytest.mark.parametrize("wrong", [float("nan"), float("inf")])
def test_a_score_that_is_no_number_is_refused(wrong: float) -> None:
    with pytest.raises(RecipeError, match="no number that can be compared"):
        GapSelector(gamma=0.4, scale="softmax").select(ASKED, ranked([wrong, 1.0]))


def test_an_empty_ranking_gives_an_empty_selection() -> None:
    for scale in ("raw", "cosine", "softmax"):
        assert selected(GapSelector(gamma=0.4, scale=scale), []).kept == ()  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("given_", "problem"),
    [
        ({}, "needs gamma"),
        ({"rule": "top1_ratio", "tau": 0.9}, "tau must be above 1"),
        ({"rule": "fixed"}, "rule must be one of adjacent_log_gap, top1_ratio"),
        ({"gamma": 0.1, "scale": "logit"}, "scale must be one of"),
        ({"gamma": 0.1, "temperature": 0.0}, "temperature must be positive"),
        ({"gamma": 0.1, "not_positive": "keep"}, "not_positive must be refuse or drop"),
        ({"gamma": 0.1, "k_min": 0}, "k_min must be at least 1"),
    ],
)
def test_settings_that_make_no_sense_are_refused(given_: dict[str, object], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        GapSelector(**given_)  # type: ignore[arg-type]


def test_the_scales_are_what_their_names_say() -> None:
    np.testing.assert_allclose(logarithms([2.0, 0.0], "raw"), [np.log(2), -np.inf])
    np.testing.assert_allclose(logarithms([1.0, 0.0, -1.0], "cosine"), [0, np.log(0.5), -np.inf])
    # exp(0) / (exp(0) + exp(-1)) = 0.731
    np.testing.assert_allclose(
        np.exp(logarithms([7.0, 6.0], "softmax"))[0], 0.7310585786, rtol=1e-9
    )
