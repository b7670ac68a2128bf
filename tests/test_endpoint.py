"""Requests to a server: what is sent, how often, how long, and what is told of failures."""

import json
import logging
import time
from collections.abc import Iterator
from email.utils import formatdate
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medrag.endpoint import Endpoint, completed
from medrag.errors import MedragError, RecipeError
from tests.servers import Answer, Dripping, Request, Serve, Server, serving

KEY = "sk-a-secret-of-the-tests"
FINE = 200, dict[str, str](), {"fine": True}


@pytest.fixture
def serve() -> Iterator[Serve]:
    yield from serving()


def to(server: Server, **options: Any) -> Endpoint:
    return Endpoint(url=f"{server.url}/v1/things", **{"wait": 0.001, **options})


def test_a_busy_server_is_asked_again(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    def answer(request: Request, number: int) -> Answer:
        if number < 3:
            status = (429, 503, 500)[number]
            return status, {"Retry-After": "0.01"} if number == 0 else {}, {"error": "busy"}
        return FINE

    server = serve(answer)
    with caplog.at_level(logging.WARNING, "medrag"):
        to(server).post({})
    assert len(server.requests) == 4
    told = [message.partition(": ")[2] for message in caplog.messages]
    # What the server asked for, then twice and four times the first wait.
    assert told == [
        "status 429; trying again in 0.01 s",
        "status 503; trying again in 0.002 s",
        "status 500; trying again in 0.004 s",
    ]


@pytest.mark.parametrize("after", ["3600", formatdate(usegmt=True, timeval=4e9), "1e300"])
def test_a_server_that_asks_for_hours_is_not_waited_for(serve: Serve, after: str) -> None:
    server = serve(lambda *_: (429, {"Retry-After": after}, {"error": {"message": "quota"}}))
    with pytest.raises(MedragError, match=r"status 429: quota; it asks to wait \d{4,11} s"):
        to(server).post({})
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("status", "way"),
    [
        (400, "it may be too long for the model"),
        (401, "put a valid key into an environment variable"),
        (404, "check the address and the name of the model"),
        (302, "it moved: give the new address"),
        (501, "its own log"),
    ],
)
def test_a_refusal_names_address_status_and_way_out(serve: Serve, status: int, way: str) -> None:
    answer = status, {"Location": "http://127.0.0.1:9/elsewhere"}, {"message": "no such thing"}
    server = serve(lambda *_: answer)
    with pytest.raises(MedragError, match=rf"{server.url}/v1/things .* {status}.*no such.*{way}"):
        to(server, tries=2).post({})
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


def test_a_server_that_stays_busy_is_given_up(serve: Serve) -> None:
    server = serve(lambda *_: (503, {}, b"<html>down for\n maintenance</html>"))
    with pytest.raises(MedragError, match=r"status 503: <html>down for maintenance.* in 3 tries"):
        to(server, tries=3).post({})
    assert len(server.requests) == 3


def test_no_server_at_all_is_told(serve: Serve) -> None:
    server = serve(lambda *_: FINE)
    server._http.server_close()
    with pytest.raises(MedragError, match=r"no answer \(.*refused.* in 2 tries; is the server"):
        to(server, tries=2, wait=0).post({})


def test_the_key_is_sent_and_never_told(
    serve: Serve,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def answer(request: Request, number: int) -> Answer:
        if number < 2:
            return (503 if number else 429), {}, {"error": f"key {KEY} is busy"}
        return 401, {}, {"error": {"message": f"Incorrect key {KEY} provided"}}

    monkeypatch.setenv("TEST_KEY", KEY)
    server = serve(answer)
    endpoint = to(server, key_variable="TEST_KEY")
    with (
        caplog.at_level(logging.DEBUG),
        pytest.raises(
            MedragError, match=r"\[key\] provided; put a valid key into TEST_KEY"
        ) as told,
    ):
        endpoint.post({})
    assert {each.headers["Authorization"] for each in server.requests} == {f"Bearer {KEY}"}
    assert KEY not in str(told.value)
    assert KEY not in caplog.text
    assert KEY not in repr(vars(endpoint))
    assert told.value.__cause__ is None


def test_a_key_that_is_not_there_is_asked_for(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TEST_KEY", raising=False)
    with pytest.raises(RecipeError, match="TEST_KEY is empty"):
        to(serve(lambda *_: FINE), key_variable="TEST_KEY").post({})


@pytest.mark.parametrize("broken", [f"{KEY}\nsecond line", f"{KEY}\u00e9"])
def test_a_key_that_no_header_takes_is_refused_unseen(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    monkeypatch.setenv("TEST_KEY", broken)
    with pytest.raises(RecipeError, match="TEST_KEY holds characters") as told:
        to(serve(lambda *_: FINE), key_variable="TEST_KEY").post({})
    assert KEY not in str(told.value)


def test_an_answer_of_nothing_but_brackets_is_no_answer(serve: Serve) -> None:
    server = serve(lambda request, number: (200, {}, b"[" * 200_000))
    with pytest.raises(MedragError, match="something else than JSON"):
        to(server).post({})


def test_an_answer_that_is_no_json_is_refused(serve: Serve) -> None:
    with pytest.raises(MedragError, match="something else than JSON"):
        to(serve(lambda *_: (200, {}, b"<html>"))).post({})


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("http://example.org", "not encrypted"),
        ("http://10.0.0.7:8000/v1", "not encrypted"),
        ("https://user:word@example.org", "holds a password"),
        ("ftp://localhost", "no address"),
        ("localhost:8000", "no address"),
        ("https://user:word@[::1", "no address"),
        ("https://user:wo/word@example.org", "no address"),
        ("ftp://user:word@example.org", "no address"),
    ],
)
def test_addresses_that_are_not_safe_are_refused(url: str, told: str) -> None:
    with pytest.raises(RecipeError, match=told) as error:
        Endpoint(url=url)
    assert "word@" not in str(error.value)
    assert "user" not in str(error.value)


@pytest.mark.parametrize(
    "url",
    [
        "http://[::1", "http://::1]", "http://[::1]x:80", "http://[localhost]", "http://[1.2.3.4]",
        "http://127.0.0.1:99999", "http://127.0.0.1:0", "http://127.0.0.1:x", "http://127.0.0.1:-1",
        "http://127.0.0.1:" + "9" * 5000, "http://local host", "http://localhost/a b",
        " http://localhost", "http://localhost\n", "http://local\thost", "http://localhost/\x00",
        "http://localhost/é", "http://", "http:///v1", "http://:8000", "http://a..b", "http://.",
        "http://" + "a" * 64, "http://local<host>", "http://localhost\\x", "http://%6c", "",
    ],
)  # fmt: skip
def test_malformed_addresses_are_refused_at_once(url: str) -> None:
    for made in (lambda: Endpoint(url=url, allow_http=True), lambda: completed(url, "embeddings")):
        with pytest.raises(RecipeError, match="is no address of a server"):
            made()


@given(st.one_of(st.text(), st.text("htps:/@[]?#%.1ax-").map("http://".__add__)))
def test_any_text_is_an_address_or_refused(url: str) -> None:
    try:
        made = Endpoint(url=completed(url, "embeddings"), allow_http=True)
    except RecipeError:
        return
    assert made.url.startswith(("http://", "https://"))
    # What opens a connection takes it: Python's resolver is given each label of the name.
    urlsplit(made.url).netloc.encode("idna")


def test_messages_name_the_way_of_a_recipe_and_of_a_command(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(RecipeError, match=r"use https, or .*\(allow_http in a recipe\)"):
        Endpoint(url="http://example.org/x?token=word")
    with pytest.raises(RecipeError, match=r"\(key_variable in a recipe, --key-variable of a comm"):
        Endpoint(url="https://user:word@example.org")
    monkeypatch.delenv("TEST_KEY", raising=False)
    with pytest.raises(RecipeError, match=r"\(key_variable in a recipe, --key-variable of a comm"):
        Endpoint(url="https://example.org", key_variable="TEST_KEY").check_key()


def test_a_key_in_place_of_its_variable_is_not_told() -> None:
    with pytest.raises(RecipeError, match="the name of the variable, not the key") as told:
        Endpoint(url="https://example.org", key_variable=KEY).check_key()
    assert KEY not in str(told.value)


def test_a_key_is_taken_out_of_replies_unless_it_stands_in_for_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    endpoint = Endpoint(url="https://example.org", key_variable="TEST_KEY")
    monkeypatch.setenv("TEST_KEY", KEY)
    assert endpoint.without_key(f"{KEY}, {KEY}") == "[key], [key]"
    monkeypatch.setenv("TEST_KEY", "none")
    assert endpoint.without_key("none of them") == "none of them"


@pytest.mark.parametrize("place", ["http://[::1", "ftp://localhost", "\x00"])
def test_a_redirect_to_nowhere_is_a_refusal(serve: Serve, place: str) -> None:
    server = serve(lambda *_: (307, {"Location": place}, {}))
    with pytest.raises(MedragError, match=r"status 307: .*; it moved"):
        to(server).post({})


def test_an_error_of_nothing_but_brackets_is_told_as_it_is(serve: Serve) -> None:
    with pytest.raises(MedragError, match=r"status 400: \[\[\["):
        to(serve(lambda *_: (400, {}, b"[" * 60_000))).post({})


@pytest.mark.parametrize("after", ["nan", "inf", "soon", "Mon, 01 Jan 99999 00:00:00 GMT", "-5"])
def test_a_wait_that_is_none_is_not_waited(serve: Serve, after: str) -> None:
    server = serve(
        lambda _, number: FINE if number else (503, {"Retry-After": after}, {"error": "busy"})
    )
    assert to(server).post({}) == {"fine": True}


@pytest.mark.parametrize(
    ("url", "full"),
    [
        ("https://example.org", "https://example.org/v1/chat/completions"),
        ("https://example.org/v1/", "https://example.org/v1/chat/completions"),
        ("https://example.org/a/chat/completions", "https://example.org/a/chat/completions"),
        ("https://example.org/v1?version=3", "https://example.org/v1/chat/completions?version=3"),
        ("http://[::1]:8000/v1", "http://[::1]:8000/v1/chat/completions"),
    ],
)
def test_addresses_are_completed(url: str, full: str) -> None:
    assert completed(url, "chat/completions") == full


def test_each_user_says_the_way_out_of_a_refused_input(serve: Serve) -> None:
    server = serve(lambda *_: (413, {}, {}))
    with pytest.raises(MedragError, match=r"status 413.*; send shorter letters"):
        to(server, refused="send shorter letters").post({})


def test_a_query_of_the_address_is_not_told() -> None:
    endpoint = Endpoint(url="http://127.0.0.1:9/x?token=word", tries=1)
    with pytest.raises(MedragError, match=r"http://127\.0\.0\.1:9/x gave no answer") as error:
        endpoint.post({})
    assert "word" not in str(error.value)


def test_plain_http_to_another_machine_can_be_allowed() -> None:
    assert Endpoint(url="http://10.0.0.7/x", allow_http=True).url == "http://10.0.0.7/x"
