"""Batches of which some prompts fail: what the others cost, and what is told."""

import _thread
import logging
import threading
import time
import traceback
from pathlib import Path

import pytest

from medrag.errors import InputFileError, MedragError, RecipeError
from medrag.generation.remote import RemoteGenerator
from medrag.records import ImageRef, Prompt, Question
from tests.generation.remote.chats import (
    only,
    picture,
    prompt,
    remote,
    said,
    whole,
)
from tests.servers import Answer, Request, Serve

KEY = "sk-a-secret-of-the-tests"


def test_order_is_kept_and_no_more_is_asked_at_a_time_than_may_be(serve: Serve) -> None:
    lock, now, most = threading.Lock(), 0, 0

    def answer(request: Request, number: int) -> Answer:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        # The first take longest.
        time.sleep(0.02 * (8 - int(said(request))))
        with lock:
            now -= 1
        return whole(said(request))

    asked = [prompt(str(n)) for n in range(8)]
    found = remote(serve(answer), concurrency=3).generate(asked)
    assert [each.text for each in found] == [str(n) for n in range(8)]
    assert most == 3


def test_what_came_for_others_of_a_failing_batch_is_not_asked_again(serve: Serve) -> None:
    def answer(request: Request, number: int) -> Answer:
        return (400, {}, {}) if said(request) == "bad" else whole(said(request))

    server = serve(answer)
    generator = remote(server, log_probabilities=False)
    asked = [prompt(each) for each in ("a", "bad", "b", "bad 2")]
    with pytest.raises(MedragError, match="status 400"):
        generator.generate(asked)
    n = len(server.requests)
    assert n == 4
    # As an answerer does: prompt by prompt. Nor is a fresh failure asked once more.
    texts = []
    for each in asked:
        try:
            texts.append(only(generator, each).text)
        except MedragError:
            texts.append("failed")
    assert texts == ["a", "failed", "b", "bad 2"]
    assert len(server.requests) == n


def test_freely_drawn_replies_of_a_failing_batch_are_given_once(serve: Serve) -> None:
    is_down = True

    def answer(request: Request, number: int) -> Answer:
        return (400, {}, {}) if is_down and said(request) == "bad" else whole(f"reply {number}")

    server = serve(answer)
    generator = remote(server, temperature=1.0, log_probabilities=False, concurrency=1)
    asked = [prompt("bad"), prompt("a"), prompt("a")]
    with pytest.raises(MedragError):
        generator.generate(asked)
    is_down = False
    # Prompt by prompt, or the batch once more: the replies that came are given, each once.
    assert only(generator, prompt("a")).text == "reply 1"
    assert [each.text for each in generator.generate(asked)] == ["reply 3", "reply 4", "reply 2"]
    texts = [each.text for each in generator.generate(asked)]
    assert texts == ["reply 5", "reply 6", "reply 7"]


def test_equal_prompts_are_sent_once_unless_replies_are_drawn(serve: Serve) -> None:
    server = serve(lambda _, number: whole(str(number)))
    same = [prompt("a")] * 3
    assert [each.text for each in remote(server).generate(same)] == ["0"] * 3
    drawn = remote(server, temperature=1.0, concurrency=1).generate(same)
    assert [each.text for each in drawn] == ["1", "2", "3"]


def test_questions_made_of_lists_are_answered_as_well(serve: Serve) -> None:
    server = serve(lambda *_: whole("B."))
    asked = Prompt(Question("Which?", options=["one", "two"]), [], ["Which?"])  # type: ignore[arg-type]
    assert [each.text for each in remote(server).generate([asked, asked])] == ["B.", "B."]
    assert len(server.requests) == 1


def test_several_failures_are_told_as_one(serve: Serve) -> None:
    server = serve(lambda *_: (400, {}, {"error": "no"}))
    with pytest.raises(
        MedragError, match=r"status 400: no.*\(so for 2 of 2 prompts, or likewise\)"
    ):
        remote(server).generate([prompt("a"), prompt("b")])


def test_a_server_that_is_gone_is_not_asked_for_all_the_rest(serve: Serve) -> None:
    is_down = True
    server = serve(lambda request, _: (503, {}, {}) if is_down else whole(said(request)))
    generator = remote(server, tries=1, concurrency=1)
    with pytest.raises(MedragError):
        generator.generate([prompt(str(n)) for n in range(40)])
    assert len(server.requests) == 20
    with pytest.raises(MedragError):
        generator.generate([prompt(str(n)) for n in range(40, 50)])
    assert len(server.requests) == 21
    is_down = False
    assert len(generator.generate([prompt(str(n)) for n in range(50, 60)])) == 10


def test_more_images_than_a_model_takes_are_not_sent(serve: Serve, tmp_path: Path) -> None:
    server = serve(lambda *_: whole("Yes."))
    with pytest.raises(ValueError, match="shows 1 images, and m takes 0"):
        remote(server, max_images=0).generate([prompt("a", picture(tmp_path))])
    assert server.requests == []


def test_a_picture_that_cannot_be_read_fails_its_prompt(serve: Serve, tmp_path: Path) -> None:
    server = serve(lambda *_: whole("Yes."))
    with pytest.raises(InputFileError, match=r"gone\.png"):
        remote(server).generate([prompt("a", ImageRef(str(tmp_path / "gone.png"))), prompt("b")])
    assert [said(each) for each in server.requests] == ["b"]


def test_the_key_is_sent_and_never_told(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("TEST_KEY", KEY)
    replies = [(503, {}, {"error": KEY}), whole(f"It is {KEY}.", reasoning_content=f"Say {KEY}.")]
    server = serve(lambda _, number: replies[min(number, 1)])
    generator = remote(server, key_variable="TEST_KEY")
    with caplog.at_level(logging.DEBUG):
        generation = only(generator, prompt("a"))
    assert server.requests[0].headers["Authorization"] == f"Bearer {KEY}"
    assert (generation.text, generation.thoughts) == ("It is [key].", "Say [key].")
    assert KEY not in caplog.text + repr(vars(generator)) + generator.name


@pytest.mark.parametrize("streams", [False, True])
def test_the_key_is_not_told_where_a_server_sends_it_in_the_place_of_a_reply(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, streams: bool
) -> None:
    monkeypatch.setenv("TEST_KEY", KEY)
    server = serve(lambda *_: (200, {}, {"error": {"message": f"{KEY} is out of credit"}}))
    generator = remote(server, key_variable="TEST_KEY", stream_responses=streams)
    with pytest.raises(MedragError, match=r"\[key\] is out of credit") as told:
        generator.generate([prompt("a")])
    shown = "".join(traceback.format_exception(told.value))
    assert KEY not in shown


def test_an_interrupt_is_not_kept_waiting_and_nothing_more_is_asked(serve: Serve) -> None:
    held = threading.Event()

    def answer(request: Request, number: int) -> Answer:
        held.wait(20)
        return 503, {}, {}

    server = serve(answer)
    generator = remote(server, concurrency=2)
    timer = threading.Timer(0.3, _thread.interrupt_main)
    timer.start()
    begun = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        generator.generate([prompt(each) for each in "abcd"])
    assert time.monotonic() - begun < 10
    held.set()
    # Time for a further try, if one were made: the wait before it is a millisecond.
    time.sleep(0.3)
    assert len(server.requests) == 2


def test_a_missing_key_is_told_before_anything_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TEST_KEY", raising=False)
    with pytest.raises(RecipeError, match="TEST_KEY is empty"):
        RemoteGenerator(url="http://localhost", model="m", key_variable="TEST_KEY")


def test_a_bug_is_no_failure_of_a_prompt(serve: Serve) -> None:
    server = serve(lambda *_: whole("Yes."))
    broken = Prompt(Question("a"), (), None)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        remote(server).generate([broken, prompt("b")])
