"""Findings located by a Florence-2."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from medrag.errors import RecipeError
from medrag.images import read_image
from medrag.images.marking import marked
from medrag.records import ImageRef
from medrag.tools.grounder import FlorenceGrounder
from medrag.tools.locations import Located, Square, in_picture, read_locations, squared
from tests.contracts import check_tool
from tests.images.scenes import scene
from tests.tools.tiny_florence import SIZE, tiny_florence

BINS = st.integers(0, 999)
PHRASE = st.from_regex(r"[a-z]{1,9}( [a-z]{1,9})?", fullmatch=True)
PIECES = [
    "<loc_1>",
    "<loc_",
    "9>",
    f"<loc_{'9' * 30}>",
    "a",
    "<",
    ">",
    "<loc_5000>",
    "</s>",
    "<od>",
]
# A box from a quarter to three quarters across, and from 3/10 to 6/10 down, of the square.
SAYS = "effusion<loc_250><loc_300><loc_750><loc_600>"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_florence(tmp_path_factory.mktemp("florence") / "trained", says=SAYS)


@pytest.fixture
def picture(tmp_path: Path) -> ImageRef:
    Image.fromarray(scene()).save(tmp_path / "scene.png")
    return ImageRef(str(tmp_path / "scene.png"))


def grounder(folder: Path, **settings: Any) -> FlorenceGrounder:
    fixed = {"device": "cpu", "dtype": "float32", "size": SIZE, "max_tokens": 24, **settings}
    return FlorenceGrounder(model=str(folder), **fixed)


def test_the_grounder_keeps_the_contract_of_tools(folder: Path, picture: ImageRef) -> None:
    right = [{"target": "effusion"}, {"image": 1, "target": "effusion", "definition": "fluid <x>"}]
    wrong: list[dict[str, Any]] = [
        {}, {"target": ""}, {"target": " <> "}, {"target": 3}, {"target": "x" * 300},
        {"target": "effusion", "definition": ["fluid"]}, {"target": "effusion", "image": 2},
    ]  # fmt: skip
    check_tool(grounder(folder), [picture], right=right, wrong=wrong)


def test_a_box_comes_back_in_pixels_of_the_original_picture(
    folder: Path, picture: ImageRef
) -> None:
    result = grounder(folder).call({"target": "effusion"}, [picture])
    # 128 x 96 pixels fill 64 x 48 of the square of 64, from row 8 on: a pixel is half of one there.
    # Across 0.2505 * 64 / 0.5 = 32.064; down (0.3005 * 64 - 8) / 0.5 = 22.464.
    box = (32.064, 22.464, 96.064, 60.864)
    assert result.regions[0].box == pytest.approx(box)
    assert result.regions[0].name == "effusion"
    assert "pixels (32, 22) to (96, 61)" in result.text
    expected = marked(scene(), [box])
    np.testing.assert_array_equal(read_image(result.images[0]), expected)


def test_the_confidence_is_that_of_a_trained_model(folder: Path, picture: ImageRef) -> None:
    # Trained to say nothing else.
    text = grounder(folder).call({"target": "effusion"}, [picture]).text
    assert float(text.partition("confidence ")[2][:4]) > 0.8


def test_confidence_is_the_mean_probability_of_the_tokens(
    tmp_path: Path, picture: ImageRef
) -> None:
    tool = grounder(tiny_florence(tmp_path / "random"), max_tokens=8)
    found = tool._found(squared(read_image(picture), SIZE).pixels, "effusion")
    # Random weights are about as sure of each of 1,261 tokens.
    assert 0.2 / 1261 < found.confidence < 20 / 1261


def test_what_is_less_sure_than_wanted_is_not_found(folder: Path, picture: ImageRef) -> None:
    result = grounder(folder, least_confidence=1.0).call({"target": "effusion"}, [picture])
    assert result.text == "Found no effusion in picture 1."
    assert (result.images, result.regions) == ((), ())


def test_the_outlined_picture_may_stay_away(folder: Path, picture: ImageRef) -> None:
    result = grounder(folder, show=False).call({"target": "effusion"}, [picture])
    assert result.images == ()
    assert result.regions


def test_a_single_beam_is_as_sure_as_it_is(folder: Path, picture: ImageRef) -> None:
    text = grounder(folder, num_beams=1).call({"target": "effusion"}, [picture]).text
    assert float(text.partition("confidence ")[2][:4]) > 0.8


def test_the_longest_name_in_the_target_gives_its_meaning() -> None:
    meant = {"Effusion": "fluid", "Pleural  effusion": "fluid about the lung.", "fus": "no"}
    tool = FlorenceGrounder(model="m", definitions=meant)
    assert tool._meaning("left PLEURAL effusion") == "fluid about the lung."
    assert tool._meaning("effusion") == "fluid"
    assert tool._meaning("diffuse opacity") == ""


def test_definitions_may_stand_in_a_file(tmp_path: Path) -> None:
    path = tmp_path / "meant.yaml"
    path.write_text("effusion: fluid\n'nodule or mass': round opacity\n")
    assert FlorenceGrounder(model="m", definitions=path).definitions == {
        "effusion": "fluid", "nodule or mass": "round opacity"
    }  # fmt: skip


@pytest.mark.parametrize("content", ["- a\n- b\n", "a: 3\n", "a: [", "\ta: b", ""])
def test_a_file_that_holds_no_definitions_is_named(tmp_path: Path, content: str) -> None:
    path = tmp_path / "meant.yaml"
    path.write_text(content)
    with pytest.raises(RecipeError, match=r"meant\.yaml"):
        FlorenceGrounder(model="m", definitions=path)


def test_the_identity_tells_weights_and_meanings_apart(folder: Path, tmp_path: Path) -> None:
    other = tiny_florence(tmp_path / "random")
    tools = [grounder(folder), grounder(other), grounder(folder, definitions={"a": "b"}),
             grounder(folder, size=96)]  # fmt: skip
    assert len({tool.identity for tool in tools}) == len(tools)
    assert grounder(folder).identity == tools[0].identity


def test_a_checkpoint_of_foreign_code_is_refused(folder: Path, tmp_path: Path) -> None:
    foreign = tmp_path / "foreign"
    shutil.copytree(folder, foreign)
    config = json.loads((foreign / "config.json").read_text())
    (foreign / "config.json").write_text(json.dumps({**config, "auto_map": {"AutoModel": "x.Y"}}))
    with pytest.raises(RecipeError, match=r"code of its own.*convert"):
        grounder(foreign)._loaded  # noqa: B018
    (foreign / "config.json").write_text(json.dumps({**config, "model_type": "bart"}))
    with pytest.raises(RecipeError, match="'bart'"):
        grounder(foreign)._loaded  # noqa: B018


def test_a_folder_that_is_not_there_is_named(tmp_path: Path, picture: ImageRef) -> None:
    with pytest.raises(RecipeError, match="none"):
        grounder(tmp_path / "none").call({"target": "effusion"}, [picture])


@pytest.mark.parametrize(
    "settings",
    [{"size": 500}, {"size": 0}, {"num_beams": 0}, {"least_confidence": 1.2}, {"dtype": "int8"}],
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(settings))):
        FlorenceGrounder(model="m", **settings)


@given(st.lists(st.tuples(PHRASE, st.lists(st.tuples(BINS, BINS, BINS, BINS), min_size=1,
                                           max_size=3)), max_size=4))  # fmt: skip
def test_boxes_that_were_written_are_read(
    written: list[tuple[str, list[tuple[int, int, int, int]]]],
) -> None:
    text, expected = "", []
    for phrase, boxes in written:
        text += phrase
        for x0, y0, x1, y1 in boxes:
            text += f"<loc_{x0}><loc_{y0}><loc_{x1}><loc_{y1}>"
            if x0 < x1 and y0 < y1:
                shares = tuple((edge + 0.5) / 1000 for edge in (x0, y0, x1, y1))
                expected.append(Located(phrase, shares))  # type: ignore[arg-type]
    assert read_locations(f"<ground>{text}</ground>") == expected


@given(st.text() | st.lists(st.sampled_from(PIECES)).map("".join))
def test_any_text_is_read_without_an_error(text: str) -> None:
    for each in read_locations(text):
        x0, y0, x1, y1 = each.box
        assert 0 < x0 < x1 < 1
        assert 0 < y0 < y1 < 1


def test_places_that_are_left_over_are_dropped() -> None:
    boxes = read_locations("a<loc_1><loc_2><loc_3><loc_4><loc_5><loc_6><loc_7>")
    assert boxes == [Located("a", (0.0015, 0.0025, 0.0035, 0.0045))]


@given(st.integers(1, 80), st.integers(1, 80), st.tuples(*[st.floats(0, 1)] * 4))
def test_a_box_goes_into_the_square_and_back(
    height: int, width: int, shares: tuple[float, ...]
) -> None:
    square = squared(np.full((height, width, 3), 200, dtype=np.uint8), 64)
    assert square.pixels.shape == (64, 64, 3)
    (x0, x1), (y0, y1) = sorted(shares[:2]), sorted(shares[2:])
    box = (x0 * width, y0 * height, x1 * width, y1 * height)
    if x1 - x0 < 1e-3 or y1 - y0 < 1e-3:
        return
    inside = (
        (box[0] * square.scale + square.left) / 64, (box[1] * square.scale + square.top) / 64,
        (box[2] * square.scale + square.left) / 64, (box[3] * square.scale + square.top) / 64,
    )  # fmt: skip
    # Float64 and a scale between 1/1.25 and 64.
    assert in_picture(inside, square) == pytest.approx(box, abs=1e-9)


def test_a_box_on_the_black_alone_is_no_place() -> None:
    square = Square(np.zeros((64, 64, 3), dtype=np.uint8), 0.5, 0, 8, (128, 96))
    assert in_picture((0.1, 0.0, 0.9, 0.12), square) is None
    # What reaches over the edge is cut off at it: (0.5 * 64 - 8) / 0.5 = 48.
    assert in_picture((0.0, 0.0, 1.0, 0.5), square) == (0, 0, 128, 48)
