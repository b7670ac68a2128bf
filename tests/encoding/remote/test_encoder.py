import base64
import io
import json
import logging
import threading
from collections.abc import Callable, Iterator
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from PIL import Image

from medrag.encoding.remote import RemoteEncoder
from medrag.encoding.remote.answers import vectors_of
from medrag.encoding.remote.endpoint import Endpoint
from medrag.errors import InputFileError, MedragError, RecipeError
from medrag.records import ImageRef, Passage, Question, Source
from tests.contracts import check_encoder
from tests.encoding.tiny_texts import LONG, passage

D = 4
KEY = "sk-a-secret-of-the-tests"
Answer = tuple[int, dict[str, str], Any]


class Request(NamedTuple):
    path: str
    headers: dict[str, str]
    body: dict[str, Any]


class Server:
    """An embedding server; `answer` takes a request and the number of those before it."""

    def __init__(self, answer: Callable[[Request, int], Answer]) -> None:
        self.answer = answer
        self.requests: list[Request] = []
        self._lock = threading.Lock()
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                raw = self.rfile.read(int(self.headers["Content-Length"]))
                request = Request(self.path, dict(self.headers), json.loads(raw))
                with server._lock:
                    number = len(server.requests)
                    server.requests.append(request)
                status, headers, value = server.answer(request, number)
                content = value if isinstance(value, bytes) else json.dumps(value).encode()
                self.send_response(status)
                for name, each in headers.items():
                    self.send_header(name, each)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._http.server_port}"
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.01,))
        self._thread.start()

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    servers: list[Server] = []

    def start(answer: Callable[[Request, int], Answer] | None = None) -> Server:
        servers.append(Server(answer or embed))
        return servers[-1]

    yield start
    for each in servers:
        each.close()


def vector(text: str) -> list[float]:
    """Count four letters; never all zero."""
    return [float(text.count(letter)) for letter in "aeo"] + [1.0]


def inputs(body: dict[str, Any]) -> list[str]:
    """Read what is to be encoded in each of the shapes; a picture is told by its mean colour."""
    if "messages" in body:
        [message] = body["messages"]
        return [pixels(part["image_url"]["url"]) for part in message["content"]]
    listed = [each["image"] if isinstance(each, dict) else each for each in body["input"]]
    return [pixels(each) if each.startswith("data:") else each for each in listed]


def pixels(url: str) -> str:
    head, _, content = url.partition(",")
    assert head == "data:image/png;base64"
    image = Image.open(io.BytesIO(base64.b64decode(content)))
    colour = np.asarray(image).reshape(-1, 3).mean(axis=0).round().astype(int)
    return "a" * colour[0] + "e" * colour[1] + "o" * colour[2] + f" {image.size}"


def embed(request: Request, number: int) -> Answer:
    rows = [
        {"object": "embedding", "index": index, "embedding": vector(text)}
        for index, text in enumerate(inputs(request.body))
    ]
    # In any order: the index tells which is which.
    return 200, {}, {"object": "list", "model": request.body["model"], "data": rows[::-1]}


def remote(server: Server, **options: Any) -> RemoteEncoder:
    return RemoteEncoder(url=server.url, model="some-model", **{"wait": 0.001, **options})


def picture(path: Path, colour: tuple[int, int, int], size: tuple[int, int] = (9, 7)) -> Passage:
    Image.new("RGB", size, colour).save(path)
    return Passage("1", "image", "", Source("c", "d", "0" * 64), (ImageRef(str(path)),))


def test_texts_go_in_batches_and_come_back_in_order(serve: Callable[..., Server]) -> None:
    server = serve()
    texts = [f"{'a' * n} bone{'e' * (n % 3)}" for n in range(7)]
    encoder = remote(server, batch_size=3, normalise=False)
    found = encoder.encode_passages([passage(text, "Title") for text in texts])
    assert found.values.tolist() == [vector(f"Title\n{text}") for text in texts]
    sent = sorted(len(each.body["input"]) for each in server.requests)
    # Two full batches and a rest, and the probe that asks for the dimension.
    assert sent == [1, 1, 3, 3]
    assert {each.path for each in server.requests} == {"/v1/embeddings"}
    assert server.requests[0].body["model"] == "some-model"
    assert not any("Authorization" in each.headers for each in server.requests)


def test_it_keeps_the_contract_of_encoders(serve: Callable[..., Server]) -> None:
    texts = ["a heart", "bone", "e" * 9, "a heart"]
    check_encoder(
        remote(serve(), batch_size=2),
        [passage(text) for text in texts],
        [Question(text, options=("one", "two")) for text in texts],
        "text",
    )


def test_equal_texts_are_sent_once(serve: Callable[..., Server]) -> None:
    server = serve()
    remote(server).encode_passages([passage(text) for text in ("a", "b", "a", "b", "a")])
    sent = [each.body["input"] for each in server.requests]
    assert ["a", "b"] in sent
    assert sum(map(len, sent)) == 3


def test_numbers_may_come_as_base64(serve: Callable[..., Server]) -> None:
    def answer(request: Request, number: int) -> Answer:
        raw = np.array([1.5, -2.0], dtype="<f4").tobytes()
        rows = [{"index": 0, "embedding": base64.b64encode(raw).decode()}]
        return 200, {}, {"data": rows}

    found = remote(serve(answer), normalise=False).encode_questions([Question("a")], "text")
    assert found.values.tolist() == [[1.5, -2.0]]


@pytest.mark.parametrize("shape", ["messages", "strings", "objects"])
def test_pictures_are_sent_in_the_shape_of_the_server(
    serve: Callable[..., Server], tmp_path: Path, shape: Any
) -> None:
    server = serve()
    encoder = remote(server, passages="image", image_shape=shape, normalise=False)
    colours = [(3, 1, 2), (9, 8, 7), (3, 1, 2)]
    passages = [picture(tmp_path / f"{n}.png", colour) for n, colour in enumerate(colours)]
    assert encoder.encodes(passages[0])
    assert not encoder.encodes(passage("words"))
    found = encoder.encode_passages(passages)
    # "(9, 7)" holds none of the letters.
    assert found.values.tolist() == [[*map(float, colour), 1.0] for colour in colours]
    asked = encoder.encode_questions(
        [Question(images=(str(tmp_path / "0.png"), tmp_path / "1.png"))], "image"
    )
    assert asked.values.tolist() == [[6.0, 4.5, 4.5, 1.0]]
    modality = {each.body.get("modality") for each in server.requests}
    assert modality == ({"image"} if shape == "strings" else {None})


def test_large_pictures_are_reduced(serve: Callable[..., Server], tmp_path: Path) -> None:
    seen: list[str] = []

    def answer(request: Request, number: int) -> Answer:
        seen.extend(inputs(request.body))
        return embed(request, number)

    encoder = remote(serve(answer), passages="image", image_side=50)
    encoder.encode_passages([picture(tmp_path / "a.png", (1, 1, 1), (400, 200))])
    assert any(each.endswith("(50, 25)") for each in seen)


def test_a_picture_that_cannot_be_read_is_named(
    serve: Callable[..., Server], tmp_path: Path
) -> None:
    there = picture(tmp_path / "a.png", (1, 1, 1))
    (tmp_path / "a.png").write_bytes(b"no picture")
    with pytest.raises(InputFileError, match=r"a\.png"):
        remote(serve(), passages="image").encode_passages([there])


def test_long_texts_are_split_where_the_server_would_cut_them(
    serve: Callable[..., Server],
) -> None:
    server = serve()
    encoder = remote(server, window_words=40, normalise=False)
    found = encoder.encode_passages([passage(LONG, "Bones"), passage("bone")])
    assert found.lengths[0] > 5
    assert found.lengths[1] == 1
    sent = [text for each in server.requests for text in each.body["input"]]
    assert max(len(text.split()) for text in sent) <= 40
    asked = encoder.encode_questions([Question(LONG)], "text")
    assert asked.values.shape == (1, D)


def test_prompts_stand_before_texts(serve: Callable[..., Server]) -> None:
    server = serve()
    encoder = remote(server, question_prompt="query: ", passage_prompt="passage: ")
    encoder.encode_questions([Question("a", options=("b",))], "text")
    encoder.encode_passages([passage("c", "T")])
    sent = [each.body["input"] for each in server.requests]
    assert ["query: a\nb"] in sent
    assert ["passage: T\nc"] in sent


def test_the_name_holds_model_and_dimension_but_not_the_server(
    serve: Callable[..., Server],
) -> None:
    def answer(request: Request, number: int) -> Answer:
        status, headers, value = embed(request, number)
        return status, headers, {**value, "model": "org/the-model"}

    one, two, alias = serve(), serve(), serve(answer)
    assert remote(one).name == remote(two, batch_size=1, timeout=3).name
    assert remote(one).name.startswith("remote/some-model/4/")
    assert remote(alias).name.startswith("remote/some-model=org/the-model/4/")
    assert remote(one, passages="image").name != remote(one).name
    assert remote(one, question_prompt="q").name != remote(one).name
    assert "127.0.0.1" not in remote(one).name


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


def test_the_dimension_is_checked(serve: Callable[..., Server]) -> None:
    with pytest.raises(MedragError, match="vectors of 4 numbers for 'some-model', expected 8"):
        remote(serve(), d=8).encode_passages([])
    server = serve()
    remote(server, d=4, shorten=True).encode_passages([])
    assert server.requests[0].body["dimensions"] == 4


def test_a_dimension_that_changes_is_noticed(serve: Callable[..., Server]) -> None:
    def answer(request: Request, number: int) -> Answer:
        return 200, {}, {"data": [{"index": 0, "embedding": [1.0] * (2 + number)}]}

    encoder = remote(serve(answer))
    assert encoder.encode_passages([]).values.shape == (0, 2)
    with pytest.raises(MedragError, match=r"vectors of 3 numbers .* expected 2"):
        encoder.encode_passages([passage("a")])


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ({"data": [{"index": 1, "embedding": [1.0]}]}, r"inputs \[1\], expected 0 to 0"),
        ({"data": []}, r"inputs \[\], expected 0 to 0"),
        ({"data": [{"index": 0, "embedding": []}]}, "empty"),
        ({"data": [{"index": 0, "embedding": [float("nan")]}]}, "not finite"),
        ({"data": [{"index": 0, "embedding": [[1.0]]}]}, "something else than embeddings"),
        ({"data": [{"index": 0, "embedding": "?"}]}, "something else than embeddings"),
        ({"choices": []}, "something else than embeddings"),
        ([], "something else than embeddings"),
    ],
)
def test_an_answer_that_is_none_is_refused(answer: Any, told: str) -> None:
    with pytest.raises(MedragError, match=told):
        vectors_of(answer, 1, "http://localhost")


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


@pytest.mark.parametrize(
    "option",
    [
        {"passages": "page"}, {"image_shape": "bytes"}, {"d": 0}, {"window_words": 3},
        {"batch_size": 0}, {"parallel": 0}, {"tries": 0}, {"timeout": 0}, {"wait": -1},
        {"image_side": 0}, {"shorten": True},
    ],
)  # fmt: skip
def test_settings_out_of_range_are_refused(option: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(option))):
        RemoteEncoder(url="https://example.org", model="m", **option)
