"""GRPO in numbers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from medrag.alignment.grpo import clipped_loss, divergence, entropy_scales, group_advantages

NAN = float("nan")


def test_an_advantage_is_how_far_a_reward_lies_from_the_mean_of_its_group() -> None:
    # Mean 2, deviation of the sample sqrt((1 + 1) / 1) = sqrt(2): -1 / sqrt(2), 1 / sqrt(2).
    advantages = group_advantages(np.array([1.0, 3.0, 5.0, 5.0]), replies=2, eta=0.0 + 1e-12)
    np.testing.assert_allclose(advantages, [-(0.5**0.5), 0.5**0.5, 0, 0], atol=1e-9)


def test_a_reply_without_a_reward_counts_for_nothing_in_its_group() -> None:
    advantages = group_advantages(np.array([1.0, NAN, 3.0, NAN, NAN, 7.0]), replies=3, eta=1e-12)
    np.testing.assert_allclose(advantages, [-(0.5**0.5), 0, 0.5**0.5, 0, 0, 0], atol=1e-9)


@given(arrays(np.float64, 12, elements=st.floats(-4, 4)))
def test_advantages_of_a_group_add_up_to_nothing_and_keep_the_order(rewards: np.ndarray) -> None:
    groups = group_advantages(rewards, replies=4).reshape(3, 4)
    np.testing.assert_allclose(groups.sum(axis=1), 0, atol=1e-6)
    for group, given_rewards in zip(groups, rewards.reshape(3, 4), strict=True):
        assert (np.diff(group[np.argsort(given_rewards)]) >= -1e-9).all()


def test_advantages_of_a_prompt_are_scaled_by_how_unsure_the_policy_is_of_it() -> None:
    # Mean entropies 1 and 3, mean of both 2: shares 0.5 and 1.5.
    entropies = np.array([0.5, 1.5, 3.0, 3.0])
    scales = entropy_scales(entropies, replies=2, strength=1.0, limit=4.0)
    np.testing.assert_allclose(scales, [0.5, 0.5, 1.5, 1.5])
    squared = entropy_scales(entropies, replies=2, strength=2.0, limit=1.25)
    # Clipped to 0.8 and 1.25 before the square.
    np.testing.assert_allclose(squared, [0.64, 0.64, 1.5625, 1.5625])


def test_a_strength_of_0_and_prompts_alike_unsure_leave_advantages_as_they_are() -> None:
    some = np.array([0.1, 0.2, 3.0, 4.0])
    assert (entropy_scales(some, replies=2, strength=0.0, limit=2.0) == 1).all()
    assert (entropy_scales(np.ones(4), replies=2, strength=1.0, limit=2.0) == 1).all()
    assert (entropy_scales(np.zeros(4), replies=2, strength=1.0, limit=2.0) == 1).all()


def test_a_reply_that_does_not_count_has_no_entropy() -> None:
    scales = entropy_scales(np.array([1.0, NAN, NAN, NAN]), replies=2, strength=1.0, limit=2.0)
    np.testing.assert_allclose(scales, 1)


@given(arrays(np.float64, 6, elements=st.floats(0, 9) | st.just(NAN)), st.floats(0, 3))
def test_a_scale_never_turns_an_advantage_round(entropies: np.ndarray, strength: float) -> None:
    scales = entropy_scales(entropies, replies=3, strength=strength, limit=2.0)
    assert ((scales > 0) & (scales <= 2.0**strength + 1e-9)).all()


def test_the_ratio_is_clipped_where_it_would_pay_to_go_on() -> None:
    log_p, log_old = np.log([[0.6], [0.6], [0.2], [0.2]]), np.log([[0.4]] * 4)
    # Ratios 1.5, 1.5, 0.5, 0.5; clipped to 1.2 for a good reply and to 0.8 for a bad one.
    loss = clipped_loss(log_p, log_old, np.array([1.0, -1, 1, -1]), low=0.2, high=0.2)
    np.testing.assert_allclose(loss[:, 0], [-1.2, 1.5, -0.5, 0.8])


def test_the_divergence_is_0_where_policy_and_reference_agree_and_above_elsewhere() -> None:
    # r = log(0.5 / 0.25) = log 2: 2 - log 2 - 1.
    found = divergence(np.log([0.25, 0.5]), np.log([0.5, 0.5]))
    np.testing.assert_allclose(found, [1 - np.log(2), 0], atol=1e-12)


def test_rewards_that_make_no_whole_groups_are_refused() -> None:
    with pytest.raises(ValueError, match="do not make groups of 4"):
        group_advantages(np.zeros(6), replies=4)
