"""Server-sent events: what is read of them, and what happens where a stream breaks."""

import json
import socket
import time
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medrag.endpoint import BrokenReplyError, Endpoint, RefusedError, UnansweredError
from medrag.endpoint.events import EventReader
from medrag.errors import MedragError
from tests.servers import Answer, Cut, Pieces, Serve, Server, serving

STREAM = {"Content-Type": "text/event-stream; charset=utf-8"}
DONE = b"data: [DONE]\n\n"


@pytest.fixture
def serve() -> Iterator[Serve]:
    yield from serving()


class Numbers:
    """A reader of numbers that has finished when it met a negative one."""

    def __init__(self) -> None:
        self.numbers: list[int] = []

    @property
    def finished(self) -> bool:
        return bool(self.numbers) and self.numbers[-1] < 0

    def add(self, event: Any) -> None:
        if event == "broken":
            raise BrokenReplyError("it says so itself")
        self.numbers.append(event["n"])


def event(n: int) -> bytes:
    return b"data: " + json.dumps({"n": n}).encode() + b"\n\n"


def streamed(server: Server, **options: Any) -> list[int]:
    endpoint = Endpoint(url=server.url, **{"wait": 0.001, "tries": 3, **options})
    return endpoint.stream({}, Numbers).numbers


def test_events_are_read_until_the_last(serve: Serve) -> None:
    body = [b": hello\n\n", event(1), b"event: x\nid: 7\n" + event(2), DONE, event(3)]
    assert streamed(serve(lambda *_: (200, STREAM, Pieces(body)))) == [1, 2]


@pytest.mark.parametrize("end", [b"", b"\n", DONE.rstrip(), DONE])
def test_a_stream_without_a_done_is_whole_if_its_reader_has_finished(
    serve: Serve, end: bytes
) -> None:
    server = serve(lambda *_: (200, STREAM, event(1) + event(-1).rstrip() + b"\n\n" + end))
    assert streamed(server, tries=1) == [1, -1]
    assert len(server.requests) == 1


BROKEN = {
    "dropped": Pieces([event(1)], drop=True),
    "cut": Cut(event(1) + event(-1) + DONE, len(event(1)) + 3),
    "without an end": Pieces([event(1)]),
    "no JSON": Pieces([event(1), b"data: {oops\n\n", DONE]),
    "an error": Pieces([event(1), b'data: "broken"\n\n', DONE]),
}


@pytest.mark.parametrize("fault", BROKEN.values(), ids=list(BROKEN))
def test_a_broken_stream_is_asked_for_again_as_a_whole(serve: Serve, fault: Any) -> None:
    def answer(_: object, number: int) -> Answer:
        return 200, STREAM, Pieces([event(1), event(2), DONE]) if number == 2 else fault

    server = serve(answer)
    assert streamed(server) == [1, 2]
    assert len(server.requests) == 3


@pytest.mark.parametrize("fault", BROKEN.values(), ids=list(BROKEN))
def test_a_stream_that_stays_broken_is_told(serve: Serve, fault: Any) -> None:
    with pytest.raises(UnansweredError, match=r"gave no answer \(.+\) in 3 tries"):
        streamed(serve(lambda *_: (200, STREAM, fault)))


def test_a_stream_that_stalls_is_given_up(serve: Serve) -> None:
    slow = Pieces([event(1), *[b": \n"] * 100, DONE], pause=0.5)
    begun = time.monotonic()
    with pytest.raises(UnansweredError, match=r"nothing came for 0\.1 s"):
        streamed(serve(lambda *_: (200, STREAM, slow)), stall=0.1, tries=1)
    # The stall counts from the first event on, which came after 0.5 s.
    assert 0.5 < time.monotonic() - begun < 5


def test_a_stream_that_drips_ends_when_its_time_is_over(serve: Serve) -> None:
    endless = Pieces([event(1)] * 1000, pause=0.02)
    begun = time.monotonic()
    with pytest.raises(UnansweredError, match="timed out"):
        streamed(serve(lambda *_: (200, STREAM, endless)), timeout=0.3, tries=1)
    assert time.monotonic() - begun < 5


def test_a_server_that_does_not_stream_gives_one_event(serve: Serve) -> None:
    assert streamed(serve(lambda *_: (200, {}, {"n": 5}))) == [5]
    assert streamed(serve(lambda *_: (200, {"Content-Type": "text/plain"}, event(6) + DONE))) == [6]


def test_a_server_that_refuses_is_told_with_its_status(serve: Serve) -> None:
    with pytest.raises(RefusedError, match="too long") as told:
        streamed(serve(lambda *_: (400, {}, {"error": {"message": "too long"}})))
    assert told.value.status == 400


def test_what_a_reader_raises_ends_the_tries(serve: Serve) -> None:
    class Hangs(Numbers):
        def add(self, event: Any) -> None:
            # As a program that writes into a pipe nobody reads.
            raise BrokenPipeError("the browser was closed")

    server = serve(lambda *_: (200, STREAM, event(1) + DONE))
    with pytest.raises(BrokenPipeError):
        Endpoint(url=server.url, wait=0.001).stream({}, Hangs)
    assert len(server.requests) == 1


def test_who_counts_costs_is_told_of_each_further_try(serve: Serve) -> None:
    answers: Sequence[Answer] = [(429, {}, {}), (504, {}, {}), (200, STREAM, BROKEN["dropped"])]
    server = serve(
        lambda _, number: answers[number] if number < 3 else (200, STREAM, event(1) + DONE)
    )
    told: list[bool] = []
    Endpoint(url=server.url, wait=0.001).stream({}, Numbers, again=told.append)
    # Too busy costs nothing; a gateway that gave up, and a broken stream, may cost.
    assert told == [False, True, True]


def test_no_server_at_all_costs_nothing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    told: list[bool] = []
    with pytest.raises(UnansweredError, match="refused") as error:
        Endpoint(url=url, wait=0.001, tries=2).post({}, again=told.append)
    assert told == [False]
    assert not error.value.charged


def test_what_the_counter_raises_ends_the_tries(serve: Serve) -> None:
    def enough(_: bool) -> None:
        raise MedragError("enough")

    server = serve(lambda *_: (503, {}, {}))
    with pytest.raises(MedragError, match="enough"):
        Endpoint(url=server.url).post({}, again=enough)
    assert len(server.requests) == 1


def test_an_event_beyond_all_size_is_given_up() -> None:
    reader = EventReader(most=1 << 20)
    line = b"data: " + b"x" * (1 << 18) + b"\n"
    assert [reader.add(line) for _ in range(3)] == [[], [], []]
    with pytest.raises(BrokenReplyError, match="an event of more than 1 MB"):
        reader.add(line)


LINES = st.lists(
    st.sampled_from(["data: a", "data:b", "data", "data:  c: d", ": no", "id: 1", "é", "", ""])
)


@given(LINES, st.sampled_from(["\n", "\r\n", "\r"]), st.lists(st.integers(0, 200)), st.booleans())
def test_events_do_not_depend_on_how_bytes_are_cut(
    lines: list[str], end: str, cuts: list[int], bom: bool
) -> None:
    raw = ("\ufeff" * bom + "".join(line + end for line in lines)).encode()
    whole = EventReader(most=1 << 20)
    wanted = [*whole.add(raw), *whole.close()]
    places = [0, *sorted(min(cut, len(raw)) for cut in cuts), len(raw)]
    reader = EventReader(most=1 << 20)
    found: list[bytes] = []
    for start, stop in pairwise(places):
        found += reader.add(raw[start:stop])
    assert [*found, *reader.close()] == wanted
    # Slowly: lines up to each empty one, of which those with data count.
    blocks = "\n".join([*lines, ""]).split("\n\n") if lines else []
    slow = [
        "\n".join(
            line.partition(":")[2].removeprefix(" ")
            for line in block.split("\n")
            if line.partition(":")[0] == "data"
        ).encode()
        for block in blocks
        if any(line.partition(":")[0] == "data" for line in block.split("\n"))
    ]
    assert wanted == slow
