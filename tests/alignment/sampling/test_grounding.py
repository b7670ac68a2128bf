from collections.abc import Mapping, Sequence
from math import isnan
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from medrag.alignment.corruption import heat_of_boxes, read_heat_map
from medrag.alignment.noise import Noise
from medrag.alignment.sampling import grounded, noised_pairs
from medrag.alignment.sampling.grounding import read_confidence
from medrag.errors import RecipeError
from medrag.records import Box, ImageRef, QuestionRegion, ToolResult
from tests.alignment.sampling.asked import item, picture


class Grounder:
    """Find given boxes in every picture, and keep what it was asked."""

    name = "ground"
    about = ""

    def __init__(self, *boxes: Box, text: str = "confidence 0.87", image: int = 0) -> None:
        self.result = ToolResult(text, regions=tuple(QuestionRegion(image, box) for box in boxes))
        self.asked: list[Mapping[str, Any]] = []

    def call(self, arguments: Mapping[str, Any], images: Sequence[ImageRef]) -> ToolResult:
        self.asked.append(arguments)
        return self.result


class Broken(Grounder):
    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error

    def call(self, arguments: Mapping[str, Any], images: Sequence[ImageRef]) -> ToolResult:
        raise self.error


def test_one_box_is_named_as_it_is(tmp_path: Path) -> None:
    items = [item("1", "What?", "a node", image=picture(tmp_path))]
    tool = Grounder((1, 2, 3, 4))
    found = grounded(items, tool=tool, step=600, folder=tmp_path / "maps", seed=4)
    assert found.noises == {"1": Noise("lesion_mask", seed=4, step=600, box=(1, 2, 3, 4))}
    assert found.confidences == {"1": 0.87}
    assert tool.asked == [{"target": "disease", "image": 1}]
    assert not (tmp_path / "maps").exists()


def test_several_boxes_become_a_heat_map(tmp_path: Path) -> None:
    boxes = [(0.0, 0.0, 2.0, 2.0), (8.0, 4.0, 12.0, 8.0)]
    items = [item("1", "What?", "a node", image=picture(tmp_path))]
    noise = grounded(items, tool=Grounder(*boxes), step=600, folder=tmp_path).noises["1"]
    heat = read_heat_map(Path(noise.heat_map or ""), (8, 12))
    np.testing.assert_array_equal(heat, heat_of_boxes(boxes, (8, 12)))


def test_what_to_look_for_may_be_said_for_each_item(tmp_path: Path) -> None:
    tool = Grounder((1, 2, 3, 4))
    items = [item(n, "What?", "a node", image=picture(tmp_path)) for n in "12"]
    grounded(items, tool=tool, step=1, folder=tmp_path, targets={"2": "effusion"})
    assert [each["target"] for each in tool.asked] == ["disease", "effusion"]


@pytest.mark.parametrize(
    ("tool", "reason"),
    [
        (Grounder(), "the tool found nothing"),
        (Grounder((1, 2, 3, 4), image=1), "the tool found nothing"),
        (Broken(ValueError("no target")), "the tool failed (ValueError)"),
    ],
)
def test_an_item_without_a_place_is_left_out(tmp_path: Path, tool: Grounder, reason: str) -> None:
    items = [item("1", "What?", "a node", image=picture(tmp_path))]
    found = grounded(items, tool=tool, step=1, folder=tmp_path)
    assert found.noises == {}
    assert found.left_out == {reason: 1}


def test_an_item_without_a_picture_is_left_out(tmp_path: Path) -> None:
    found = grounded([item("1", "What?", "a")], tool=Grounder(), step=1, folder=tmp_path)
    assert found.left_out == {"the question has no picture, or several": 1}


def test_a_tool_that_cannot_be_built_stops_all(tmp_path: Path) -> None:
    items = [item("1", "What?", "a node", image=picture(tmp_path))]
    with pytest.raises(RecipeError, match="no model"):
        grounded(items, tool=Broken(RecipeError("no model")), step=1, folder=tmp_path)


def test_a_step_that_is_none_is_refused_before_the_tool_is_asked(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="step must be"):
        grounded([], tool=Grounder(), step=2000, folder=tmp_path)


def test_what_was_found_makes_weighed_pairs(tmp_path: Path) -> None:
    items = [item(n, "What?", "a node", image=picture(tmp_path)) for n in "12"]
    found = grounded(items, tool=Grounder((1, 2, 3, 4)), step=600, folder=tmp_path)
    made = noised_pairs(items, found.noises, family="lesion", benchmark="b",
                        confidences={**found.confidences, "2": 0.2})  # fmt: skip
    assert [pair.weight for pair in made.pairs] == [1.25, 0.75]


@pytest.mark.parametrize(
    ("text", "confidence"),
    [
        ("node in picture 1, confidence 0.87: pixels (1, 2) to (3, 4).", 0.87),
        ("node: pixels (1, 2) to (3, 4) (score 0.31)\ncyst (score 0.64)", 0.64),
        ("Score: 1.0", 1.0),
        ("score=0", 0.0),
    ],
)
def test_the_confidence_of_a_tool_is_read_from_its_words(text: str, confidence: float) -> None:
    assert read_confidence(text) == confidence


@pytest.mark.parametrize("text", ["", "Found it.", "confidence 12", "score 1.5", "confidence high"])
def test_words_without_a_confidence_tell_none(text: str) -> None:
    assert isnan(read_confidence(text))
