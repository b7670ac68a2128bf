"""Boxes that are drawn onto pictures."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pymupdf
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from medrag.codec import image_from_json, to_json
from medrag.errors import InputFileError
from medrag.images import identified, pixel_sha256, read_image
from medrag.images.marking import COLOUR, marked, thickness
from medrag.records import Box, ImageRef
from tests.images.scenes import Pixels, saved, scene

SIDE = st.integers(1, 900)
EDGE = st.floats(-50, 950)


def grey(height: int, width: int) -> Pixels:
    return np.full((height, width, 3), 77, dtype=np.uint8)


def near_edges(box: Box, height: int, width: int, reach: int) -> np.ndarray:
    """Pixels at most `reach` from the edge of a box, and not further in or out."""
    y, x = np.mgrid[:height, :width]
    left, top, right, bottom = np.floor(box[0]), np.floor(box[1]), np.ceil(box[2]), np.ceil(box[3])
    left, top = max(left, 0), max(top, 0)
    right, bottom = min(right, width), min(bottom, height)
    outer = (x >= left - reach) & (x < right + reach) & (y >= top - reach) & (y < bottom + reach)
    inner = (x >= left + reach) & (x < right - reach) & (y >= top + reach) & (y < bottom - reach)
    return outer & ~inner


@given(SIDE, SIDE, EDGE, EDGE, EDGE, EDGE)
def test_a_box_changes_no_pixel_away_from_its_outline(
    height: int, width: int, x0: float, y0: float, x1: float, y1: float
) -> None:
    box = (min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1))
    before = grey(height, width)
    try:
        after = marked(before, [box])
    except ValueError:
        assert box[0] >= width or box[1] >= height or box[2] <= 0 or box[3] <= 0 or (
            box[0] == box[2] or box[1] == box[3]
        )  # fmt: skip
        return
    changed = (after != before).any(axis=2)
    assert changed.any()
    assert not (changed & ~near_edges(box, height, width, thickness(height, width))).any()
    assert (before == 77).all()


@given(st.lists(st.tuples(*[st.integers(0, 90)] * 4), min_size=1, max_size=12))
def test_every_mark_shows(corners: list[tuple[int, int, int, int]]) -> None:
    boxes: list[Box] = [(x, y, x + w + 1, y + h + 1) for x, y, w, h in corners]
    after = marked(grey(200, 200), boxes)
    for box in boxes:
        assert (after[near_edges(box, 200, 200, 2)] == COLOUR).all(axis=1).any()


def test_the_inside_of_a_box_stays_as_it_was() -> None:
    after = marked(grey(100, 100), [(20, 30, 60, 70)])
    assert (after[30:70, 20:60] == 77).all()
    assert (after[28:30, 18:62] == COLOUR).all()
    assert (after[70:72, 18:62] == COLOUR).all()


def test_outlines_grow_with_the_picture() -> None:
    assert [thickness(side, 2 * side) for side in (20, 512, 900, 3000)] == [2, 2, 3, 10]


def test_a_box_of_the_whole_picture_is_outlined_within_it() -> None:
    after = marked(grey(100, 100), [(0, 0, 100, 100)])
    assert (after[0] == COLOUR).all()
    assert (after[2:98, 2:98] == 77).all()


def test_several_boxes_are_numbered_and_one_is_not() -> None:
    alone = marked(grey(200, 200), [(50, 50, 90, 90)])
    assert not (alone == 0).all(axis=2).any()
    several = marked(grey(200, 200), [(50, 50, 90, 90), (120, 120, 190, 190)])
    # A digit 1 of 5 x 3 dots with the middle column, of 8 dots, each of 2 x 2 pixels.
    tag = several[50 - 2 - 14 : 50 - 2, 48 : 48 + 10]
    assert (tag == 0).all(axis=2).sum() == 8 * 4
    assert ((tag == 0).all(axis=2) | (tag == COLOUR).all(axis=2)).all()


def test_a_number_stays_in_the_picture_where_a_box_touches_its_top() -> None:
    several = marked(grey(200, 200), [(50, 0, 90, 90), (190, 190, 200, 200)])
    assert (several[0:14, 48:58] == 0).all(axis=2).any()


@pytest.mark.parametrize(
    ("box", "told"),
    [
        ((200.0, 0.0, 300.0, 50.0), "outside the picture of 128 x 96 pixels"),
        ((-20.0, -20.0, 0.0, 0.0), "outside"),
        ((30.0, 10.0, 20.0, 40.0), "empty, expected left < right"),
        ((0.0, 0.0, float("nan"), 4.0), "no numbers"),
    ],
)
def test_a_mark_that_cannot_be_drawn_is_refused(tmp_path: Path, box: Box, told: str) -> None:
    ref = saved(tmp_path / "a.png", Image.fromarray(scene()))
    with pytest.raises(InputFileError, match=told) as caught:
        read_image(replace(ref, marks=(box,)))
    assert str(box) in str(caught.value)


def test_marks_count_the_pixels_of_the_part_that_is_shown(tmp_path: Path) -> None:
    ref = saved(tmp_path / "a.png", Image.fromarray(scene()))
    part = replace(ref, box=(40.0, 20.0, 120.0, 90.0), marks=((10.0, 10.0, 30.0, 30.0),))
    expected = marked(scene()[20:90, 40:120], [(10, 10, 30, 30)])
    np.testing.assert_array_equal(read_image(part), expected)


def test_marks_of_a_page_stay_in_place_at_every_resolution(tmp_path: Path) -> None:
    document = pymupdf.open()
    document.new_page(width=200, height=100)
    document.save(tmp_path / "a.pdf")
    ref = ImageRef(str(tmp_path / "a.pdf"), page=1, marks=((80.0, 40.0, 160.0, 120.0),))
    fine, coarse = read_image(ref), read_image(ref, dpi=72)
    # 144 dpi: two pixels a point.
    np.testing.assert_array_equal(fine, marked(np.full_like(fine, 255), [(80, 40, 160, 120)]))
    np.testing.assert_array_equal(coarse, marked(np.full_like(coarse, 255), [(40, 20, 80, 60)]))


def test_a_marked_picture_is_another_picture(tmp_path: Path) -> None:
    ref = saved(tmp_path / "a.png", Image.fromarray(scene()))
    shown = replace(ref, marks=((10.0, 10.0, 50.0, 50.0),))
    assert identified(shown).sha256 == pixel_sha256(marked(scene(), shown.marks))
    assert identified(shown).sha256 != identified(ref).sha256
    assert image_from_json(to_json(shown)) == shown
