import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medrag.alignment.corruption import diffusion, lesion_mask, signal
from tests.alignment.corruption.pictures import plain, random, shapes


def test_before_any_step_all_of_a_picture_is_left() -> None:
    assert signal(0) == 1.0


def test_the_first_step_takes_its_own_share_only() -> None:
    # beta = sigmoid(-6) * (0.005 - 0.00001) + 0.00001 = 0.0024726 * 0.00499 + 0.00001 = 2.2338e-5
    assert 1 - signal(1) == pytest.approx(2.2338e-5, rel=1e-4)


@pytest.mark.parametrize("step", [1, 2, 10, 500, 999, 1000])
def test_what_is_left_is_the_product_of_all_steps_so_far(step: int) -> None:
    left = 1.0
    for n in range(step):
        place = -6 + 12 * n / 999
        left *= 1 - ((0.5e-2 - 1e-5) / (1 + math.exp(-place)) + 1e-5)
    # A thousand products in double precision.
    assert signal(step) == pytest.approx(left, rel=1e-12)


def test_every_step_takes_something_away() -> None:
    left = [signal(step) for step in range(1001)]
    assert all(later < before for before, later in pairwise(left))
    assert left[-1] == pytest.approx(0.0812, abs=1e-4)


@pytest.mark.parametrize("step", [-1, 1001, 1.5])
def test_a_step_that_is_none_is_refused(step: int) -> None:
    with pytest.raises(ValueError, match="step must be a whole number from 0 to 1000"):
        signal(step)


@given(shape=shapes, seed=st.integers(0, 2**70))
def test_no_step_changes_nothing(shape: tuple[int, int], seed: int) -> None:
    picture = random(*shape)
    np.testing.assert_array_equal(diffusion(picture, step=0, seed=seed), picture)


@pytest.mark.parametrize(("step", "level"), [(100, 60), (250, 160), (250, 128)])
def test_noise_has_the_mean_and_the_variance_of_the_schedule(step: int, level: int) -> None:
    # In [-1, 1]: mean sqrt(a) x, variance 1 - a. These lie 4 standard deviations within the range,
    # so that cutting changes neither by more than 1e-4.
    a = signal(step)
    x = level / 127.5 - 1
    noised = diffusion(plain(300, 400, (level,) * 3), step=step) / 127.5 - 1
    assert 4 * math.sqrt(1 - a) < 1 - abs(x)
    # 360,000 draws; rounding to bytes adds 1/12 of a squared level, 5e-6.
    assert noised.mean() == pytest.approx(math.sqrt(a) * x, abs=0.001)
    assert noised.var() == pytest.approx(1 - a, rel=0.02)


def test_strong_noise_is_cut_at_black_and_white() -> None:
    # Grey at step 1000: N(0, 0.9188) in [-1, 1]; P(|N| > 1) = 2 (1 - Phi(1 / 0.9585)) = 0.297.
    noised = diffusion(plain(300, 400, (128, 128, 128)), step=1000)
    assert ((noised == 0) | (noised == 255)).mean() == pytest.approx(0.297, abs=0.004)
    assert noised.mean() == pytest.approx(127.5, abs=0.6)


def test_a_picture_shines_through_its_noise_as_the_schedule_says() -> None:
    dark = diffusion(plain(200, 200, (100, 100, 100)), step=500, seed=1).mean()
    bright = diffusion(plain(200, 200, (150, 150, 150)), step=500, seed=1).mean()
    # 50 levels apart, times sqrt(0.7467) = 0.864; the range cuts about 5% of either noise.
    assert bright - dark == pytest.approx(0.864 * 50, rel=0.08)


def test_noise_keeps_the_order_of_channels() -> None:
    noised = diffusion(plain(100, 100, (200, 128, 60)), step=300).reshape(-1, 3).mean(axis=0)
    assert noised[0] > noised[1] > noised[2]


@given(shape=shapes, data=st.data())
def test_outside_of_a_lesion_every_byte_stays(shape: tuple[int, int], data: st.DataObject) -> None:
    picture = random(*shape)
    cells = st.lists(st.sampled_from([0.0, 0.3, 1.0]), min_size=shape[0] * shape[1],
                     max_size=shape[0] * shape[1])  # fmt: skip
    heat = np.array(data.draw(cells), np.float32).reshape(shape)
    step, seed = data.draw(st.integers(0, 1000)), data.draw(st.integers(0, 5))
    made = lesion_mask(picture, heat, step=step, seed=seed)
    np.testing.assert_array_equal(made[heat == 0], picture[heat == 0])


def test_a_red_picture_stays_red_outside_of_its_lesion() -> None:
    heat = np.zeros((40, 40), np.float32)
    heat[10:20, 10:20] = 1
    made = lesion_mask(plain(40, 40, (255, 0, 0)), heat, step=800)
    assert {tuple(pixel) for pixel in made[heat == 0].tolist()} == {(255, 0, 0)}
    assert (made[heat == 1] != (255, 0, 0)).any(axis=1).mean() > 0.9


def test_a_map_that_is_warm_all_over_is_diffusion_of_the_whole() -> None:
    picture = random(9, 7)
    whole = lesion_mask(picture, np.ones((9, 7), np.float32), step=400, seed=3)
    np.testing.assert_array_equal(whole, diffusion(picture, step=400, seed=3))


def test_a_half_warm_map_mixes_as_the_formula_says() -> None:
    # h = 0.5, a = 0.7467: mean (sqrt(a) h + 1 - h) x = 0.9321 x, deviation sqrt(1 - a) h = 0.2517.
    a = signal(500)
    picture = plain(300, 400, (140, 140, 140))
    made = lesion_mask(picture, np.full((300, 400), 0.5, np.float32), step=500) / 127.5 - 1
    x = 140 / 127.5 - 1
    assert made.mean() == pytest.approx((math.sqrt(a) * 0.5 + 0.5) * x, abs=0.002)
    assert made.std() == pytest.approx(math.sqrt(1 - a) * 0.5, rel=0.01)


@pytest.mark.parametrize("level", [-0.1, 1.1, float("nan")])
def test_heat_beyond_its_range_is_refused(level: float) -> None:
    with pytest.raises(ValueError, match=r"heat must lie in \[0, 1\]"):
        lesion_mask(plain(2, 2, (0, 0, 0)), np.full((2, 2), level, np.float32), step=1)


def test_heat_of_another_shape_is_refused() -> None:
    with pytest.raises(ValueError, match="heat must have the shape of the picture"):
        lesion_mask(plain(2, 3, (0, 0, 0)), np.ones((3, 2), np.float32), step=1)
