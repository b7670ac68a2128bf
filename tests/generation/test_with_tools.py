"""The loop of a generator and its tools."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from medrag.generation.extractive import ExtractiveGenerator
from medrag.generation.pictures import images_of
from medrag.generation.with_tools import ToolGenerator
from medrag.images import pixel_sha256, read_image
from medrag.images.marking import marked
from medrag.prompting.templates import build_prompt
from medrag.records import (
    Generation,
    ImageRef,
    Question,
    QuestionRegion,
    Selection,
    ToolResult,
    Usage,
)
from medrag.tools.crop import CropTool
from medrag.tools.mark import MarkTool
from tests.contracts import check_generator
from tests.generation.scripted_tools import (
    ANSWER,
    LOOK,
    Saying,
    Scripted,
    asked,
    call,
    hit,
    told,
)
from tests.images.scenes import scene


def test_a_model_looks_at_a_part_and_answers(picture: ImageRef) -> None:
    inner = Scripted(LOOK, ANSWER)
    loop = ToolGenerator(generator=inner, tools=(CropTool(), MarkTool()))
    generation = loop.generate([asked(picture)])[0]
    assert generation.text == ANSWER
    assert generation.usage == Usage(200, 20, 1.0)
    assert generation.regions == (QuestionRegion(0, (10.0, 20.0, 50.0, 60.0)),)
    first, second = inner.seen[0][0], inner.seen[1][0]
    assert "- crop: look at a part" in told(first)
    assert "1 (of the question, 128 x 96 pixels)" in told(first)
    assert second.turns[0].reply == LOOK
    shown = images_of(second)
    np.testing.assert_array_equal(read_image(shown[-1]), scene()[20:60, 10:50])
    assert "Picture 2:" in told(second)


def test_the_trace_tells_every_step_in_json(picture: ImageRef) -> None:
    inner = Scripted(LOOK, call("mark", image=2, box=[5, 5, 20, 20]), ANSWER)
    loop = ToolGenerator(generator=inner, tools=(CropTool(), MarkTool()))
    generation = loop.generate([asked(picture)])[0]
    first, second = json.loads(json.dumps(generation.trace))
    assert (first["turn"], first["tool"]) == (1, "crop")
    assert first["arguments"] == {"box": [10, 20, 50, 60]}
    assert first["boxes"] == [[10, 20, 50, 60]]
    assert first["images"][0]["box"] == [10, 20, 50, 60]
    assert first["images"][0]["sha256"] == pixel_sha256(scene()[20:60, 10:50])
    assert (second["turn"], second["tool"]) == (2, "mark")
    assert second["images"][0]["marks"] == [[5, 5, 20, 20]]


def test_a_place_in_a_crop_is_told_in_pixels_of_the_question_s_picture(picture: ImageRef) -> None:
    inner = Scripted(LOOK, call("mark", image=2, box=[5, 5, 20, 20]), ANSWER)
    loop = ToolGenerator(generator=inner, tools=(CropTool(), MarkTool()))
    generation = loop.generate([asked(picture)])[0]
    # The crop begins at (10, 20).
    assert generation.regions[1].box == (15, 25, 30, 40)


def test_regions_count_the_pixels_of_a_question_that_shows_a_part(picture: ImageRef) -> None:
    part = replace(picture, box=(30.0, 10.0, 120.0, 90.0))
    inner = Scripted(call(box=[5, 5, 45, 45]), call(image=2, box=[1, 2, 39, 40]), ANSWER)
    loop = ToolGenerator(generator=inner, tools=(CropTool(),))
    generation = loop.generate([asked(part)])[0]
    assert [region.box for region in generation.regions] == [(5, 5, 45, 45), (6, 7, 44, 45)]
    np.testing.assert_array_equal(
        read_image(images_of(inner.seen[2][0])[-1]), scene()[17:55, 36:74]
    )


def test_the_pictures_of_the_question_have_the_first_numbers(
    picture: ImageRef, tmp_path: Path
) -> None:
    Image.fromarray(scene(30, 40)).save(tmp_path / "other.png")
    other = ImageRef(str(tmp_path / "other.png"))
    inner = Scripted(call(image=2, box=[0, 0, 40, 30]), ANSWER)
    loop = ToolGenerator(generator=inner, tools=(CropTool(),))
    generation = loop.generate([asked(picture, hits=[hit("As shown.", other)])])[0]
    assert "2 (of the evidence, 40 x 30 pixels)" in told(inner.seen[0][0])
    # A place in a picture of the evidence is none of the question's.
    assert generation.regions == ()
    assert generation.trace[0]["boxes"] == [[0, 0, 40, 30]]


def test_a_picture_that_a_question_points_at_is_one_of_the_question(
    picture: ImageRef, tmp_path: Path
) -> None:
    Image.fromarray(scene(30, 40)).save(tmp_path / "other.png")
    other = ImageRef(str(tmp_path / "other.png"))
    pointed = Question(
        "Is it bright?", (picture,), regions=(QuestionRegion(0, (20.0, 20.0, 60.0, 60.0)),)
    )
    prompt = build_prompt(pointed, Selection((hit("As shown.", other),)))
    inner = Scripted(LOOK, Generation(ANSWER, regions=(QuestionRegion(0, (1.0, 2.0, 9.0, 9.0)),)))
    loop = ToolGenerator(generator=inner, tools=(CropTool(),))
    generation = loop.generate([prompt])[0]
    assert "1 (of the question, 128 x 96 pixels); 2 (of the evidence" in told(inner.seen[0][0])
    assert generation.regions[0] == QuestionRegion(0, (10.0, 20.0, 50.0, 60.0))
    again = Scripted(*(inner.replies[1],) * 2)
    ToolGenerator(generator=again, think_twice=True).generate([prompt])
    assert images_of(again.seen[1][0])[-1].marks == ((1.0, 2.0, 9.0, 9.0),)


def test_several_calls_in_one_reply_are_made_in_order(picture: ImageRef) -> None:
    inner = Scripted(f"{LOOK}\n{call(box=[0, 0, 40, 40])}", ANSWER)
    generation = ToolGenerator(generator=inner, tools=(CropTool(),)).generate([asked(picture)])[0]
    assert [step["boxes"] for step in generation.trace] == [[[10, 20, 50, 60]], [[0, 0, 40, 40]]]
    assert "Picture 3:" in told(inner.seen[1][0])


def test_prompts_of_a_batch_go_on_as_if_alone(picture: ImageRef) -> None:
    script = {"a": [LOOK, LOOK, ANSWER], "b": [ANSWER], "c": [call("zoom"), "C."]}
    prompts = [asked(picture, text=text) for text in script]
    together = ToolGenerator(generator=Scripted(**script), tools=(CropTool(),)).generate(prompts)
    inner = Scripted(**script)
    alone = [
        ToolGenerator(generator=inner, tools=(CropTool(),)).generate([prompt])[0]
        for prompt in prompts
    ]
    assert together == alone
    assert [g.trace for g in together] == [g.trace for g in alone]


def test_who_needs_no_tool_is_asked_once(picture: ImageRef) -> None:
    inner = Scripted(ANSWER)
    generation = ToolGenerator(generator=inner, tools=(CropTool(),)).generate([asked(picture)])[0]
    assert (generation.text, generation.trace, len(inner.seen)) == (ANSWER, (), 1)


def test_thinking_twice_asks_again_after_a_part_was_shown(picture: ImageRef) -> None:
    inner = Scripted(LOOK, ANSWER)
    loop = ToolGenerator(generator=inner, tools=(CropTool(),), think_twice=True)
    loop.generate([asked(picture)])
    assert "think again" in told(inner.seen[1][0])
    once = Scripted(LOOK, ANSWER)
    ToolGenerator(generator=once, tools=(CropTool(),)).generate([asked(picture)])
    assert "think again" not in told(once.seen[1][0])


def test_thinking_twice_shows_the_places_that_an_answer_names(picture: ImageRef) -> None:
    box = (40.0, 20.0, 80.0, 60.0)
    named = Generation("Effusion at the disc.", regions=(QuestionRegion(0, box),), thoughts="1st")
    final = Generation(ANSWER, regions=(QuestionRegion(0, box),), thoughts="2nd")
    inner = Scripted(named, final)
    generation = ToolGenerator(generator=inner, think_twice=True).generate([asked(picture)])[0]
    shown = images_of(inner.seen[1][0])[-1]
    np.testing.assert_array_equal(read_image(shown), marked(scene(), [box]))
    assert generation.text == ANSWER
    assert generation.thoughts == "1st\n\n2nd"
    assert generation.regions == final.regions
    assert generation.trace[0]["boxes"] == [[*box]]


def test_thinking_twice_is_done_once_and_only_where_there_is_a_place(picture: ImageRef) -> None:
    box = QuestionRegion(0, (40.0, 20.0, 80.0, 60.0))
    inner = Scripted(*[Generation("There.", regions=(box,))] * 5)
    ToolGenerator(generator=inner, think_twice=True, max_turns=4).generate([asked(picture)])
    assert len(inner.seen) == 2
    outside = replace(box, box=(900.0, 0.0, 950.0, 50.0))
    inner = Scripted(Generation("There.", regions=(outside, replace(box, image=4))))
    ToolGenerator(generator=inner, think_twice=True).generate([asked(picture)])
    assert len(inner.seen) == 1


def test_the_name_tells_tools_and_settings_apart() -> None:
    def name(**settings: Any) -> str:
        return ToolGenerator(generator=Scripted(), **{"tools": (CropTool(),), **settings}).name

    names = [
        name(), name(max_turns=2), name(think_twice=True), name(tools=(CropTool(margin=0.2),)),
        name(tools=(CropTool(), MarkTool())), name(tools=(Saying(ToolResult("")),)),
    ]  # fmt: skip
    assert len({*names}) == len(names)
    assert name() == name()
    assert name().startswith("scripted/with_tools(")


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"tools": ()}, "tools is empty"),
        ({"max_turns": 0}, "max_turns must be at least 1"),
        ({"tokens_per_turn": -1}, "tokens_per_turn"),
        ({"tools": (CropTool(), CropTool())}, "two tools have one name"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        ToolGenerator(generator=Scripted(), **{"tools": (CropTool(),), **settings})


def test_a_loop_keeps_the_contract_of_generators(picture: ImageRef) -> None:
    loop = ToolGenerator(generator=ExtractiveGenerator(), tools=(CropTool(),))
    check_generator(loop, [asked(picture), build_prompt(Question("?"), Selection(()))])


def test_unknown_usage_of_one_turn_is_unknown_of_all(picture: ImageRef) -> None:
    inner = Scripted(Generation(LOOK, usage=Usage(5, None)), Generation(ANSWER, usage=Usage(7, 2)))
    generation = ToolGenerator(generator=inner, tools=(CropTool(),)).generate([asked(picture)])[0]
    assert generation.usage == Usage(12, None, None)
