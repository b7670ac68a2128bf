"""Losses by hand: answers of two tokens, whose probabilities are multiplied."""

from collections.abc import Callable
from math import exp, log

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from medrag.alignment.losses import (
    anchor_loss,
    hinge_loss,
    ipo_loss,
    sigmoid_loss,
    supervised_loss,
    weighted,
)

# Two tokens each. Policy: chosen 0.5 x 0.4 = 0.2, rejected 0.25 x 0.4 = 0.1; reference: chosen
# 0.5 x 0.2 = 0.1, rejected 0.5 x 0.4 = 0.2. So the ratios are log 2 and -log 2.
POLICY = (log(0.5) + log(0.4), log(0.25) + log(0.4))
REFERENCE = (log(0.5) + log(0.2), log(0.5) + log(0.4))

Pairwise = Callable[..., Tensor]
pairwise = pytest.mark.parametrize("loss", [sigmoid_loss, hinge_loss, ipo_loss])
ratios = st.floats(-20, 20)


def of(loss: Pairwise, chosen: float, rejected: float, beta: float = 0.5) -> float:
    return float(loss(torch.tensor([chosen]).double(), torch.tensor([rejected]), beta=beta))


def worked(loss: Pairwise, beta: float) -> float:
    return of(loss, POLICY[0] - REFERENCE[0], POLICY[1] - REFERENCE[1], beta)


def gradients(loss: Pairwise, chosen: float, rejected: float) -> tuple[float, float]:
    sides = torch.tensor([[chosen], [rejected]], requires_grad=True)
    loss(*sides, beta=0.5).sum().backward()
    assert sides.grad is not None
    return float(sides.grad[0]), float(sides.grad[1])


def test_the_sigmoid_loss_of_two_tokens() -> None:
    # margin: log 2 + log 2 = log 4, times 0.5: log 2; -log sigmoid(log 2) = log(1 + 1/2)
    assert worked(sigmoid_loss, 0.5) == pytest.approx(log(1.5), rel=1e-6)


def test_the_hinge_loss_of_two_tokens() -> None:
    # 1 - 0.5 log 4 = 1 - log 2
    assert worked(hinge_loss, 0.5) == pytest.approx(1 - log(2), rel=1e-6)


def test_the_hinge_loss_is_zero_behind_its_margin() -> None:
    # 1 - 1.0 x log 4 is below 0
    assert worked(hinge_loss, 1.0) == 0


def test_the_ipo_loss_of_two_tokens() -> None:
    # the target of beta 0.5 is a margin of 1 / (2 x 0.5) = 1: (log 4 - 1)^2
    assert worked(ipo_loss, 0.5) == pytest.approx((log(4) - 1) ** 2, rel=1e-6)


def test_the_ipo_loss_is_zero_at_its_target_and_grows_on_both_sides() -> None:
    # beta 0.1: 1 / 0.2 = 5
    assert of(ipo_loss, 3, -2, 0.1) == pytest.approx(0)
    assert of(ipo_loss, 4, -2, 0.1) == pytest.approx(1)
    assert of(ipo_loss, 2, -2, 0.1) == pytest.approx(1)


def test_the_anchor_loss_of_two_tokens() -> None:
    # 0.5 x log 2 = log sqrt 2; -log sigmoid = log(1 + 1 / sqrt 2)
    found = anchor_loss(torch.tensor([POLICY[0] - REFERENCE[0]]), beta=0.5)
    assert float(found) == pytest.approx(log(1 + 2**-0.5), rel=1e-6)


def test_the_anchor_loss_falls_as_the_chosen_answer_gets_likelier() -> None:
    chosen = torch.tensor([-1.0, 0.0, 1.0])
    assert anchor_loss(chosen, beta=0.5).diff().lt(0).all()


def test_the_supervised_loss_is_what_a_token_takes() -> None:
    # -(log 0.5 + log 0.4) / 2 = log 5 / 2
    found = supervised_loss(torch.tensor([POLICY[0]]), torch.tensor([2]))
    assert float(found) == pytest.approx(log(5) / 2, rel=1e-6)


@given(ratio=ratios, beta=st.floats(0.01, 5))
def test_equal_sides_give_log_2(ratio: float, beta: float) -> None:
    assert of(sigmoid_loss, ratio, ratio, beta) == pytest.approx(log(2))


@pairwise
@given(margin=st.floats(-1.9, 0.9))
def test_a_gradient_raises_the_chosen_answer_and_lowers_the_other(
    loss: Pairwise, margin: float
) -> None:
    # Short of every target: hinge ends at a margin of 2, IPO has its target at 1.
    chosen, rejected = gradients(loss, margin, 0)
    assert chosen < 0 < rejected
    assert chosen == pytest.approx(-rejected)


@given(margin=ratios)
def test_the_sigmoid_gradient_is_beta_times_the_chance_of_being_wrong(margin: float) -> None:
    # d/dm -log sigmoid(0.5 m) = -0.5 sigmoid(-0.5 m)
    chosen, _ = gradients(sigmoid_loss, margin, 0)
    assert chosen == pytest.approx(-0.5 / (1 + exp(0.5 * margin)), rel=1e-4, abs=1e-8)


@pairwise
def test_identical_sides_have_no_gradient(loss: Pairwise) -> None:
    # Both sides are one and the same number, so what raises the one raises the other.
    both = torch.tensor([-3.0], requires_grad=True)
    loss(both, both, beta=0.5).sum().backward()
    assert both.grad is not None
    assert float(both.grad) == 0


@pairwise
@given(other=st.floats(0.1, 3))
def test_a_weight_of_0_removes_loss_and_gradient_of_a_row(loss: Pairwise, other: float) -> None:
    chosen = torch.tensor([0.3, -0.2], requires_grad=True)
    rows = weighted(loss(chosen, torch.zeros(2), beta=0.5), torch.tensor([0.0, other]))
    rows.sum().backward()
    assert rows[0] == 0
    assert chosen.grad is not None
    assert chosen.grad[0] == 0
    assert chosen.grad[1] != 0


def test_a_weight_multiplies_loss_and_gradient() -> None:
    chosen = torch.tensor([0.3, 0.3], requires_grad=True)
    rows = weighted(sigmoid_loss(chosen, torch.zeros(2), beta=0.5), torch.tensor([1.0, 2.5]))
    rows.sum().backward()
    assert chosen.grad is not None
    torch.testing.assert_close(rows[1], 2.5 * rows[0])
    torch.testing.assert_close(chosen.grad[1], 2.5 * chosen.grad[0])
