"""Prompts to a chat server and replies from it."""

import re
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medrag.errors import MedragError, RecipeError
from medrag.verification.chat import ChatJudge, _without_thoughts
from tests.servers import Answer, Request, Serve, Server


def reply(content: Any, finish: str = "stop") -> Answer:
    return 200, {}, {"choices": [{"message": {"content": content}, "finish_reason": finish}]}


def asked(request: Request) -> str:
    return str(request.body["messages"][0]["content"])


def judge(server: Server, **options: Any) -> ChatJudge:
    return ChatJudge(url=server.url, model="some-model", **{"wait": 0.001, **options})


def test_replies_come_in_the_order_of_the_prompts(serve: Serve) -> None:
    server = serve(lambda request, _: reply(f"to {asked(request)}"))
    made = judge(server, concurrency=3)
    assert made.judge([str(n) for n in range(20)]) == [f"to {n}" for n in range(20)]
    assert made.judge([]) == []
    assert made.name == "chat/some-model/0.0/512"
    sent = server.requests[0]
    assert sent.path == "/v1/chat/completions"
    assert {k: v for k, v in sent.body.items() if k != "messages"} == {
        "model": "some-model", "temperature": 0.0, "max_tokens": 512,
    }  # fmt: skip


def test_equal_prompts_are_sent_once(serve: Serve) -> None:
    server = serve(lambda request, _: reply(asked(request)))
    assert judge(server).judge(["a", "b", "a"]) == ["a", "b", "a"]
    assert len(server.requests) == 2


def test_settings_that_a_server_refuses_can_be_left_out(serve: Serve) -> None:
    server = serve(lambda *_: reply("fine"))
    judge(server, temperature=None, max_tokens=None).judge(["a"])
    assert set(server.requests[0].body) == {"model", "messages"}


@pytest.mark.parametrize(
    ("content", "read"),
    [
        ("<think>Is it? no</think>\nyes", "yes"),
        ([{"type": "text", "text": "ye"}, {"type": "text", "text": "s"}], "yes"),
        ("  yes\n", "yes"),
    ],
)
def test_a_reply_is_read_without_what_was_thought_aloud(
    serve: Serve, content: Any, read: str
) -> None:
    assert judge(serve(lambda *_: reply(content))).judge(["a"]) == [read]


def test_a_prompt_that_fails_gets_no_reply_and_is_counted(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    def answer(request: Request, number: int) -> Answer:
        return (
            (400, {}, {"error": {"message": "too long"}}) if asked(request) == "b" else reply("y")
        )

    made = judge(serve(answer))
    assert made.judge(["a", "b", "c", "b"]) == ["y", None, "y", None]
    assert sum(made.failures.values()) == 2
    assert all("give it less evidence" in reason for reason in made.failures)
    assert "gave no reply to 2 of 4 prompts" in caplog.text


def test_a_server_that_answers_nothing_is_an_error_with_its_reason(serve: Serve) -> None:
    server = serve(lambda *_: (404, {}, {"error": {"message": "no such model"}}))
    with pytest.raises(MedragError, match=r"judged none of 2 prompts: .*no such model"):
        judge(server).judge(["a", "b"])


def test_after_many_failures_in_a_row_the_rest_is_not_sent(serve: Serve) -> None:
    server = serve(lambda *_: (400, {}, {}))
    made = judge(server, concurrency=1)
    with pytest.raises(MedragError, match="judged none of 90"):
        made.judge([str(n) for n in range(90)])
    assert len(server.requests) == 20
    assert made.failures["not sent: 20 requests before it had failed in a row"] == 70


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ({"choices": []}, "something else than a chat reply"),
        ({"data": []}, "something else than a chat reply"),
        ({"choices": [{"message": {"content": None}, "finish_reason": "length"}]}, "raise max_tok"),
        ({"choices": [{"message": {"content": "<think>hm</think>"}}]}, "empty reply"),
    ],
)
def test_a_reply_that_is_none_is_refused(serve: Serve, value: Any, told: str) -> None:
    with pytest.raises(MedragError, match=told):
        judge(serve(lambda *_: (200, {}, value))).judge(["a"])


def test_a_busy_server_is_asked_again(serve: Serve) -> None:
    server = serve(lambda _, number: (429, {}, {}) if number < 2 else reply("yes"))
    assert judge(server).judge(["a"]) == ["yes"]
    assert len(server.requests) == 3


def test_settings_out_of_range_are_refused() -> None:
    options: list[dict[str, Any]] = [{"concurrency": 0}, {"max_tokens": 0}, {"tries": 0}]
    for option in options:
        with pytest.raises(ValueError, match=next(iter(option))):
            ChatJudge(url="https://example.org", model="m", **option)
    with pytest.raises(RecipeError, match="not encrypted"):
        ChatJudge(url="http://example.org", model="m")


PIECES = st.sampled_from(
    ["<think>", "</think>", "<THINK>", "<reasoning>", "</reasoning>", "</Thinking>", "a", " ", "<"]
)


@given(st.lists(PIECES, max_size=12).map("".join))
def test_thoughts_end_at_the_next_closing_tag_of_their_name(text: str) -> None:
    # The same in one pattern, which reads to the end again from every tag that is left open.
    pattern = re.compile(r"<(think|thinking|reasoning)>.*?</\1>", re.DOTALL | re.IGNORECASE)
    assert _without_thoughts(text) == pattern.sub("", text)


@pytest.mark.parametrize("piece", ["<think>", "<think><reasoning></think>", "</think><think>"])
def test_thoughts_without_end_take_no_time(piece: str) -> None:
    begun = time.monotonic()
    _without_thoughts(piece * 100_000)
    assert time.monotonic() - begun < 5


def test_a_reply_that_does_not_end_is_none(serve: Serve) -> None:
    server = serve(lambda *_: reply("ha" * 10_001))
    with pytest.raises(MedragError, match=r"20002 characters, more than 20000.*\(max_tokens\)"):
        judge(server).judge(["a"])
    thought = serve(lambda *_: reply(f"<think>{'ha' * 10_001}</think>yes"))
    assert judge(thought).judge(["a"]) == ["yes"]


KEY = "sk-a-secret-of-the-tests"


def test_a_missing_key_is_told_before_anything_is_sent(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TEST_KEY", raising=False)
    server = serve(lambda *_: reply("yes"))
    made = judge(server, key_variable="TEST_KEY")
    with pytest.raises(RecipeError, match=r"\Athe environment variable TEST_KEY is empty"):
        made.judge(["a", "b"])
    assert server.requests == []
    assert not made.failures


def test_a_key_that_comes_back_is_not_kept(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_KEY", KEY)

    def answer(request: Request, number: int) -> Answer:
        said = f"yes, {request.headers['Authorization']}"
        return reply("", said) if asked(request) == "b" else reply(said)

    made = judge(serve(answer), key_variable="TEST_KEY")
    assert made.judge(["a", "b"]) == ["yes, Bearer [key]", None]
    [reason] = made.failures
    assert "[key]" in reason
    assert KEY not in reason


def test_a_malformed_address_is_refused_when_the_judge_is_made() -> None:
    with pytest.raises(RecipeError, match="no address of a server"):
        ChatJudge(url="http://[::1", model="m")
