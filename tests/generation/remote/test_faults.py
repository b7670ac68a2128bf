"""Whatever a server does, a prompt gets what it said, or an error that says what went wrong."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from medrag.endpoint import BrokenReplyError
from medrag.errors import MedragError
from medrag.generation.remote.probabilities import aligned, tokens_of
from medrag.generation.remote.replies import Reply, StreamedReply, reply_of
from tests.generation.remote.chats import (
    log_probabilities,
    prompt,
    remote,
    saying,
    whole,
)
from tests.servers import FAULTS, Server, faulty


@contextmanager
def server_of(answer: Any) -> Iterator[Server]:
    server = Server(answer)
    try:
        yield server
    finally:
        server.close()


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(st.sampled_from([None, *FAULTS]), max_size=12),
    st.integers(2, 4),
    st.integers(1, 3),
    st.booleans(),
)
def test_any_server_gives_the_right_generations_or_a_clear_error(
    faults: list[str | None], n: int, concurrency: int, streams: bool
) -> None:
    with server_of(faulty(saying(lambda text: f"It is {text} [1]."), faults)) as server:
        generator = remote(
            server, concurrency=concurrency, stream_responses=streams, log_probabilities=False
        )
        asked = [prompt(str(number)) for number in range(n)]
        wanted = [f"It is {number} [1]." for number in range(n)]
        found, told = outcome(lambda: generator.generate(asked))
        assert found is not None or server.url in told
        if found is None:
            # As an answerer does then: prompt by prompt.
            alone = [outcome(partial(generator.generate, [each])) for each in asked]
            assert all(each is not None or server.url in told for each, told in alone)
            found = [each[0] if each else None for each, _ in alone]
        for generation, right in zip(found, wanted, strict=True):
            assert generation is None or generation.text == right
        assert len(server.requests) <= 3 * n


def outcome(function: Callable[[], Any]) -> tuple[Any, str]:
    """Give what a function gives and "", or None and what its error says."""
    try:
        return function(), ""
    except (MedragError, BrokenReplyError) as error:
        return None, str(error)


@pytest.mark.parametrize("fault", ["busy", "error", "drop", "slow"])
@pytest.mark.parametrize("streams", [False, True])
def test_what_passes_is_waited_for(fault: str, streams: bool) -> None:
    with server_of(faulty(saying(str.upper), [fault, fault])) as server:
        generator = remote(server, stream_responses=streams)
        assert [each.text for each in generator.generate([prompt("abc")])] == ["ABC"]


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ("junk", "something else than JSON"),
        ("empty", "something else than a chat reply"),
        ("strange", "something else than a chat reply"),
    ],
)
def test_what_is_no_reply_is_told_at_once(fault: str, told: str) -> None:
    with (
        server_of(faulty(saying(str.upper), [fault])) as server,
        pytest.raises(MedragError, match=told),
    ):
        remote(server).generate([prompt("abc")])


SCALARS = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5))
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3), max_leaves=5)
MESSAGES = st.dictionaries(
    st.sampled_from(["content", "reasoning", "reasoning_content", "refusal", "text", "type"]),
    st.one_of(
        VALUES, st.lists(st.dictionaries(st.sampled_from(["text", "type"]), VALUES, max_size=2))
    ),
)
CHOICES = st.one_of(
    VALUES,
    st.fixed_dictionaries(
        {},
        optional={
            "message": st.one_of(VALUES, MESSAGES),
            "delta": st.one_of(VALUES, MESSAGES),
            "finish_reason": VALUES,
            "index": VALUES,
            "logprobs": st.one_of(VALUES, st.fixed_dictionaries({"content": st.lists(VALUES)})),
        },
    ),
)
REPLIES = st.one_of(
    VALUES,
    st.fixed_dictionaries(
        {},
        optional={
            "choices": st.one_of(VALUES, st.lists(CHOICES, max_size=2)),
            "usage": st.one_of(
                VALUES,
                st.dictionaries(st.sampled_from(["prompt_tokens", "completion_tokens"]), VALUES),
            ),
            "error": VALUES,
        },
    ),
)


@given(REPLIES)
def test_json_of_any_shape_is_a_reply_or_an_error(value: Any) -> None:
    reply, told = outcome(lambda: reply_of(json.loads(json.dumps(value)), "http://here"))
    assert told or reply.text.encode() is not None
    assert told or reply.prompt_tokens is None or reply.prompt_tokens >= 0


@given(st.lists(REPLIES, max_size=4))
def test_events_of_any_shape_are_a_reply_or_an_error(values: list[Any]) -> None:
    reader = StreamedReply("http://here")

    def read() -> Reply:
        for value in values:
            reader.add(value)
        return reader.reply()

    reply, told = outcome(read)
    assert told or reply.text.encode() is not None


def test_a_reply_that_does_not_end_is_cut_off() -> None:
    reader = StreamedReply("http://here")
    piece = {"choices": [{"index": 0, "delta": {"content": "x" * 400_000}}]}
    reader.add(piece)
    reader.add(piece)
    with pytest.raises(MedragError, match="more than 1000000 characters"):
        reader.add(piece)


@given(st.lists(st.text(max_size=4), max_size=8), st.data())
def test_tokens_of_a_stretch_are_those_that_touch_it(pieces: list[str], data: Any) -> None:
    text = "".join(pieces)
    if text != text.encode("utf-8", "ignore").decode():
        return
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    told = log_probabilities([(piece, -float(n)) for n, piece in enumerate(pieces)])
    tokens = tokens_of(told)
    assert tokens is not None
    # Slowly: the token that each character belongs to.
    owners = [n for n, piece in enumerate(pieces) for _ in piece]
    wanted = tuple(-float(n) for n in sorted(set(owners[start:end])))
    assert aligned(tokens, text, start, end) == wanted


def test_tokens_that_do_not_make_up_the_text_say_nothing() -> None:
    tokens = tokens_of(log_probabilities([("Yes", -1.0)]))
    assert tokens is not None
    assert aligned(tokens, "No", 0, 2) is None


def test_the_reply_of_the_tests_is_one() -> None:
    assert reply_of(whole("Yes.")[2], "http://here").text == "Yes."
