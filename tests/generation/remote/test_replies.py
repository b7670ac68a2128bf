"""What is read out of replies: thoughts, probabilities, places, and what they took."""

import json
import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from medrag.errors import MedragError
from medrag.records import (
    Generation,
    Hit,
    Passage,
    Prompt,
    Question,
    QuestionRegion,
    Source,
    Usage,
)
from tests.generation.remote.chats import (
    log_probabilities,
    only,
    picture,
    prompt,
    remote,
    said,
    whole,
)
from tests.servers import Answer, Request, Serve


def test_thoughts_are_kept_apart_however_they_are_told(serve: Serve) -> None:
    replies = {
        "tags": whole("<think>A bone.</think>\nNo [1]."),
        "half a tag": whole("A bone.</think> No [1]."),
        "reasoning_content": whole("No [1].", reasoning_content="A bone."),
        "reasoning": whole([{"type": "text", "text": "No [1]."}], reasoning="A bone."),  # type: ignore[arg-type]
    }
    server = serve(lambda request, _: replies[said(request)])
    for generation in remote(server).generate([prompt(each) for each in replies]):
        assert (generation.text, generation.thoughts) == ("No [1].", "A bone.")
        assert generation.finish_reason == "stop"


def test_without_tags_all_is_answer(serve: Serve) -> None:
    generator = remote(serve(lambda *_: whole("<think>A bone.</think> No.")), think=[])
    generation = only(generator, prompt("a"))
    assert (generation.text, generation.thoughts) == ("<think>A bone.</think> No.", "")


@pytest.mark.parametrize(("language", "value"), [("en", 1234), ("de", 1.234), ("xx", 1234)])
def test_numbers_are_read_as_the_language_of_the_evidence_writes_them(
    serve: Serve, language: str, value: float
) -> None:
    evidence = Hit(Passage("p", "text", "Text.", Source("c", "d", "0", language=language)), 1, 1)
    asked = replace(prompt("a"), evidence=(evidence,))
    generation = only(remote(serve(lambda *_: whole("It has 1,234 mm."))), asked)
    assert [each.value for each in generation.quantities] == [value]


@pytest.mark.parametrize(
    ("reply", "finish", "text"),
    [
        (whole("Yes", finish="length"), "length", "Yes"),
        (whole("Yes", finish="content_filter"), "length", "Yes"),
        (whole("Yes", finish="eos"), "stop", "Yes"),
        (whole("", finish="stop"), "stop", ""),
        (whole("<think>It is", finish="length"), "unclosed", ""),
        (whole(None, finish="length", reasoning_content="It is"), "unclosed", ""),
    ],
)
def test_why_a_text_ended_is_told(serve: Serve, reply: Answer, finish: str, text: str) -> None:
    generation = only(remote(serve(lambda *_: reply)), prompt("a"))
    assert (generation.finish_reason, generation.text) == (finish, text)


def test_a_model_that_refuses_abstains(serve: Serve) -> None:
    reply = whole(None, refusal="I cannot help with that.")
    generation = only(remote(serve(lambda *_: reply)), prompt("a"))
    assert (generation.text, generation.abstained) == ("I cannot help with that.", True)


def test_usage_and_its_cost_are_told(serve: Serve) -> None:
    server = serve(lambda *_: whole("Yes."))
    assert only(remote(server), prompt("a")).usage == Usage(10, 4, None)
    priced = remote(server, price_in=2.0, price_out=10.0)
    # 10 tokens at 2 and 4 at 10 for a million.
    assert only(priced, prompt("a")).usage == Usage(10, 4, pytest.approx(60e-6))


def test_a_count_that_no_reply_has_is_not_known(serve: Serve) -> None:
    status, headers, reply = whole("Yes.")
    counts = {"prompt_tokens": 10**400, "completion_tokens": 4}
    server = serve(lambda *_: (status, headers, {**reply, "usage": counts}))
    generation = only(remote(server, price_in=2.0, price_out=10.0), prompt("a"))
    assert (generation.text, generation.usage) == ("Yes.", Usage(None, 4, None))


@pytest.mark.parametrize("raw", [True, False])
def test_log_probabilities_are_those_of_the_answer(serve: Serve, raw: bool) -> None:
    tokens = [("<think>", -1.0), ("No", -2.0), ("</think>", -3.0), (" No", -0.5), (" é.", -0.25)]
    told = log_probabilities([*tokens, ("<|im_end|>", -9.0)], raw=raw)
    server = serve(lambda *_: whole("<think>No</think> No é.", logprobs=told))
    assert only(remote(server), prompt("a")).log_probabilities == (-0.5, -0.25)


def test_log_probabilities_survive_a_server_that_takes_thoughts_and_blanks_away(
    serve: Serve,
) -> None:
    told = log_probabilities([("No.", -1.0), ("</think>", -2.0), ("\n", -3.0), ("No.", -0.125)])
    reply = whole("No.", reasoning_content="No.", logprobs=told)
    assert only(remote(serve(lambda *_: reply)), prompt("a")).log_probabilities == (-0.125,)


@pytest.mark.parametrize("value", [float("nan"), None, "x", True])
def test_log_probabilities_that_are_none_are_not_known(serve: Serve, value: Any) -> None:
    told = log_probabilities([("Yes", value)])
    assert only(remote(serve(lambda *_: whole("Yes", logprobs=told))), prompt("a")) == Generation(
        "Yes", usage=Usage(10, 4)
    )


def test_a_server_that_refuses_log_probabilities_is_asked_once(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    def answer(request: Request, number: int) -> Answer:
        if "logprobs" in request.body:
            return 400, {}, {"error": {"message": "logprobs are not enabled"}}
        return whole("Yes.")

    server = serve(answer)
    generator = remote(server, concurrency=1)
    with caplog.at_level(logging.WARNING, "medrag"):
        generator.generate([prompt(each) for each in "abc"])
    assert ["logprobs" in each.body for each in server.requests] == [True, False, False, False]
    (told,) = caplog.messages
    assert told.endswith("refuses 'logprobs': not asked for any more")


def test_a_server_that_passes_over_log_probabilities_is_asked_once(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    server = serve(lambda *_: whole("Yes."))
    generator = remote(server, concurrency=1)
    with caplog.at_level(logging.WARNING, "medrag"):
        generator.generate([prompt(each) for each in "abc"])
    assert ["logprobs" in each.body for each in server.requests] == [True, False, False]
    assert len(caplog.messages) == 1


def test_of_two_refusals_the_first_is_told(serve: Serve) -> None:
    server = serve(lambda _, number: (400, {}, {"error": f"reason {number}"}))
    with pytest.raises(MedragError, match="reason 0"):
        remote(server).generate([prompt("a")])
    assert len(server.requests) == 2


def test_a_prompt_that_is_refused_for_itself_takes_no_log_probabilities_away(serve: Serve) -> None:
    def answer(request: Request, number: int) -> Answer:
        if said(request) == "long":
            return 400, {}, {"error": {"message": "the prompt is too long"}}
        return whole("Yes", logprobs=log_probabilities([("Yes", -1.0)]))

    server = serve(answer)
    generator = remote(server)
    with pytest.raises(MedragError, match=r"status 400: the prompt is too long; if .* \(room\)"):
        generator.generate([prompt("long")])
    assert only(generator, prompt("short")).log_probabilities == (-1.0,)
    # By now they are known not to be the reason.
    with pytest.raises(MedragError, match="too long"):
        generator.generate([prompt("long")])
    assert [said(each) for each in server.requests] == ["long", "long", "short", "long"]


def test_the_new_name_of_max_tokens_is_learned(serve: Serve) -> None:
    def answer(request: Request, number: int) -> Answer:
        if "max_tokens" in request.body:
            return 400, {}, {"error": "Unsupported: 'max_tokens'. Use 'max_completion_tokens'."}
        return whole("Yes.")

    server = serve(answer)
    generator = remote(server, max_tokens=9, log_probabilities=False)
    generator.generate([prompt("a")])
    generator.generate([prompt("b")])
    assert [each.body.get("max_completion_tokens") for each in server.requests] == [None, 9, 9]


def test_places_and_numbers_are_read_in_original_pixels(serve: Serve, tmp_path: Path) -> None:
    image = picture(tmp_path, size=(400, 200))
    reply = '{"bbox_2d": [10, 20, 50, 100], "label": "nodule"} of 7 mm'
    generator = remote(serve(lambda *_: whole(reply)), max_pixels=20_000, coordinates="resized")
    generation = only(generator, prompt("Where?", image))
    # The server was shown 200 x 100 pixels of 400 x 200.
    assert generation.regions == (QuestionRegion(0, (20.0, 40.0, 100.0, 200.0), name="nodule"),)
    assert [(each.value, each.unit) for each in generation.quantities] == [(7.0, "mm")]


def test_a_place_is_counted_among_the_pictures_of_the_question(
    serve: Serve, tmp_path: Path
) -> None:
    told, shown = picture(tmp_path), picture(tmp_path, "shown.png")
    asked = Prompt(Question("Where?", images=(told, shown)), (), (shown, "Where?"))
    generator = remote(serve(lambda *_: whole('{"bbox_2d": [1, 2, 3, 4]}')), coordinates="original")
    assert [each.image for each in only(generator, asked).regions] == [1]


def test_halves_of_characters_are_replaced(serve: Serve) -> None:
    answer = 200, {}, json.dumps(whole("A \ud83d B")[2]).encode()
    assert only(remote(serve(lambda *_: answer)), prompt("a")).text == "A � B"
