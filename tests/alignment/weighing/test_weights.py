import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medrag.alignment.weighing import normalised_weights, shuffled_weights

shares = st.floats(0, 1)


def test_weights_follow_the_formula() -> None:
    # mean 1/4, sigma sqrt(3)/4 = 0.4330; z = -0.5774 thrice and 1.7321.
    # 1 - 0.3162 * 0.5774 = 0.8174; 1 + 0.3162 * 1.7321 = 1.5477, cut to 1.25.
    weights = normalised_weights([0, 0, 0, 1])
    np.testing.assert_allclose(weights, [0.81743, 0.81743, 0.81743, 1.25], atol=1e-5)
    # (3 * 0.81743 + 1.25) / 4: the cut moves the mean.
    assert weights.mean() == pytest.approx(0.92557, abs=1e-5)


def test_what_lies_near_the_mean_is_not_cut() -> None:
    # mean 0, sigma sqrt((0.49 + 0.09) / 2) = 0.5385; 0.3 / 0.5385 = 0.5571, times 0.3162 = 0.1762.
    weights = normalised_weights([-0.7, -0.3, 0.3, 0.7])
    np.testing.assert_allclose(weights, [0.75, 0.8238, 1.1762, 1.25], atol=1e-4)


@given(st.lists(shares, min_size=2, max_size=20))
def test_where_scores_differ_at_all_some_weight_is_cut(scores: list[float]) -> None:
    # The mean of z squared is 1, so that some z lies at 1 or beyond, and the cut at 0.79.
    if np.std(scores) < 1e-6:
        return
    weights = normalised_weights(scores)
    assert (np.isclose(weights, 0.75) | np.isclose(weights, 1.25)).any()


@given(st.lists(shares, min_size=1, max_size=30))
def test_weights_lie_in_their_range_and_keep_the_order_of_scores(scores: list[float]) -> None:
    weights = normalised_weights(scores)
    assert ((weights >= 0.75) & (weights <= 1.25)).all()
    order = np.argsort(scores, kind="stable")
    assert (np.diff(weights[order]) >= 0).all()


@given(st.lists(shares, min_size=2, max_size=20), st.floats(0.01, 100), st.floats(-10, 10))
def test_the_scale_of_scores_does_not_matter(
    scores: list[float], factor: float, offset: float
) -> None:
    if np.std(scores) < 1e-3:
        return
    moved = [score * factor + offset for score in scores]
    np.testing.assert_allclose(normalised_weights(moved), normalised_weights(scores), atol=1e-6)


@pytest.mark.parametrize("scores", [[0.3], [0.1] * 7, [0.1 + 0.2, 0.3], [], [math.nan] * 3])
def test_scores_that_do_not_differ_weigh_one(scores: list[float]) -> None:
    assert normalised_weights(scores).tolist() == [1.0] * len(scores)


def test_a_pair_without_a_score_weighs_one_and_moves_no_other() -> None:
    weights = normalised_weights([0.2, math.nan, 0.8, math.nan])
    np.testing.assert_allclose(weights, [0.75, 1, 1.25, 1])


@pytest.mark.parametrize("scores", [[0.1, math.inf], [[0.1, 0.2]]])
def test_scores_that_are_no_finite_list_are_refused(scores: list[float]) -> None:
    with pytest.raises(ValueError, match="finite"):
        normalised_weights(scores)


@given(st.lists(shares, min_size=1, max_size=30))
def test_the_mean_can_be_made_exactly_one(scores: list[float]) -> None:
    weights = normalised_weights(scores, exact_mean=True)
    assert ((weights >= 0.75) & (weights <= 1.25)).all()
    # Halving ends at the precision of doubles.
    assert weights.mean() == pytest.approx(1.0, abs=1e-9)


@given(st.lists(shares, max_size=20), st.integers(0, 2**40))
def test_shuffled_weights_are_the_same_numbers_by_the_seed(weights: list[float], seed: int) -> None:
    dealt = shuffled_weights(weights, seed=seed)
    assert Counter(dealt.tolist()) == Counter(weights)
    np.testing.assert_array_equal(dealt, shuffled_weights(weights, seed=seed))


def test_shuffling_moves_weights_and_another_seed_otherwise() -> None:
    weights = np.linspace(0.75, 1.25, 50)
    dealt = shuffled_weights(weights, seed=0)
    assert (dealt != weights).mean() > 0.8
    assert (dealt != shuffled_weights(weights, seed=1)).any()
    assert abs(np.corrcoef(dealt, weights)[0, 1]) < 0.5


@given(st.lists(st.tuples(shares, st.sampled_from("ab")), max_size=20), st.integers(0, 99))
def test_weights_stay_within_their_group(pairs: list[tuple[float, str]], seed: int) -> None:
    groups = [name for _, name in pairs]
    dealt = shuffled_weights([weight for weight, _ in pairs], seed=seed, groups=groups)
    for name in "ab":
        held = Counter(weight for weight, group in pairs if group == name)
        assert held == Counter(
            weight for weight, group in zip(dealt.tolist(), groups, strict=True) if group == name
        )


def test_as_many_groups_as_weights_are_needed() -> None:
    with pytest.raises(ValueError, match="1 groups for 2 weights"):
        shuffled_weights([1.0, 1.0], seed=0, groups=["a"])
