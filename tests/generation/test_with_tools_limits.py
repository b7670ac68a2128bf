"""What a loop can that its generator can: room, streams, draws and workers."""

import pickle

import pytest

from medrag.generation.extractive import ExtractiveGenerator
from medrag.generation.pictures import images_of
from medrag.generation.remote import RESTARTED
from medrag.generation.with_tools import ToolGenerator
from medrag.generation.with_tools.telling import UNANSWERED
from medrag.protocols import Limited, Sampling, Streaming
from medrag.records import ImageRef
from medrag.tools.crop import CropTool
from tests.generation.scripted_tools import ANSWER, LOOK, Able, Scripted, asked, told


def test_a_loop_can_what_its_generator_can() -> None:
    able = ToolGenerator(generator=Able(ANSWER), tools=(CropTool(),))
    plain = ToolGenerator(generator=Scripted(ANSWER), tools=(CropTool(),))
    for kind in (Limited, Streaming, Sampling):
        assert isinstance(able, kind)
        assert not isinstance(plain, kind)
    assert plain.looks
    assert not ToolGenerator(generator=ExtractiveGenerator(), tools=(CropTool(),)).looks


def test_room_is_kept_for_turns() -> None:
    loop = ToolGenerator(generator=Able(ANSWER), tools=(CropTool(),), tokens_per_turn=1000)
    # Three turns of 1,000 tokens, and of one picture each.
    assert (loop.room, loop.max_images) == (7000, 5)
    few = Able(ANSWER)
    few.max_images, few.room = 2, None
    loop = ToolGenerator(generator=few, tools=(CropTool(),))
    assert (loop.room, loop.max_images) == (None, 1)
    prompt = asked()
    assert loop.count_tokens(prompt) > few.count_tokens(prompt) + 100


@pytest.mark.parametrize("limit", ["max_images", "room"])
def test_a_result_that_does_not_fit_is_told_in_words(picture: ImageRef, limit: str) -> None:
    inner = Able(LOOK, ANSWER)
    loop = ToolGenerator(generator=inner, tools=(CropTool(),))
    prompt = asked(picture)
    most = {"max_images": 1, "room": loop.count_tokens(prompt) + 40}
    setattr(inner, limit, most[limit])
    assert loop.generate([prompt])[0].text == ANSWER
    assert len(images_of(inner.seen[1][0])) == 1
    assert "no room for more pictures" in told(inner.seen[1][0])
    assert "without any tool" in told(inner.seen[1][0])


def test_an_answer_is_told_while_it_comes_and_a_call_is_not(picture: ImageRef) -> None:
    loop = ToolGenerator(generator=Able(LOOK, ANSWER), tools=(CropTool(),))
    pieces: list[str] = []
    assert loop.stream(asked(picture), pieces.append) == loop.generate([asked(picture)])[0]
    assert "".join(pieces) == ANSWER
    assert len(pieces) > 10


def test_an_answer_that_begins_like_a_call_is_told_whole(picture: ImageRef) -> None:
    loop = ToolGenerator(generator=Able("[1] says it is bright."), tools=(CropTool(),))
    pieces: list[str] = []
    loop.stream(asked(picture), pieces.append)
    assert "".join(pieces) == "[1] says it is bright."


def test_a_told_reply_after_which_the_model_is_asked_again_is_withdrawn(picture: ImageRef) -> None:
    loop = ToolGenerator(generator=Able(f"So:\n{LOOK}", ANSWER), tools=(CropTool(),))
    pieces: list[str] = []
    loop.stream(asked(picture), pieces.append)
    assert "".join(pieces) == f"So:\n{LOOK}{RESTARTED}{ANSWER}"


def test_a_model_that_never_answers_says_so_in_a_stream(picture: ImageRef) -> None:
    loop = ToolGenerator(generator=Able(*[LOOK] * 9), tools=(CropTool(),))
    pieces: list[str] = []
    assert loop.stream(asked(picture), pieces.append).abstained
    assert "".join(pieces) == UNANSWERED


def test_draws_share_what_was_looked_at(picture: ImageRef) -> None:
    loop = ToolGenerator(generator=Able(LOOK, ANSWER), tools=(CropTool(),))
    ((first, second),) = loop.sample([asked(picture)], 2)
    assert (first.text, second.text) == ("draw 0 after 1", "draw 1 after 1")
    assert first.trace == second.trace
    assert first.regions[0].box == (10, 20, 50, 60)


def test_a_loop_can_be_sent_to_a_worker(picture: ImageRef) -> None:
    loop = ToolGenerator(generator=Able(LOOK, ANSWER), tools=(CropTool(),))
    loop = pickle.loads(pickle.dumps(loop))  # noqa: S301 - made one line above
    assert loop.generate([asked(picture)])[0].text == ANSWER
    assert isinstance(loop, Limited)
