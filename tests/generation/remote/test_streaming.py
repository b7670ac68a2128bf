"""Answers that are told while they come, from streams that hold or break."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medrag.errors import MedragError
from medrag.generation.remote import RESTARTED
from medrag.generation.remote.telling import Teller
from medrag.generation.reply import Tags, answer_span
from medrag.records import Usage
from tests.generation.remote.chats import (
    STREAM,
    cut,
    event,
    events,
    log_probabilities,
    prompt,
    remote,
    saying,
    whole,
)
from tests.servers import Answer, Pieces, Request, Serve

KEY = "sk-a-secret-of-the-tests"
THINK = Tags(("<think>", "</think>"))


def streaming(answers: Sequence[Any]) -> Any:
    """Answer with one body after the other, the last for ever."""
    return lambda _, number: (200, STREAM, answers[min(number, len(answers) - 1)])


def test_an_answer_is_told_in_pieces_that_make_it_up(serve: Serve) -> None:
    pieces = ["<thi", "nk>A bo", "ne?</th", "ink>\n", "No", " fracture", " [", "1]", "."]
    told: list[str] = []
    server = serve(streaming([Pieces(events(pieces))]))
    generation = remote(server).stream(prompt("a"), told.append)
    assert "".join(told) == generation.text == "No fracture [1]."
    assert told == ["No", " fracture", " [", "1]", "."]
    assert generation.thoughts == "A bone?"
    assert generation.usage == Usage(10, 4)
    assert server.requests[0].body["stream_options"] == {"include_usage": True}


def test_pieces_are_told_before_the_reply_is_there_whole(serve: Serve) -> None:
    # The server never ends; whoever listens hangs up at the third piece.
    endless = Pieces(events(["word "] * 500)[:-3], pause=0.02)

    class EnoughError(Exception):
        pass

    told: list[str] = []

    def tell(piece: str) -> None:
        told.append(piece)
        if len(told) == 3:
            raise EnoughError

    server = serve(streaming([endless]))
    with pytest.raises(EnoughError):
        remote(server).stream(prompt("a"), tell)
    assert "".join(told) == "word word word"
    assert len(server.requests) == 1


def test_thoughts_of_their_own_field_are_not_told(serve: Serve) -> None:
    body = events(["It ", "is."], key="reasoning_content")[:-3] + events(["Yes."])
    told: list[str] = []
    generation = remote(serve(streaming([Pieces(body)]))).stream(prompt("a"), told.append)
    assert (told, generation.text, generation.thoughts) == (["Yes."], "Yes.", "It is.")


def test_a_stream_that_broke_and_comes_again_is_told_once(serve: Serve) -> None:
    broken = Pieces(events(["No frac", "ture"])[:2], drop=True)
    again = Pieces(events(["No ", "fracture ", "is seen."]))
    told: list[str] = []
    server = serve(streaming([broken, again]))
    assert remote(server).stream(prompt("a"), told.append).text == "No fracture is seen."
    assert "".join(told) == "No fracture is seen."
    assert len(server.requests) == 2


def test_a_stream_that_comes_again_otherwise_is_told_to_begin_anew(serve: Serve) -> None:
    broken = Pieces(events(["No frac", "ture"])[:2], drop=True)
    told: list[str] = []
    server = serve(streaming([broken, Pieces(events(["No ", "sign ", "of one."]))]))
    assert remote(server).stream(prompt("a"), told.append).text == "No sign of one."
    before, _, after = "".join(told).partition(RESTARTED)
    assert (before, after) == ("No frac", "No sign of one.")


def test_a_shorter_text_the_second_time_is_told_too(serve: Serve) -> None:
    broken = Pieces(events(["No fracture.", " None"])[:2], drop=True)
    told: list[str] = []
    server = serve(streaming([broken, Pieces(events(["No."]))]))
    assert remote(server).stream(prompt("a"), told.append).text == "No."
    assert "".join(told) == f"No fracture.{RESTARTED}No."


def test_thoughts_that_only_end_are_taken_back(serve: Serve) -> None:
    # The template of the server began the thoughts, and nobody said so.
    body = Pieces(events(["It is.", "</think>", "Yes."]))
    told: list[str] = []
    assert remote(serve(streaming([body]))).stream(prompt("a"), told.append).text == "Yes."
    assert "".join(told) == f"It is.{RESTARTED}Yes."
    told.clear()
    generator = remote(serve(streaming([body])), thinking=True)
    assert generator.stream(prompt("a"), told.append).thoughts == "It is."
    assert told == ["Yes."]


def test_the_key_is_not_told_however_it_is_cut(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEST_KEY", KEY)
    told: list[str] = []
    server = serve(streaming([Pieces(events(cut(f"It is {KEY}, and s", 1)))]))
    generation = remote(server, key_variable="TEST_KEY").stream(prompt("a"), told.append)
    assert generation.text == "".join(told) == "It is [key], and s"


def test_a_server_that_refuses_to_count_streams_is_asked_once(serve: Serve) -> None:
    def answer(request: Request, number: int) -> Answer:
        if "stream_options" in request.body:
            return 422, {}, {"detail": "Unexpected fields: {'stream_options'}"}
        return 200, STREAM, Pieces(events(["Yes."]))

    server = serve(answer)
    generator = remote(server, log_probabilities=False)
    assert [generator.stream(prompt(each), str).text for each in "ab"] == ["Yes.", "Yes."]
    assert len(server.requests) == 3


def test_a_server_that_does_not_stream_is_read_whole(serve: Serve) -> None:
    told: list[str] = []
    server = serve(lambda *_: whole("<think>hm</think>Yes."))
    assert remote(server).stream(prompt("a"), told.append).text == "Yes."
    assert told == ["Yes."]


def test_an_error_in_a_stream_is_tried_again_and_then_told(serve: Serve) -> None:
    failing = [*events(["No"])[:2], event({"error": {"message": "out of memory"}})]
    server = serve(streaming([Pieces(failing)]))
    with pytest.raises(MedragError, match=r"broke off \(out of memory\)\) in 3 tries"):
        remote(server).stream(prompt("a"), str)
    assert len(server.requests) == 3


def test_log_probabilities_come_in_pieces(serve: Serve) -> None:
    body = [
        event({
            "choices": [{
                "index": 0,
                "delta": {"content": text},
                "logprobs": log_probabilities([(text, value)]),
            }]
        })
        for text, value in (("Yes", -0.5), (" [1].", -0.25))
    ]  # fmt: skip
    server = serve(streaming([Pieces([*body, *events([])])]))
    assert remote(server).stream(prompt("a"), str).log_probabilities == (-0.5, -0.25)


def test_a_streamed_answer_is_not_asked_for_again(serve: Serve) -> None:
    server = serve(saying(str.upper))
    generator = remote(server)
    streamed = generator.stream(prompt("abc"), str)
    told: list[str] = []
    assert generator.generate([prompt("abc")]) == [streamed]
    assert generator.stream(prompt("abc"), told.append) == streamed
    assert told == ["ABC"]
    assert len(server.requests) == 1


def test_batches_can_be_streamed_too(serve: Serve) -> None:
    server = serve(saying(str.upper))
    found = remote(server, stream_responses=True).generate([prompt(each) for each in "abc"])
    assert [each.text for each in found] == ["A", "B", "C"]
    assert all(each.body["stream"] for each in server.requests)


def test_other_choices_of_a_stream_are_passed_over(serve: Serve) -> None:
    other = event({"choices": [{"index": 1, "delta": {"content": "other"}}]})
    server = serve(streaming([Pieces([other, *events(["Yes."])])]))
    assert remote(server).stream(prompt("a"), str).text == "Yes."


REPLIES = st.lists(
    st.sampled_from([
        "<think>", "</think>", "<answer>", "</answer>", "<THINK>", "<th", "a", " ", "\n", "<",
        KEY, KEY[:5], "é",
    ]),
    max_size=12,
).map("".join)  # fmt: skip


@given(
    REPLIES,
    st.lists(st.integers(0, 120), max_size=12),
    st.sampled_from([Tags(), THINK, Tags(THINK.think, ("<answer>", "</answer>"))]),
    st.booleans(),
)
def test_what_was_told_last_is_the_answer_without_the_key(
    reply: str, cuts: list[int], tags: Tags, thinking: bool
) -> None:
    told: list[str] = []
    teller = Teller(told.append, tags=tags, thinking=thinking, secret=KEY)
    teller.begin()
    for text in grown(reply, cuts):
        teller.show(text)
    span = answer_span(reply, tags, thinking=thinking)
    answer = reply[span.start : span.end].replace(KEY, "[key]")
    teller.close(answer)
    assert "".join(told).rpartition(RESTARTED)[2] == answer
    assert KEY not in "".join(told)


def grown(text: str, cuts: Sequence[int]) -> Iterator[str]:
    places = [0, *sorted(min(each, len(text)) for each in cuts), len(text)]
    return (text[:stop] for _, stop in pairwise(places))
