"""Requests to a server: what is sent, how often, how long, and what is told of failures."""

import json
import logging
import time
from collections.abc import Callable
from email.utils import formatdate

import pytest

from medrag.encoding.remote import RemoteEncoder
from medrag.encoding.remote.endpoint import Endpoint
from medrag.errors import MedragError, RecipeError
from tests.encoding.remote.servers import (
    Answer,
    Dripping,
    Request,
    Server,
    embed,
    remote,
)

KEY = "sk-a-secret-of-the-tests"


def test_a_busy_server_is_asked_again(
    serve: Callable[..., Server], caplog: pytest.LogCaptureFixture
) -> None:
    def answer(request: Request, number: int) -> Answer:
        if number < 3:
            status = (429, 503, 500)[number]
            return status, {"Retry-After": "0.01"} if number == 0 else {}, {"error": "busy"}
        return embed(request, number)

    server = serve(answer)
    with caplog.at_level(logging.WARNING, "medrag"):
        remote(server).encode_passages([])
    assert len(server.requests) == 4
    told = [message.partition(": ")[2] for message in caplog.messages]
    # What the server asked for, then twice and four times the first wait.
    assert told == [
        "status 429; trying again in 0.01 s",
        "status 503; trying again in 0.002 s",
        "status 500; trying again in 0.004 s",
    ]


@pytest.mark.parametrize("after", ["3600", formatdate(usegmt=True, timeval=4e9)])
def test_a_server_that_asks_for_hours_is_not_waited_for(
    serve: Callable[..., Server], after: str
) -> None:
    server = serve(lambda *_: (429, {"Retry-After": after}, {"error": {"message": "quota"}}))
    with pytest.raises(MedragError, match=r"status 429: quota; it asks to wait \d+ s"):
        remote(server).encode_passages([])
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("status", "way"),
    [
        (400, "lower window_words"),
        (401, "put a valid key into an environment variable"),
        (404, "check the address and the name of the model"),
        (302, "it moved: give the new address"),
        (501, "its own log"),
    ],
)
def test_a_refusal_names_address_status_and_way_out(
    serve: Callable[..., Server], status: int, way: str
) -> None:
    answer = status, {"Location": "http://127.0.0.1:9/elsewhere"}, {"message": "no such thing"}
    server = serve(lambda *_: answer)
    with pytest.raises(
        MedragError, match=rf"{server.url}/v1/embeddings .* {status}.*no such.*{way}"
    ):
        remote(server, tries=2).encode_passages([])
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("head", "drops"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n", b" " * 500),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n" * 100),
        (b"HTTP/1.1 200 OK\r\nX-Slow: ", b"x" * 500),
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 500\r\n\r\n", b" " * 500),
    ],
    ids=["body", "chunks", "head", "error"],
)
def test_an_answer_that_drips_in_is_given_up_when_the_time_is_over(
    head: bytes, drops: bytes
) -> None:
    server = Dripping(head, drops)
    server.start()
    # Each try ends after 0.2 s, where the whole answer would take 10 s.
    begun = time.monotonic()
    try:
        endpoint = Endpoint(url=server.url, timeout=0.2, tries=2, wait=0)
        with pytest.raises(MedragError, match=r"no answer \(timed out\) in 2 tries|status 404"):
            endpoint.post({})
        assert time.monotonic() - begun < 3
        assert server.asked == (1 if b"404" in head else 2)
    finally:
        server.close()


def test_an_answer_in_pieces_is_read_whole_within_its_time() -> None:
    content = json.dumps({"fine": True}).encode()
    server = Dripping(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(content), content)
    server.start()
    try:
        assert Endpoint(url=server.url, timeout=30, tries=1).post({}) == {"fine": True}
    finally:
        server.close()


def test_a_server_that_stays_busy_is_given_up(serve: Callable[..., Server]) -> None:
    server = serve(lambda *_: (503, {}, b"<html>down for\n maintenance</html>"))
    with pytest.raises(MedragError, match=r"status 503: <html>down for maintenance.* in 3 tries"):
        remote(server, tries=3).encode_passages([])
    assert len(server.requests) == 3


def test_no_server_at_all_is_told(serve: Callable[..., Server]) -> None:
    server = serve()
    server._http.server_close()
    with pytest.raises(MedragError, match=r"no answer \(.*refused.* in 2 tries; is the server"):
        RemoteEncoder(url=server.url, model="m", tries=2, wait=0).encode_passages([])


def test_the_key_is_sent_and_never_told(
    serve: Callable[..., Server],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def answer(request: Request, number: int) -> Answer:
        if number < 2:
            return (503 if number else 429), {}, {"error": f"key {KEY} is busy"}
        return 401, {}, {"error": {"message": f"Incorrect key {KEY} provided"}}

    monkeypatch.setenv("TEST_KEY", KEY)
    server = serve(answer)
    encoder = remote(server, key_variable="TEST_KEY")
    with (
        caplog.at_level(logging.DEBUG),
        pytest.raises(
            MedragError, match=r"\[key\] provided; put a valid key into TEST_KEY"
        ) as told,
    ):
        encoder.encode_passages([])
    assert {each.headers["Authorization"] for each in server.requests} == {f"Bearer {KEY}"}
    assert KEY not in str(told.value)
    assert KEY not in caplog.text
    assert KEY not in repr(vars(encoder)) + repr(vars(encoder.endpoint))
    assert told.value.__cause__ is None


def test_a_key_that_is_not_there_is_asked_for(
    serve: Callable[..., Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TEST_KEY", raising=False)
    with pytest.raises(RecipeError, match="TEST_KEY is empty"):
        remote(serve(), key_variable="TEST_KEY").encode_passages([])


@pytest.mark.parametrize("broken", [f"{KEY}\nsecond line", f"{KEY}\u00e9"])
def test_a_key_that_no_header_takes_is_refused_unseen(
    serve: Callable[..., Server], monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    monkeypatch.setenv("TEST_KEY", broken)
    with pytest.raises(RecipeError, match="TEST_KEY holds characters") as told:
        remote(serve(), key_variable="TEST_KEY").encode_passages([])
    assert KEY not in str(told.value)


def test_an_answer_of_nothing_but_brackets_is_no_answer(serve: Callable[..., Server]) -> None:
    server = serve(lambda request, number: (200, {}, b"[" * 200_000))
    with pytest.raises(MedragError, match="something else than JSON"):
        remote(server).encode_passages([])


def test_an_answer_that_is_no_json_is_refused(serve: Callable[..., Server]) -> None:
    with pytest.raises(MedragError, match="something else than JSON"):
        remote(serve(lambda *_: (200, {}, b"<html>"))).encode_passages([])


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("http://example.org", "not encrypted"),
        ("http://10.0.0.7:8000/v1", "not encrypted"),
        ("https://user:word@example.org", "holds a password"),
        ("ftp://localhost", "no address"),
        ("localhost:8000", "no address"),
    ],
)
def test_addresses_that_are_not_safe_are_refused(url: str, told: str) -> None:
    with pytest.raises(RecipeError, match=told) as error:
        RemoteEncoder(url=url, model="m")
    assert "word@" not in str(error.value)


@pytest.mark.parametrize(
    ("url", "full"),
    [
        ("https://example.org", "https://example.org/v1/embeddings"),
        ("https://example.org/v1/", "https://example.org/v1/embeddings"),
        ("https://example.org/a/embeddings", "https://example.org/a/embeddings"),
        ("https://example.org/v1?version=3", "https://example.org/v1/embeddings?version=3"),
        ("http://localhost:8000", "http://localhost:8000/v1/embeddings"),
        ("http://[::1]:8000/v1", "http://[::1]:8000/v1/embeddings"),
    ],
)
def test_addresses_are_completed(url: str, full: str) -> None:
    assert RemoteEncoder(url=url, model="m").endpoint.url == full


def test_a_query_of_the_address_is_not_told() -> None:
    endpoint = Endpoint(url="http://127.0.0.1:9/x?token=word", tries=1)
    with pytest.raises(MedragError, match=r"http://127\.0\.0\.1:9/x gave no answer") as error:
        endpoint.post({})
    assert "word" not in str(error.value)


def test_plain_http_to_another_machine_can_be_allowed() -> None:
    assert Endpoint(url="http://10.0.0.7/x", allow_http=True).url == "http://10.0.0.7/x"
