"""Parts of pictures that a model asks to see: cut out, and outlined."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pymupdf
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from medrag.images import read_image
from medrag.images.marking import marked
from medrag.records import ImageRef
from medrag.tools.crop import CropTool
from medrag.tools.mark import MarkTool
from medrag.tools.places import read_box, widened
from tests.contracts import check_tool
from tests.images.scenes import scene

HUGE = 10**400
WRONG: list[dict[str, Any]] = [
    {}, {"box": None}, {"box": "1 2 3 4"}, {"box": [1, 2, 3]}, {"box": [1, 2, 3, "4"]},
    {"box": [True, 0, 40, 40]}, {"box": [10, 10, 10, 20]}, {"box": [50, 10, 20, 40]},
    {"box": [200, 0, 300, 20]}, {"box": [-9, -9, -1, -1]}, {"box": [0, 0, float("nan"), 9]},
    {"box": [0, 0, float("inf"), 9]}, {"box": [0, 0, HUGE, 9]},
    {"image": 0, "box": [1, 1, 40, 40]}, {"image": 2, "box": [1, 1, 40, 40]},
    {"image": "1", "box": [1, 1, 40, 40]}, {"image": True, "box": [1, 1, 40, 40]},
    {"image": 1.5, "box": [1, 1, 40, 40]}, {"image": None, "box": [1, 1, 40, 40]},
]  # fmt: skip
RIGHT: list[dict[str, Any]] = [
    {"box": [10, 20, 50, 60]}, {"image": 1, "box": [-5, -5, 500, 500]},
    {"image": 1.0, "box": [0.4, 0.2, 1.1, 3], "name": "the  disc"},
]  # fmt: skip


@pytest.fixture
def picture(tmp_path: Path) -> ImageRef:
    Image.fromarray(scene()).save(tmp_path / "scene.png")
    return ImageRef(str(tmp_path / "scene.png"), sha256="0" * 64, phash="0" * 16)


@pytest.fixture
def page(tmp_path: Path) -> ImageRef:
    document = pymupdf.open()
    sheet = document.new_page(width=200, height=100)
    sheet.draw_rect((50, 20, 90, 60), color=(1, 0, 0), fill=(1, 0, 0))
    document.save(tmp_path / "a.pdf")
    return ImageRef(str(tmp_path / "a.pdf"), page=1)


@pytest.mark.parametrize("tool", [CropTool(), CropTool(margin=0.3), MarkTool()])
def test_tools_of_looking_keep_the_contract(tool: Any, picture: ImageRef, page: ImageRef) -> None:
    check_tool(tool, [picture], right=RIGHT, wrong=WRONG)
    check_tool(tool, [page], right=RIGHT, wrong=[])
    with pytest.raises(ValueError, match="no picture"):
        tool.call({"box": [1, 1, 40, 40]}, [])


def test_a_part_is_cut_out_of_the_picture(picture: ImageRef) -> None:
    result = CropTool().call({"box": [10, 20, 50, 60], "name": "disc\n edge"}, [picture])
    np.testing.assert_array_equal(read_image(result.images[0]), scene()[20:60, 10:50])
    assert (result.regions[0].box, result.regions[0].name) == ((10, 20, 50, 60), "disc edge")
    # The hashes of the whole are not those of the part.
    assert result.images[0].sha256 is None
    assert result.images[0].phash is None


def test_a_part_of_a_part_lies_where_it_was_asked_for(picture: ImageRef) -> None:
    part = replace(picture, box=(20.6, 10.3, 120.0, 90.0))
    shown = read_image(part)
    result = CropTool().call({"box": [5, 6, 45, 56]}, [part])
    np.testing.assert_array_equal(read_image(result.images[0]), shown[6:56, 5:45])


def test_a_part_of_a_page_lies_where_it_was_asked_for(page: ImageRef) -> None:
    # 144 dpi: two pixels a point.
    result = CropTool().call({"box": [100, 40, 180, 120]}, [page])
    assert result.images[0].box == (50, 20, 90, 60)
    again = CropTool().call({"box": [40, 40, 80, 80]}, [result.images[0]])
    assert again.images[0].box == (70, 40, 90, 60)
    assert (read_image(again.images[0])[2:-2, 2:-2] == (255, 0, 0)).all()


def test_marks_are_not_cut_out_with_the_part(picture: ImageRef) -> None:
    outlined = replace(picture, marks=((20.0, 20.0, 40.0, 40.0),))
    result = CropTool().call({"box": [10, 10, 60, 60]}, [outlined])
    np.testing.assert_array_equal(read_image(result.images[0]), scene()[10:60, 10:60])


def test_a_margin_is_shown_around_the_box_and_not_counted(picture: ImageRef) -> None:
    result = CropTool(margin=0.25).call({"box": [40, 20, 80, 60]}, [picture])
    assert result.images[0].box == (30, 10, 90, 70)
    assert result.regions[0].box == (40, 20, 80, 60)


def test_a_tiny_box_is_shown_with_what_lies_around_it(picture: ImageRef) -> None:
    result = CropTool().call({"box": [60, 50, 63, 52]}, [picture])
    assert read_image(result.images[0]).shape == (32, 32, 3)
    corner = CropTool().call({"box": [126, 0, 128, 2]}, [picture])
    assert corner.images[0].box == (96, 0, 128, 32)


@given(
    st.tuples(st.integers(1, 300), st.integers(1, 300)),
    st.tuples(*[st.floats(0, 1)] * 4), st.floats(0, 2), st.integers(1, 64),
)  # fmt: skip
def test_what_is_shown_holds_the_box_and_stays_in_the_picture(
    size: tuple[int, int], shares: tuple[float, ...], margin: float, least: int
) -> None:
    (x0, x1), (y0, y1) = sorted(shares[:2]), sorted(shares[2:])
    box = (x0 * size[0], y0 * size[1], x1 * size[0], y1 * size[1])
    if box[0] >= box[2] or box[1] >= box[3]:
        return
    left, top, right, bottom = widened(box, size, margin=margin, least=least)
    assert 0 <= left <= box[0] < box[2] <= right <= size[0]
    assert 0 <= top <= box[1] < box[3] <= bottom <= size[1]
    assert right - left >= min(least, size[0])
    assert bottom - top >= min(least, size[1])


@given(st.tuples(*[st.integers(0, 1000)] * 4))
def test_coordinates_of_every_convention_mean_the_same_place(edges: tuple[int, ...]) -> None:
    x0, y0, x1, y1 = edges
    if x0 >= x1 or y0 >= y1:
        return
    size = (640, 480)
    thousand = read_box([*edges], size, "thousand")
    unit = read_box([edge / 1000 for edge in edges], size, "unit")
    pixels = read_box([edge * size[i % 2] / 1000 for i, edge in enumerate(edges)], size, "original")
    # Three ways to divide by 1,000.
    np.testing.assert_allclose(unit, thousand, atol=1e-9)
    np.testing.assert_allclose(pixels, thousand, atol=1e-9)


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
                    lambda inner: st.lists(inner, max_size=5), max_leaves=6))  # fmt: skip
def test_whatever_a_model_writes_for_a_box_is_read_or_refused(value: Any) -> None:
    try:
        left, top, right, bottom = read_box(value, (640, 480), "original")
    except ValueError:
        return
    assert 0 <= left < right <= 640
    assert 0 <= top < bottom <= 480


def test_a_marked_picture_is_the_whole_with_outlines(picture: ImageRef) -> None:
    first, second = [10, 20, 50, 60], [70, 30, 90, 50]
    result = MarkTool().call({"boxes": [first, second]}, [picture])
    boxes = [(10, 20, 50, 60), (70, 30, 90, 50)]
    np.testing.assert_array_equal(read_image(result.images[0]), marked(scene(), boxes))
    assert [region.box for region in result.regions] == boxes
    again = MarkTool().call({"box": [0, 0, 20, 20]}, result.images)
    assert len(again.images[0].marks) == 3


@pytest.mark.parametrize("boxes", [[], "all", [[1, 1, 9, 9]] * 10, [[1, 1, 9, 9], [5, 5, 5, 9]]])
def test_a_wrong_list_of_boxes_is_refused(boxes: Any, picture: ImageRef) -> None:
    with pytest.raises(ValueError, match="box"):
        MarkTool().call({"boxes": boxes}, [picture])


def test_the_model_is_told_how_to_count() -> None:
    assert "in pixels" in CropTool().about
    assert "from 0 to 1000" in MarkTool(coordinates="thousand").about
    assert CropTool(coordinates="unit").identity != CropTool().identity


@pytest.mark.parametrize(
    "settings", [{"coordinates": "percent"}, {"margin": -0.1}, {"margin": 3}, {"least_side": 0}]
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(settings))):
        CropTool(**settings)
