"""Texts and pictures by way of a server."""

import base64
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from medrag.encoding.remote import RemoteEncoder
from medrag.errors import InputFileError, MedragError
from medrag.records import ImageRef, Passage, Question, Source
from tests.contracts import check_encoder
from tests.encoding.remote.servers import embed, inputs, remote, vector
from tests.encoding.tiny_texts import LONG, passage
from tests.servers import Answer, Request, Server

D = 4


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


@pytest.mark.parametrize("passages", ["text", "image"])
def test_the_name_tells_how_pictures_are_sent(serve: Callable[..., Server], passages: Any) -> None:
    server = serve()
    changes: list[dict[str, Any]] = [
        {}, {"image_side": 512}, {"image_side": None}, {"image_shape": "objects"},
    ]  # fmt: skip
    names = [remote(server, passages=passages, **each).name for each in changes]
    assert len(set(names)) == len(names)


def test_the_names_of_indexes_that_were_built_stay(serve: Callable[..., Server]) -> None:
    server = serve()
    assert remote(server).name == "remote/some-model/4/title+text-whole/''+''/unit"
    assert remote(server, passages="image", window_words=40, normalise=False).name == (
        "remote/some-model/4/pictures-dpi144-1024-messages-40/''+''/raw"
    )


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


def test_a_server_that_refuses_an_input_is_a_reason_for_smaller_ones(
    serve: Callable[..., Server],
) -> None:
    server = serve(lambda *_: (400, {}, {"error": {"message": "too many tokens"}}))
    with pytest.raises(MedragError, match=r"too many tokens; .* lower window_words; .* batch_size"):
        remote(server).encode_passages([])


@pytest.mark.parametrize(
    ("url", "full"),
    [
        ("https://example.org", "https://example.org/v1/embeddings"),
        ("https://example.org/a/embeddings", "https://example.org/a/embeddings"),
        ("https://example.org/v1?version=3", "https://example.org/v1/embeddings?version=3"),
    ],
)
def test_addresses_are_completed(url: str, full: str) -> None:
    assert RemoteEncoder(url=url, model="m").endpoint.url == full
