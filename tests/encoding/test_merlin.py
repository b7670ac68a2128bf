from itertools import permutations, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from medrag.encoding.merlin import (
    SHAPE,
    fitted,
    merlin_input,
    resampled,
    scaled,
    spacing_of,
    to_ras,
)

Floats = NDArray[np.float32]


def noise(shape: tuple[int, ...], seed: int = 0) -> Floats:
    return np.random.default_rng(seed).normal(0, 400, shape).astype(np.float32)


def stored(
    values: Floats, spacing: tuple[float, float, float], order: tuple[int, ...], flips: tuple
) -> tuple[Floats, NDArray[np.float64]]:
    """Store a scan that is in RAS order with other axes, as a scanner might; and its affine."""
    affine = np.diag([*spacing, 1.0])
    affine[:3, 3] = (-40, 30, 7)
    turned = values.transpose(order)
    matrix = affine.copy()
    matrix[:3, :3] = affine[:3, :3][:, list(order)]
    for axis, flip in enumerate(flips):
        if flip:
            turned = np.flip(turned, axis)
            matrix[:3, 3] += matrix[:3, axis] * (turned.shape[axis] - 1)
            matrix[:3, axis] *= -1
    return turned, matrix


@pytest.mark.parametrize("order", list(permutations(range(3))))
@pytest.mark.parametrize("flips", list(product([False, True], repeat=3)))
def test_every_orientation_comes_to_the_same_scan(
    order: tuple[int, ...], flips: tuple[bool, ...]
) -> None:
    values = noise((4, 5, 6))
    turned, affine = stored(values, (1.0, 2.0, 3.0), order, flips)
    upright = to_ras(turned, affine)
    np.testing.assert_array_equal(upright.values, values)
    np.testing.assert_allclose(np.diag(upright.affine), (1, 2, 3, 1))
    np.testing.assert_allclose(upright.affine[:3, 3], (-40, 30, 7))
    assert spacing_of(affine) == pytest.approx(np.array([1.0, 2.0, 3.0])[list(order)])


def test_turning_twice_turns_once() -> None:
    turned, affine = stored(noise((4, 5, 6)), (1, 1, 1), (2, 0, 1), (True, False, True))
    once = to_ras(turned, affine)
    twice = to_ras(once.values, once.affine)
    np.testing.assert_array_equal(once.values, twice.values)
    np.testing.assert_array_equal(once.affine, twice.affine)


def test_an_oblique_scan_comes_to_its_nearest_axes() -> None:
    angle = np.deg2rad(20)
    affine = np.eye(4)
    affine[:2, :2] = [[-np.cos(angle), -np.sin(angle)], [np.sin(angle), -np.cos(angle)]]
    values = noise((3, 4, 5))
    np.testing.assert_array_equal(to_ras(values, affine).values, values[::-1, ::-1])


@given(
    shape=st.tuples(*[st.integers(1, 7)] * 3),
    spacing=st.tuples(*[st.floats(0.3, 6)] * 3),
)
def test_resampling_to_its_own_spacing_changes_nothing(
    shape: tuple[int, int, int], spacing: tuple[float, float, float]
) -> None:
    values = noise(shape)
    np.testing.assert_array_equal(resampled(values, spacing, spacing), values)


@given(
    shape=st.tuples(*[st.integers(1, 9)] * 3),
    spacing=st.tuples(*[st.floats(0.4, 5)] * 3),
    slopes=st.tuples(*[st.floats(-9, 9)] * 3),
)
def test_a_ramp_stays_a_ramp(
    shape: tuple[int, int, int],
    spacing: tuple[float, float, float],
    slopes: tuple[float, float, float],
) -> None:
    # Linear interpolation is exact on a linear function of the millimetres from the first voxel.
    target = (1.5, 1.5, 3.0)
    places = np.meshgrid(
        *[np.arange(n) * mm for n, mm in zip(shape, spacing, strict=True)], indexing="ij"
    )
    ramp = sum(slope * mm for slope, mm in zip(slopes, places, strict=True))
    found = resampled(np.asarray(ramp, dtype=np.float32), spacing, target)
    ends = [(n - 1) * mm for n, mm in zip(shape, spacing, strict=True)]
    assert found.shape == tuple(
        round(end / step) + 1 for end, step in zip(ends, target, strict=True)
    )
    new = np.meshgrid(
        *[
            np.minimum(np.arange(n) * step, end)
            for n, step, end in zip(found.shape, target, ends, strict=True)
        ],
        indexing="ij",
    )
    expected = sum(slope * mm for slope, mm in zip(slopes, new, strict=True))
    np.testing.assert_allclose(found, expected, atol=1e-3)


def test_half_the_spacing_puts_the_mean_between_two_voxels() -> None:
    values = np.array([0.0, 10.0, 30.0], dtype=np.float32).reshape(3, 1, 1)
    found = resampled(values, (3.0, 1.0, 1.0), (1.5, 1.0, 1.0))
    assert found.ravel().tolist() == [0, 5, 10, 20, 30]


def test_the_window_of_hounsfield_units_becomes_0_to_1() -> None:
    values = np.array([-3000, -1000, 0, 500, 1000, 3071], dtype=np.float32)
    assert scaled(values).tolist() == [0, 0, 0.5, 0.75, 1, 1]


@given(
    shape=st.tuples(*[st.integers(1, 12)] * 3),
    wanted=st.tuples(*[st.integers(1, 12)] * 3),
)
def test_fitting_keeps_the_middle_and_fitting_twice_fits_once(
    shape: tuple[int, int, int], wanted: tuple[int, int, int]
) -> None:
    values = np.abs(noise(shape)) + 1
    once = fitted(values, wanted)
    assert once.shape == wanted
    np.testing.assert_array_equal(fitted(once, wanted), once)
    kept = [min(n, m) for n, m in zip(shape, wanted, strict=True)]
    assert np.count_nonzero(once) == np.prod(kept)
    # A slow way: voxel by voxel.
    for place in np.ndindex(*wanted):
        source = [
            i + n // 2 - m // 2 if n > m else i - (m - n) // 2
            for i, n, m in zip(place, shape, wanted, strict=True)
        ]
        inside = all(0 <= i < n for i, n in zip(source, shape, strict=True))
        assert once[place] == (values[tuple(source)] if inside else 0)


def test_a_whole_scan_becomes_what_merlin_takes() -> None:
    # 40 x 30 x 20 voxels of 3 x 3 x 6 mm, stored from left to right: 79 x 59 x 39 of 1.5 x 1.5 x 3.
    values = noise((40, 30, 20))
    found = merlin_input(values[::-1], np.diag([-3.0, 3.0, 6.0, 1.0]))
    assert found.shape == SHAPE
    assert found.dtype == np.float32
    assert found.min() >= 0
    assert found.max() <= 1
    # (224 - 79) // 2 = 72, (224 - 59) // 2 = 82, (160 - 39) // 2 = 60; every other is a voxel.
    inside = found[72 : 72 + 79 : 2, 82 : 82 + 59 : 2, 60 : 60 + 39 : 2]
    np.testing.assert_allclose(inside, scaled(values), atol=1e-6)
    assert not found[:72].any()
    assert not found[72 + 79 :].any()


@pytest.mark.parametrize(
    ("values", "affine", "message"),
    [
        (np.zeros((2, 2)), np.eye(4), "three dimensions"),
        (np.zeros((2, 2, 2)), np.eye(3), "4 x 4"),
        (np.zeros((2, 2, 2)), np.diag([1.0, np.nan, 1, 1]), "finite"),
        (np.zeros((2, 2, 2)), np.diag([1.0, 0, 1, 1]), "on a plane"),
    ],
)
def test_what_is_no_scan_is_refused(
    values: Floats, affine: NDArray[np.float64], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        merlin_input(values, affine)


def test_a_spacing_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="above 0"):
        resampled(noise((2, 2, 2)), (1.0, 0.0, 1.0))
