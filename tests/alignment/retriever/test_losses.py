"""Losses of a retriever against numbers worked by hand."""

from math import exp, log

import numpy as np
import open_clip
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from medrag.alignment.retriever.losses import (
    LARGEST_LOG_SCALE,
    clamp_scale,
    contrastive_loss,
    reader_loss,
)

ONE = torch.tensor(0.0)  # a scale of 1


def unit(seed: int, n: int, d: int = 4) -> torch.Tensor:
    rows = torch.randn(n, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return torch.nn.functional.normalize(rows, dim=1)


def test_two_pairs_cost_what_two_softmaxes_say() -> None:
    # cosines: [[1, 0.6], [0, 0.8]], scale 1
    images = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    texts = torch.tensor([[1.0, 0.0], [0.6, 0.8]])
    # pictures to texts: rows  log(e^1 + e^0.6) - 1 = 0.5130, log(e^0 + e^0.8) - 0.8 = 0.3711
    forth = (log(exp(1) + exp(0.6)) - 1 + log(1 + exp(0.8)) - 0.8) / 2
    # texts to pictures: columns  log(e^1 + e^0) - 1 = 0.3133, log(e^0.6 + e^0.8) - 0.8 = 0.5981
    back = (log(exp(1) + 1) - 1 + log(exp(0.6) + exp(0.8)) - 0.8) / 2
    for weight in (0.0, 0.5, 0.75, 1.0):
        loss = contrastive_loss(images, texts, ONE, image_weight=weight)
        assert_allclose(float(loss), weight * forth + (1 - weight) * back, rtol=1e-6)


def test_pairs_that_cannot_be_told_apart_cost_the_logarithm_of_their_number() -> None:
    rows = torch.ones(5, 1)
    assert_allclose(float(contrastive_loss(rows, rows, ONE)), log(5), rtol=1e-6)


def test_at_equal_weights_pictures_and_texts_may_change_places() -> None:
    images, texts = unit(0, 6), unit(1, 6)
    there, back = contrastive_loss(images, texts, ONE), contrastive_loss(texts, images, ONE)
    assert_allclose(float(there), float(back), rtol=1e-12)


def test_the_loss_of_clip_is_a_case_of_it() -> None:
    images, texts, log_scale = unit(6, 7), unit(7, 7), torch.tensor(log(20.0), dtype=torch.float64)
    theirs = open_clip.ClipLoss()(images, texts, log_scale.exp())
    ours = contrastive_loss(images, texts, log_scale)
    assert_allclose(float(ours), float(theirs), rtol=1e-12)


@given(st.permutations(range(5)))
def test_the_order_of_pairs_does_not_matter(order: list[int]) -> None:
    images, texts = unit(2, 5), unit(3, 5)
    positives = torch.eye(5, dtype=torch.bool)
    positives[0, 3] = positives[3, 0] = True
    whole = contrastive_loss(images, texts, ONE, image_weight=0.75, positives=positives)
    moved = contrastive_loss(
        images[order], texts[order], ONE, image_weight=0.75, positives=positives[order][:, order]
    )
    assert_allclose(float(moved), float(whole), rtol=1e-12)


def test_a_step_against_the_gradient_brings_a_picture_to_its_text() -> None:
    image = torch.tensor([[0.6, 0.8], [0.8, -0.6]], requires_grad=True)
    texts = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    contrastive_loss(image, texts, ONE, image_weight=1.0).backward()  # type: ignore[no-untyped-call]
    assert image.grad is not None
    # Towards its own text, away from the other's.
    assert image.grad[0, 0] < 0 < image.grad[0, 1]
    assert image.grad[1, 1] < 0 < image.grad[1, 0]


def test_a_hard_negative_makes_pictures_look_harder_and_no_text() -> None:
    images = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    further = torch.cat([images, torch.tensor([[1.0, 0.0]])])
    # pictures: the first has log(2 e + 1) - 1, the second log(e + 2) - 1; texts are as before
    forth = (log(2 * exp(1) + 1) + log(exp(1) + 2)) / 2 - 1
    back = log(exp(1) + 1) - 1
    loss = contrastive_loss(images, further, ONE, image_weight=0.5)
    assert_allclose(float(loss), (forth + back) / 2, rtol=1e-6)


def test_two_right_texts_share_what_a_picture_looks_for() -> None:
    # Texts 0 and 1 are equal and right for both pictures; 2 is wrong for them.
    texts = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    positives = torch.tensor([[1, 1, 0], [1, 1, 0], [0, 0, 1]], dtype=torch.bool)
    loss = contrastive_loss(texts, texts, ONE, positives=positives)
    # rows 0 and 1: log(2 e + 1) - 1 for either text; row 2: log(2 + e) - 1; likewise in columns
    worked = (2 * (log(2 * exp(1) + 1) - 1) + log(2 + exp(1)) - 1) / 3
    assert_allclose(float(loss), worked, rtol=1e-6)


def test_what_nobody_can_say_counts_for_nothing() -> None:
    images, texts = unit(4, 3), unit(5, 3)
    ignored = torch.zeros(3, 3, dtype=torch.bool)
    ignored[0, 1] = ignored[1, 0] = True
    loss = contrastive_loss(images, texts, ONE, image_weight=1.0, ignored=ignored)
    scores = (images @ texts.T).numpy()
    rows = [
        log(np.exp(scores[row][kept]).sum()) - scores[row, row]
        for row, kept in ((0, [0, 2]), (1, [1, 2]), (2, [0, 1, 2]))
    ]
    assert_allclose(float(loss), np.mean(rows), rtol=1e-12)


def test_an_equal_text_that_is_a_positive_pulls_and_does_not_push() -> None:
    image = torch.tensor([[0.6, 0.8]], requires_grad=True)
    texts = torch.tensor([[0.0, 1.0], [1.0, 0.0]])
    positives = torch.tensor([[True, True]])
    loss = contrastive_loss(image, texts, ONE, image_weight=1.0, positives=positives)
    loss.backward()  # type: ignore[no-untyped-call]
    assert image.grad is not None
    # The farther of the two pulls harder.
    assert image.grad[0, 0] < 0


@pytest.mark.parametrize("weight", [-0.1, 1.1, float("nan")])
def test_a_weight_out_of_range_is_refused(weight: float) -> None:
    with pytest.raises(ValueError, match="image_weight"):
        contrastive_loss(unit(0, 2), unit(1, 2), ONE, image_weight=weight)


def test_the_scale_stays_between_one_and_a_hundred() -> None:
    scales = torch.nn.Parameter(torch.tensor([-3.0, 2.0, 7.0]))
    clamp_scale(scales)
    assert_allclose(scales.detach().numpy(), [0.0, 2.0, LARGEST_LOG_SCALE], rtol=1e-6)


def test_a_retriever_that_agrees_with_its_reader_costs_nothing() -> None:
    # Scores log 3 and 0 are shares 3/4 and 1/4.
    scores = torch.tensor([[log(3.0), 0.0]])
    targets = torch.tensor([[0.75, 0.25]])
    assert_allclose(float(reader_loss(scores, targets, ONE)), 0, atol=1e-7)


def test_disagreement_with_the_reader_is_a_divergence() -> None:
    # Equal scores are shares of 1/2: 0.75 log(0.75 / 0.5) + 0.25 log(0.25 / 0.5) = 0.1308
    loss = reader_loss(torch.zeros(1, 2), torch.tensor([[0.75, 0.25]]), ONE)
    assert_allclose(float(loss), 0.75 * log(1.5) + 0.25 * log(0.5), rtol=1e-6)


def test_a_passage_that_is_not_shown_takes_no_share() -> None:
    scores = torch.tensor([[0.0, 0.0, 9.0]], requires_grad=True)
    targets = torch.tensor([[0.75, 0.25, 0.0]])
    shown = torch.tensor([[True, True, False]])
    loss = reader_loss(scores, targets, ONE, shown=shown)
    loss.backward()  # type: ignore[no-untyped-call]
    assert_allclose(float(loss.detach()), 0.75 * log(1.5) + 0.25 * log(0.5), rtol=1e-6)
    assert scores.grad is not None
    # The first has a share of 1/2 and should have 3/4; the hidden one feels nothing.
    assert_allclose(scores.grad.numpy(), [[-0.25, 0.25, 0.0]], atol=1e-6)
