"""A model behind an address: what is sent, and what recipes and presets say of it."""

import base64
import io
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from medrag.generation.presets import presets
from medrag.generation.remote import RemoteGenerator
from medrag.records import Exchange, Prompt, Question
from tests.contracts import check_generator
from tests.generation.remote.chats import (
    hit,
    only,
    picture,
    prompt,
    remote,
    said,
    saying,
    whole,
)
from tests.servers import Serve


def sent_picture(part: dict[str, Any]) -> Image.Image:
    head, _, content = part["image_url"]["url"].partition(";base64,")
    assert head in ("data:image/png", "data:image/jpeg")
    return Image.open(io.BytesIO(base64.b64decode(content)))


def test_it_keeps_the_contract_of_generators(serve: Serve) -> None:
    server = serve(saying(lambda text: "Four [1]." if "evidence" in text else "I do not know."))
    check_generator(
        remote(server),
        [Prompt(Question("How many?"), (hit(),), ("evidence",)), prompt("How many chambers?")],
    )


def test_a_prompt_of_words_is_sent_as_one_text(serve: Serve) -> None:
    server = serve(lambda *_: whole("Yes."))
    turn = Exchange("Let me see.", ("Look again.", "Then answer."))
    assert only(remote(server), prompt("Why?", turns=(turn,))).text == "Yes."
    (request,) = server.requests
    assert request.path == "/v1/chat/completions"
    assert request.body == {
        "model": "m",
        "messages": [
            {"role": "user", "content": "Why?"},
            {"role": "assistant", "content": "Let me see."},
            {"role": "user", "content": "Look again.\n\nThen answer."},
        ],
        "temperature": 0.0,
        "max_tokens": 1024,
        "logprobs": True,
    }


def test_pictures_stand_among_the_words_as_png_and_come_back_the_same(
    serve: Serve, tmp_path: Path
) -> None:
    server = serve(lambda *_: whole("Yes."))
    first, second = picture(tmp_path, "a.png"), picture(tmp_path, "other.png")
    asked = Prompt(Question(images=(second,)), (), ("One:", first, "Two:", second, "Same?"))
    remote(server).generate([asked])
    content = server.requests[0].body["messages"][0]["content"]
    assert [part.get("text") for part in content] == ["One:", None, "Two:", None, "Same?"]
    for part, image in ((content[1], first), (content[3], second)):
        np.testing.assert_array_equal(np.asarray(sent_picture(part)), Image.open(image.path))


def test_pictures_are_made_smaller_and_those_of_the_evidence_more_so(
    serve: Serve, tmp_path: Path
) -> None:
    server = serve(lambda *_: whole("Yes."))
    asked, cited = picture(tmp_path, size=(400, 200)), picture(tmp_path, "cited.png", (400, 200))
    told = Prompt(Question(images=(asked,)), (), (cited, asked, "Why?"), context_pixels=800)
    turn = Exchange("Closer.", (picture(tmp_path, "crop.png", (400, 200)), "Here."))
    remote(server, max_pixels=20_000, image_format="jpeg").generate(
        [told, replace_turns(told, turn)]
    )
    for request in server.requests:
        content = request.body["messages"][0]["content"]
        assert [sent_picture(part).size for part in content[:2]] == [(40, 20), (200, 100)]
    longest = max(server.requests, key=lambda each: len(each.body["messages"]))
    assert sent_picture(longest.body["messages"][2]["content"][0]).size == (200, 100)


def replace_turns(told: Prompt, turn: Exchange) -> Prompt:
    return Prompt(told.question, (), told.parts, context_pixels=told.context_pixels, turns=(turn,))


def test_settings_are_sent_and_those_left_to_the_server_are_not(serve: Serve) -> None:
    server = serve(lambda *_: whole("Yes."))
    options: dict[str, Any] = {"temperature": None, "max_tokens": None, "log_probabilities": False}
    remote(server, **options).generate([prompt("a")])
    options = {"temperature": 0.5, "top_p": 0.9, "seed": 7, "extra": {"top_k": 20}}
    remote(server, max_tokens=5, **options).generate([prompt("a")])
    bare, full = (dict(each.body) for each in server.requests)
    assert set(bare) == {"model", "messages"}
    assert {key: full[key] for key in ("temperature", "top_p", "seed", "max_tokens", "top_k")} == {
        "temperature": 0.5, "top_p": 0.9, "seed": 7, "max_tokens": 5, "top_k": 20
    }  # fmt: skip


def test_several_replies_are_drawn_by_seeds(serve: Serve) -> None:
    server = serve(lambda request, _: whole(f"{said(request)}{request.body['seed']}"))
    found = remote(server, seed=5).sample([prompt("a"), prompt("b")], 3)
    assert [[each.text for each in texts] for texts in found] == [
        ["a5", "a6", "a7"], ["b5", "b6", "b7"]
    ]  # fmt: skip
    assert {each.body["temperature"] for each in server.requests} == {0.7}
    remote(server, temperature=1.5).sample([prompt("a")], 1)
    assert server.requests[-1].body["temperature"] == 1.5


def test_a_preset_says_what_a_model_takes() -> None:
    # Whichever these are: one that was trained on single images, and one with tags of its own.
    single = next(each for each in presets() if each.max_images == 1)
    made = RemoteGenerator(url="http://localhost", model="m", preset=single.name)
    assert (made.max_images, made.trained_multi_image) == (1, False)
    by_name = RemoteGenerator(url="http://localhost", model=single.model or single.name)
    assert by_name.max_images == 1
    given = RemoteGenerator(
        url="http://localhost", model="m", preset=single.name, max_images=3,
        trained_multi_image=True,
    )  # fmt: skip
    assert (given.max_images, given.trained_multi_image) == (3, True)
    with pytest.raises(ValueError, match="no preset 'medgema-4b'"):
        RemoteGenerator(url="http://localhost", model="m", preset="medgema-4b")


def test_an_unknown_model_is_taken_to_read_several_images() -> None:
    made = RemoteGenerator(url="http://localhost", model="m", room=4096, max_tokens=96)
    assert (made.max_images, made.trained_multi_image, made.room) == (None, True, 4000)
    assert made.looks
    assert not RemoteGenerator(url="http://localhost", model="m", max_images=0).looks


def test_tokens_are_estimated_without_the_server(tmp_path: Path) -> None:
    generator = RemoteGenerator(url="http://localhost", model="m", max_pixels=20_000)
    # 8 for the message, 30 characters at 3 for a token.
    assert generator.count_tokens(prompt("x" * 30)) == 18
    # 400 x 200 are shown as 20,000 pixels: 26 patches of 28 x 28.
    image = picture(tmp_path, size=(400, 200))
    assert generator.count_tokens(prompt("x" * 30, image)) == 18 + 26
    fixed = RemoteGenerator(url="http://localhost", model="m", image_tokens=256)
    assert fixed.count_tokens(prompt("x" * 30, image)) == 18 + 256


def test_names_tell_apart_what_changes_replies() -> None:
    def named(**options: Any) -> str:
        return RemoteGenerator(**{"url": "http://localhost", "model": "m", **options}).name

    assert named() == named(concurrency=9, timeout=1, most_tokens=5, url="https://example.org")
    settings: list[dict[str, Any]] = [
        {}, {"model": "n"}, {"temperature": 1.0}, {"seed": 1}, {"top_p": 0.5}, {"max_tokens": 5},
        {"max_pixels": 99}, {"image_format": "jpeg"}, {"extra": {"top_k": 1}}, {"thinking": True},
        {"answer": ("<a>", "</a>")}, {"coordinates": "unit"}, {"sample_temperature": 1.0},
    ]  # fmt: skip
    assert len({named(**each) for each in settings}) == len(settings)
    assert named().startswith("remote/m/")


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"max_images": -1}, "max_images"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"concurrency": 0}, "concurrency"),
        ({"temperature": -1.0}, "temperature"),
        ({"sample_temperature": 0.0}, "sample_temperature"),
        ({"top_p": 0.0}, "top_p"),
        ({"room": 100, "max_tokens": 100}, "room"),
        ({"image_format": "gif"}, "image_format"),
        ({"jpeg_quality": 0}, "jpeg_quality"),
        ({"coordinates": "feet"}, "coordinates"),
        ({"think": ("<t>", "<t>")}, "think"),
        ({"extra": {"stream": True}}, "extra must not hold 'stream'"),
        ({"extra": {"api_key": "sk-1"}}, "must not hold 'api_key': .*environment variable"),
        ({"extra": {"min_p": math.nan}}, "extra must hold values of JSON"),
        ({"timeout": math.nan}, "timeout must be above 0"),
        ({"timeout": math.inf}, "timeout must be above 0 and a day at most"),
        ({"wait": math.nan}, "wait must be at least 0"),
        ({"most_tokens": 10, "max_tokens": None}, "a budget needs max_tokens"),
        ({"most_tokens": 0}, "a budget must be positive"),
        ({"most_cost": 1.0}, "most_cost needs price_in"),
        ({"price_in": 1.0}, "go together"),
        ({"price_in": -1.0, "price_out": 1.0}, "at least 0"),
        ({"stall": 0}, "stall"),
    ],
)
def test_settings_out_of_range_are_refused(options: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        RemoteGenerator(url="http://localhost", model="m", **options)
