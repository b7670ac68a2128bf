from math import erf, exp, pi, sqrt
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medrag.alignment.corruption import add_gaussian, blank, replace_gaussian
from medrag.evaluation.arms import StandIns
from medrag.images import read_image
from medrag.records import ImageRef
from tests.alignment.corruption.pictures import plain, saved, shapes


def density(x: float) -> float:
    return exp(-x * x / 2) / sqrt(2 * pi)


def below(x: float) -> float:
    return (1 + erf(x / sqrt(2))) / 2


def test_noise_in_place_of_a_picture_has_the_moments_of_a_cut_normal() -> None:
    # max(0, min(1, N)): mean = phi(0) - phi(1) + P(N > 1) = 0.3989 - 0.2420 + 0.1587 = 0.3156;
    # mean square = (P(0 < N < 1) - phi(1)) + P(N > 1) = 0.3413 - 0.2420 + 0.1587 = 0.2580.
    levels = replace_gaussian(plain(300, 400, (10, 20, 30))) / 255
    mean = density(0) - density(1) + 1 - below(1)
    square = below(1) - 0.5 - density(1) + 1 - below(1)
    # 360,000 draws of standard deviation 0.4: the mean is known to 0.0007, three of them 0.002.
    assert levels.mean() == pytest.approx(mean, abs=0.002)
    assert levels.var() == pytest.approx(square - mean**2, abs=0.002)


def test_half_of_the_noise_is_black_and_a_sixth_is_full() -> None:
    noise = replace_gaussian(plain(300, 400, (10, 20, 30)))
    # Rounding takes what lies below 0.5 / 255 and above 254.5 / 255 with it.
    assert (noise == 0).mean() == pytest.approx(below(0.5 / 255), abs=0.003)
    assert (noise == 255).mean() == pytest.approx(1 - below(254.5 / 255), abs=0.003)


def test_nothing_of_a_picture_is_left_in_its_noise() -> None:
    generator = np.random.default_rng(0)
    picture = generator.integers(0, 256, (200, 200, 3), dtype=np.uint8)
    noise = replace_gaussian(picture)
    # Of 120,000 pairs without relation the correlation has a standard error of 0.003.
    assert abs(np.corrcoef(picture.ravel(), noise.ravel())[0, 1]) < 0.012


def test_channels_of_noise_differ() -> None:
    noise = replace_gaussian(plain(100, 100, (9, 9, 9))).astype(float)
    assert abs(np.corrcoef(noise[..., 0].ravel(), noise[..., 1].ravel())[0, 1]) < 0.05


def test_added_noise_keeps_the_mean_and_has_its_standard_deviation() -> None:
    # Five standard deviations of 0.1 around 0.5 lie within the range: nothing is cut.
    levels = add_gaussian(plain(300, 400, (128, 128, 128))) / 255
    assert levels.mean() == pytest.approx(128 / 255, abs=0.001)
    assert levels.std() == pytest.approx(0.1, abs=0.001)


@pytest.mark.parametrize("std", [0.02, 0.05, 0.15])
def test_added_noise_is_as_strong_as_it_is_told(std: float) -> None:
    levels = add_gaussian(plain(300, 400, (128, 128, 128)), std=std) / 255
    assert levels.std() == pytest.approx(std, abs=0.001)


def test_added_noise_on_black_is_cut_to_half() -> None:
    # max(0, N(0, 0.1)) has the mean 0.1 phi(0) = 0.0399.
    levels = add_gaussian(plain(300, 400, (0, 0, 0))) / 255
    assert levels.mean() == pytest.approx(0.1 * density(0), abs=0.001)


def test_added_noise_keeps_the_order_of_channels() -> None:
    noised = add_gaussian(plain(80, 80, (230, 120, 20))).reshape(-1, 3).mean(axis=0)
    np.testing.assert_allclose(noised, (228, 120, 22), atol=4)


@pytest.mark.parametrize("std", [0.0, -1.0, float("nan"), float("inf")])
def test_a_standard_deviation_that_is_none_is_refused(std: float) -> None:
    with pytest.raises(ValueError, match="std must be positive"):
        add_gaussian(plain(2, 2, (1, 1, 1)), std=std)


@given(shape=shapes, colour=st.tuples(*[st.integers(0, 255)] * 3))
def test_a_blank_picture_is_of_one_grey_whatever_it_was(
    shape: tuple[int, int], colour: tuple[int, int, int]
) -> None:
    made = blank(plain(*shape, colour))
    assert made.shape == (*shape, 3)
    assert np.unique(made).tolist() == [128]


def test_a_blank_picture_is_that_of_an_evaluation(tmp_path: Path) -> None:
    picture = plain(7, 5, (200, 10, 10))
    ref = ImageRef(saved(tmp_path / "a.png", picture))
    arm = StandIns(folder=tmp_path / "arms", seed=0).blank(ref)
    np.testing.assert_array_equal(blank(picture), read_image(arm))
