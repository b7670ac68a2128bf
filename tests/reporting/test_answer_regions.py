"""Places drawn over the pictures of a question."""

import base64
import io
import re
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from medrag.records import ImageRef, Question, QuestionRegion
from medrag.reporting.answer_regions import (
    Outline,
    legend,
    outline_words,
    outlines_of,
    overlay,
    region_names,
)
from medrag.reporting.cards import picture_figure
from medrag.reporting.evidence import question_pictures

SIZE = (800, 600)
BOX = Outline("asked", "A", "nodule", box=(100, 200, 300, 400))
POINT = Outline("answer", "1", point=(400, 300))


def parsed(svg: str) -> ET.Element:
    return ET.fromstring(svg)  # noqa: S314 - our own


def test_boxes_and_points_are_drawn_where_they_lie_in_the_pixels_of_the_picture() -> None:
    svg = parsed(overlay([BOX, POINT], SIZE))
    assert svg.get("viewBox") == "0 0 800 600"
    boxes = [each for each in svg.iter("rect") if each.get("class") == "line"]
    assert [boxes[0].get(key) for key in ("x", "y", "width", "height")] == [
        "100", "200", "200", "200",
    ]  # fmt: skip
    rings = [each for each in svg.iter("circle") if each.get("class") == "line"]
    assert (rings[0].get("cx"), rings[0].get("cy")) == ("400", "300")


def test_the_drawing_says_in_words_what_it_shows() -> None:
    svg = parsed(overlay([BOX, POINT], SIZE))
    assert svg.get("role") == "img"
    assert svg.findtext("desc") == (
        "A: nodule, box (100, 200) to (300, 400), asked about; 1: point (400, 300), of the answer"
    )
    assert [title.text for title in svg.iter("title")] == [
        "Places in the picture",
        "A: nodule, box (100, 200) to (300, 400), asked about",
        "1: point (400, 300), of the answer",
    ]


def test_without_places_nothing_is_drawn_or_listed() -> None:
    assert overlay([], SIZE) == ""
    assert overlay([Outline("asked", "A", problem="gone")], SIZE) == ""
    assert legend([]) == ""


@given(
    st.sampled_from(["asked", "answer"]),
    st.tuples(*[st.floats(0, 1) for _ in range(4)]),
    st.integers(30, 4000),
    st.integers(30, 4000),
)
def test_a_tag_lies_within_the_picture(
    who: str, shares: tuple[float, float, float, float], width: int, height: int
) -> None:
    x0, x1 = sorted((shares[0] * width, shares[1] * width))
    y0, y1 = sorted((shares[2] * height, shares[3] * height))
    outline = Outline("asked" if who == "asked" else "answer", "12", box=(x0, y0, x1, y1))
    plates = [
        each for each in parsed(overlay([outline], (width, height))).iter("rect")
        if each.get("class") == "plate"
    ]  # fmt: skip
    (left, top, across, down) = (
        float(plates[0].get(k, "nan")) for k in ("x", "y", "width", "height")
    )
    # Written with one digit.
    assert left >= 0
    assert top >= 0
    assert across > width or left + across <= width + 0.2
    assert down > height or top + down <= height + 0.2


def test_many_places_are_drawn_without_tags_and_counted_by_name() -> None:
    many = [Outline("answer", str(i), "cell", box=(i, i, i + 5, i + 5)) for i in range(40)]
    assert "<text" not in overlay(many, SIZE)
    entries = re.findall(r"<li.*?</li>", legend(many))
    assert len(entries) == 1
    assert "cell, of the answer" in entries[0]
    assert ">40<" in entries[0]


def test_regions_are_tagged_by_their_place_among_all() -> None:
    regions = [QuestionRegion(1, box=(1, 1, 2, 2)), QuestionRegion(0, point=(3, 3)),
               QuestionRegion(0, name="heart")]  # fmt: skip
    assert [each.tag for each in outlines_of(regions, 0, "asked")] == ["B"]
    assert [each.tag for each in outlines_of(regions, 1, "answer")] == ["1"]
    assert region_names(regions) == "heart"


def test_a_mask_is_drawn_as_a_tint_of_what_it_holds(tmp_path: Path) -> None:
    film, mask = tmp_path / "film.png", np.zeros((60, 80), np.uint8)
    Image.new("RGB", (80, 60)).save(film)
    mask[20:40, 10:50] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    regions = [QuestionRegion(mask=str(tmp_path / "mask.png"), name="heart")]
    (outline,) = outlines_of(regions, 0, "asked", image=ImageRef(str(film)), size=(80, 60))
    assert outline.box == (10, 20, 50, 40)
    assert outline_words(outline) == "A: heart, outlined area, asked about"
    assert outline.mask is not None
    code = outline.mask.removeprefix("data:image/png;base64,")
    alpha = np.asarray(Image.open(io.BytesIO(base64.b64decode(code))))[..., 3]
    np.testing.assert_array_equal(alpha > 0, mask > 0)
    image = next(parsed(overlay([outline], (80, 60))).iter("image"))
    assert (image.get("width"), image.get("height")) == ("80", "60")


def test_a_mask_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    film = tmp_path / "film.png"
    Image.new("RGB", (80, 60)).save(film)
    regions = [QuestionRegion(mask=str(tmp_path / "gone.png"))]
    (outline,) = outlines_of(regions, 0, "asked", image=ImageRef(str(film)), size=(80, 60))
    assert "cannot be shown" in outline.problem
    assert "cannot be shown" in legend([outline])


@pytest.mark.parametrize("name", ['"><script>x</script>', "a\u202eb", "</title></svg>"])
def test_a_label_cannot_change_the_page(name: str) -> None:
    (outline,) = outlines_of([QuestionRegion(box=(1, 1, 9, 9), name=name)], 0, "answer")
    written = overlay([outline], SIZE) + legend([outline])
    assert "<script" not in written
    assert "\u202e" not in written
    parsed(overlay([outline], SIZE))


def test_a_figure_holds_picture_drawing_and_list(tmp_path: Path) -> None:
    film = tmp_path / "film.png"
    Image.new("RGB", (80, 60)).save(film)
    question = Question("?", (film,), regions=(QuestionRegion(box=(1, 2, 30, 40)),))
    (picture,) = question_pictures(question)
    shown = picture_figure(picture)
    assert shown.index("<img") < shown.index("<svg") < shown.index('class="places"')
    (bare,) = question_pictures(Question("?", (film,)))
    assert "<svg" not in picture_figure(bare)
