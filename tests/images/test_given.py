import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from medrag.images.given import at_most, jpeg, png, resized
from tests.images.scenes import scene


@given(st.integers(1, 60), st.integers(1, 60), st.integers(1, 2000))
def test_a_picture_has_no_more_pixels_than_it_may(height: int, width: int, most: int) -> None:
    given = at_most(np.zeros((height, width, 3), dtype=np.uint8), most)
    # Of a strip that is one pixel wide, the other side alone can be less.
    assert given.shape[0] * given.shape[1] <= most or 1 in given.shape[:2]
    assert given.shape[0] <= height
    assert given.shape[1] <= width


def test_a_picture_keeps_its_proportions_when_it_is_made_smaller() -> None:
    assert at_most(np.zeros((400, 200, 3), dtype=np.uint8), 200 * 100).shape == (200, 100, 3)


@pytest.mark.parametrize("most", [None, 96 * 128])
def test_a_picture_that_has_no_more_pixels_than_it_may_stays_as_it_is(most: int | None) -> None:
    pixels = scene()
    assert at_most(pixels, most) is pixels


def test_a_picture_can_be_brought_to_a_size() -> None:
    assert resized(scene(), (30, 50)).shape == (30, 50, 3)


def test_png_loses_nothing() -> None:
    read = np.asarray(Image.open(io.BytesIO(png(scene()))))
    np.testing.assert_array_equal(read, scene())


def test_jpeg_of_a_lower_quality_is_smaller() -> None:
    assert Image.open(io.BytesIO(jpeg(scene(), 90))).size == (128, 96)
    assert len(jpeg(scene(), 20)) < len(jpeg(scene(), 90))
