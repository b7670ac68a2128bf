"""Models behind a JSON address as tools."""

import base64
import io
import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from medrag.config.components import planned
from medrag.config.place import Place
from medrag.errors import MedragError, RecipeError
from medrag.images import pixel_sha256, read_image
from medrag.records import ImageRef
from medrag.tools.endpoint import EndpointTool
from medrag.tools.overlays import data_url
from tests.contracts import check_tool
from tests.images.scenes import scene
from tests.servers import Request, Serve, Server, serving

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=6,
)


@pytest.fixture
def serve() -> Iterator[Serve]:
    yield from serving()


@pytest.fixture
def pictures(tmp_path: Path) -> list[ImageRef]:
    Image.fromarray(scene()).save(tmp_path / "a.png")
    Image.fromarray(scene(40, 60)).save(tmp_path / "b.png")
    return [ImageRef(str(tmp_path / "a.png")), ImageRef(str(tmp_path / "b.png"))]


def tool(server: Server, **options: Any) -> EndpointTool:
    fixed = {"name": "expert", "about": "classifies.", "wait": 0.001, "tries": 1, **options}
    return EndpointTool(url=f"{server.url}/find", **fixed)


def saying(serve: Serve, reply: Any) -> Server:
    return serve(lambda *_: (200, {}, reply))


def sent(request: Request) -> list[np.ndarray]:
    urls = request.body["images"]
    raw = [base64.b64decode(url.removeprefix("data:image/png;base64,")) for url in urls]
    return [np.asarray(Image.open(io.BytesIO(each))) for each in raw]


def test_an_endpoint_keeps_the_contract_of_tools(
    serve: Serve, pictures: list[ImageRef], tmp_path: Path
) -> None:
    reply = {
        "text": "Done.", "boxes": [[1, 2, 30, 40]], "probabilities": {"effusion": 0.9},
        "images": [data_url(scene(20, 30))],
    }  # fmt: skip
    check_tool(
        tool(saying(serve, reply), folder=tmp_path / "kept"),
        pictures,
        right=[{}, {"image": 2, "threshold": 0.5}, {"images": [1, 2]}],
        wrong=[{"image": 3}, {"images": []}, {"images": [0]}, {"images": 1}, {"images": [1] * 9}],
    )


def test_the_named_pictures_and_the_other_arguments_are_sent(
    serve: Serve, pictures: list[ImageRef]
) -> None:
    server = saying(serve, {"text": "fine"})
    asked = tool(server)
    asked.call({"image": 2, "target": "effusion"}, pictures)
    asked.call({"images": [2, 1, 2]}, pictures)
    asked.call({}, pictures)
    first, second, third = server.requests
    assert first.body["arguments"] == {"target": "effusion"}
    np.testing.assert_array_equal(sent(first)[0], scene(40, 60))
    assert [each.shape for each in sent(second)] == [(40, 60, 3), (96, 128, 3)]
    np.testing.assert_array_equal(sent(third)[0], scene())


def test_outlines_are_not_sent(serve: Serve, pictures: list[ImageRef]) -> None:
    server = saying(serve, {"text": "fine"})
    tool(server).call({}, [replace(pictures[0], marks=((10.0, 10.0, 40.0, 40.0),))])
    np.testing.assert_array_equal(sent(server.requests[0])[0], scene())


def test_boxes_come_back_in_pixels_of_the_picture_that_was_not_scaled(
    serve: Serve, pictures: list[ImageRef]
) -> None:
    found = {"box": [8, 6, 32, 24], "image": 2, "name": "mass\n  left", "score": 0.876, "x": 1}
    server = saying(serve, {"boxes": [found], "version": 3})
    result = tool(server, max_pixels=64 * 48).call({"images": [2, 1]}, pictures)
    # The second picture sent is the first, of 128 x 96: a quarter of its pixels, half of its sides.
    assert sent(server.requests[0])[1].shape == (48, 64, 3)
    assert result.regions[0].image == 0
    assert result.regions[0].box == (16, 12, 64, 48)
    assert result.text == "mass left in picture 1: pixels (16, 12) to (64, 48) (score 0.88)"


def test_probabilities_are_told_as_numbers_or_in_words(
    serve: Serve, pictures: list[ImageRef]
) -> None:
    server = saying(serve, {"text": "Chest.", "probabilities": {"edema": 0.031, "effusion": 0.83}})

    def told(**options: Any) -> str:
        return tool(server, **options).call({}, pictures).text

    assert told() == "Chest.\neffusion: 0.83; edema: 0.03"
    assert told(words=True) == "Chest.\nLikely effusion; no sign of edema."
    table = ((0, "kein {finding}"), (0.5, "{finding} möglich"))
    assert told(words=True, table=table) == "Chest.\nEffusion möglich; kein edema."


def test_of_two_long_names_that_are_cut_to_one_the_likelier_is_told_in_words(
    serve: Serve, pictures: list[ImageRef]
) -> None:
    long = "x" * 100
    server = saying(serve, {"probabilities": {f"{long}a": 0.95, f"{long}b": 0.1}})
    told = tool(server, words=True).call({}, pictures).text
    assert told == f"Definitely {long}."


def test_a_recipe_can_ask_for_words_and_for_its_own() -> None:
    spec = {
        "kind": "endpoint", "name": "expert", "about": "classifies.", "words": True,
        "url": "http://localhost:9/x", "table": [[0, "no {finding}"], [0.5, "{finding}"]],
    }  # fmt: skip
    place = Place("pipeline.yaml")
    made = planned("tool", spec, place)()
    assert (made.words, made.table) == (True, ((0, "no {finding}"), (0.5, "{finding}")))
    with pytest.raises(RecipeError, match="must begin at 0"):
        planned("tool", {**spec, "table": [[0.5, "{finding}"]]}, place)()


def test_what_probabilities_are_told_in_changes_the_name_of_the_tool(serve: Serve) -> None:
    server = saying(serve, {})
    own = ((0.0, "{finding}"),)
    made = [tool(server), tool(server, words=True), tool(server, words=True, table=own)]
    assert len({each.identity for each in made}) == 3
    # Without words, no word of the table is told.
    assert tool(server, table=own).identity == made[0].identity


def test_an_overlay_is_kept_by_its_pixels_and_nothing_else_of_it(
    serve: Serve, pictures: list[ImageRef], tmp_path: Path
) -> None:
    stream, words = io.BytesIO(), PngImagePlugin.PngInfo()
    words.add_text("patient", "Jane Roe")
    Image.fromarray(scene(20, 30)).save(stream, "PNG", pnginfo=words)
    url = f"data:image/png;base64,{base64.b64encode(stream.getvalue()).decode()}"
    asked = tool(saying(serve, {"images": [url, url]}), folder=tmp_path / "new" / "kept")
    result = asked.call({}, pictures)
    (path,) = (tmp_path / "new" / "kept").iterdir()
    assert path.name == f"{pixel_sha256(scene(20, 30))}.png"
    assert b"Jane" not in path.read_bytes()
    assert result.images[0] == result.images[1]
    assert result.images[0].sha256 == pixel_sha256(scene(20, 30))
    np.testing.assert_array_equal(read_image(result.images[0]), scene(20, 30))


def test_an_overlay_needs_a_folder(serve: Serve, pictures: list[ImageRef]) -> None:
    server = saying(serve, {"images": [data_url(scene())]})
    with pytest.raises(MedragError, match="no folder to keep them in; name one"):
        tool(server).call({}, pictures)


@pytest.mark.parametrize(
    ("reply", "problem"),
    [
        (["effusion"], "expected an object, found a list"),
        ({"text": 3}, "text: expected a text, found the number 3"),
        ({"boxes": [[1, 2, 3]]}, r"boxes\[0\].box: expected 4 values, found 3"),
        ({"boxes": ["all"]}, r"boxes\[0\]: expected an object"),
        ({"boxes": [{"name": "mass"}]}, r"boxes\[0\].box: is missing"),
        ({"boxes": [[1, 2, 3, 9]] * 101}, "boxes: expected 100 at most"),
        ({"boxes": [[500, 0, 600, 9]]}, "expected left < right"),
        ({"boxes": [[9, 9, 3, 3]]}, "expected left < right"),
        ({"boxes": [{"box": [1, 2, 3, 4], "image": 2}]}, "picture 2 of the 1"),
        ({"probabilities": {"effusion": 1.2}}, r"effusion: expected a number in \[0, 1\]"),
        (b'{"probabilities": {"effusion": NaN}}', r"expected a number in \[0, 1\]"),
        (b'{"boxes": [[NaN, 0, 3, 4]]}', "expected left < right"),
        ({"probabilities": {" ": 0.2}}, "expected names of findings"),
        ({"probabilities": {f"f{i}": 0.1 for i in range(501)}}, "500 at most"),
        ({"images": ["https://elsewhere.example/a.png"]}, "no data URL"),
        ({"images": ["data:image/png;base64,????"]}, "base64 is broken"),
        ({"images": ["data:image/png;base64,R0lGODlh"]}, "no PNG"),
        ({"images": [data_url(scene())[:-400]]}, "picture"),
        ({"images": [data_url(scene(4, 4))] * 9}, "images: expected 8 at most"),
        (b"<html>", "something else than JSON"),
    ],
)
def test_a_reply_that_is_not_as_told_is_refused(
    serve: Serve, pictures: list[ImageRef], tmp_path: Path, reply: Any, problem: str
) -> None:
    with pytest.raises(MedragError, match=problem):
        tool(saying(serve, reply), folder=tmp_path / "kept").call({}, pictures)
    kept = tmp_path / "kept"
    assert not kept.exists() or not any(kept.iterdir())


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(JSON | st.fixed_dictionaries({}, optional={"text": JSON, "boxes": JSON, "images": JSON,
                                                  "probabilities": JSON}))  # fmt: skip
def test_any_reply_is_taken_or_refused_with_the_one_error(
    pictures: list[ImageRef], reply: Any
) -> None:
    asked = EndpointTool(name="expert", about="classifies.", url="https://127.0.0.1:1/x")
    asked.endpoint.post = lambda *_: json.loads(json.dumps(reply))  # type: ignore[method-assign]
    with suppress(MedragError):
        assert asked.call({}, pictures).text


def test_a_long_text_is_cut(serve: Serve, pictures: list[ImageRef]) -> None:
    assert len(tool(saying(serve, {"text": "x" * 10**6})).call({}, pictures).text) == 20_000


def test_a_server_that_fails_is_named(serve: Serve, pictures: list[ImageRef]) -> None:
    server = serve(lambda *_: (422, {}, {"error": "wrong modality"}))
    with pytest.raises(MedragError, match=r"422: wrong modality; see what it expects"):
        tool(server).call({}, pictures)


def test_the_key_is_sent_and_never_told(
    serve: Serve, pictures: list[ImageRef], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EXPERT_KEY", "a-secret-of-the-tests")
    server = saying(serve, {"text": "your key is a-secret-of-the-tests"})
    asked = tool(server, key_variable="EXPERT_KEY")
    assert asked.call({}, pictures).text == "your key is [key]"
    boxes = [{"box": [0, 0, 5, 5], "name": f"{'x' * 95}a-secret-of-the-tests"}]
    named = tool(saying(serve, {"boxes": boxes}), key_variable="EXPERT_KEY")
    assert named.call({}, pictures).regions[0].name == f"{'x' * 95}[key]"
    wrong = tool(saying(serve, {"boxes": "a-secret-of-the-tests"}), key_variable="EXPERT_KEY")
    with pytest.raises(MedragError) as refused:
        wrong.call({}, pictures)
    assert "secret" not in str(refused.value)
    assert server.requests[0].headers["Authorization"] == "Bearer a-secret-of-the-tests"
    monkeypatch.delenv("EXPERT_KEY")
    with pytest.raises(RecipeError, match="EXPERT_KEY"):
        tool(server, key_variable="EXPERT_KEY")


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"name": "two words"}, "name"), ({"name": ""}, "name"), ({"name": 'x"'}, "name"),
        ({"about": " "}, "about"), ({"about": "x" * 1001}, "about"), ({"max_pixels": 0}, "max_p"),
        ({"timeout": 0}, "timeout"),
    ],
)  # fmt: skip
def test_settings_that_make_no_sense_are_refused(options: dict[str, Any], problem: str) -> None:
    fixed = {"name": "expert", "about": "classifies.", "url": "https://127.0.0.1:1/x", **options}
    with pytest.raises(ValueError, match=problem):
        EndpointTool(**fixed)


def test_pictures_of_patients_are_not_sent_unencrypted() -> None:
    with pytest.raises(RecipeError, match="not encrypted"):
        EndpointTool(name="expert", about="classifies.", url="http://models.example/x")
