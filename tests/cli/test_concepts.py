"""`medrag concepts`, with a server that writes and reads as a test says."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.servers import Answer, Request, Serve, Server, serving

SENTENCE = "Gout often begins in the big toe."


@pytest.fixture
def serve() -> Iterator[Serve]:
    yield from serving()


def said(request: Request) -> str:
    content = request.body["messages"][-1]["content"]
    if isinstance(content, str):
        return content
    return " ".join(part.get("text", "") for part in content)


def reply(text: str) -> Answer:
    message = {"role": "assistant", "content": text}
    choice = {"index": 0, "finish_reason": "stop", "message": message}
    return 200, {}, {"choices": [choice], "usage": {}}


def writing(request: Request, _: int) -> Answer:
    text = " ".join(said(request).split())
    if "Write questions about" not in text:
        return reply("yes")
    for number in range(1, 20):
        place = text.find(f"Document {number}:")
        if place >= 0 and SENTENCE in text[place:].split(">>>")[0]:
            return reply(f"Is the big toe swollen? | {number} | {SENTENCE}\nnot a line")
    return reply("skip")


def recipe(folder: Path, server: Server) -> Path:
    path = folder / "writer.yaml"
    generator = f"{{kind: remote, url: '{server.url}', model: m, tries: 1}}"
    path.write_text(f"answer: {{kind: one_pass, generator: {generator}}}\n", encoding="utf-8")
    return path


def test_concepts_are_written_with_their_sentences(
    medrag: Any, index: Path, tmp_path: Path, serve: Serve
) -> None:
    pipeline = recipe(tmp_path, serve(writing))
    book = tmp_path / "book.json"
    done = medrag(
        "concepts", "write", pipeline, "--index", index, "--class", "gout", "--out", book, "--json"
    )
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert told["n"] == 1, told
    assert told["refused"]["malformed"] == 1
    (concept,) = json.loads(book.read_text())["concepts"]
    assert " ".join(concept["sentence"].split()) == SENTENCE
    assert concept["document"] == "notes.md"
    assert json.loads(book.read_text())["prior"] == [[1]]


def test_a_pipeline_without_a_model_cannot_write(medrag: Any, index: Path, tmp_path: Path) -> None:
    done = medrag(
        "concepts", "write", "sample", "--index", index, "--class", "gout",
        "--out", tmp_path / "book.json",
    )  # fmt: skip
    assert done.exit_code == 1
    assert "has no model that could write" in done.stderr


@pytest.mark.parametrize(
    ("options", "code", "told"),
    [
        (("--class", " "), 2, "a class has no name"),
        (("--class", "gout", "--out", "."), 1, ". is a folder"),
        (("--class", "gout", "--out", "nowhere/book.json"), 1, "folder that does not exist"),
    ],
)
def test_what_cannot_be_written_is_told_before_a_model_is_asked(
    medrag: Any, tmp_path: Path, options: tuple[str, ...], code: int, told: str
) -> None:
    done = medrag("concepts", "write", "sample", "--out", tmp_path / "book.json", *options)
    assert done.exit_code == code
    assert told in done.stderr


def test_nothing_is_written_where_nothing_came(
    medrag: Any, index: Path, tmp_path: Path, serve: Serve
) -> None:
    pipeline = recipe(tmp_path, serve(lambda request, _: reply("skip")))
    book = tmp_path / "book.json"
    done = medrag("concepts", "write", pipeline, "--index", index, "--class", "gout", "--out", book)
    assert done.exit_code == 1
    assert "no concept came of it" in done.stderr
    assert not book.exists()


def test_too_few_pictures_are_told(medrag: Any, index: Path, tmp_path: Path, serve: Serve) -> None:
    book = tmp_path / "book.json"
    book.write_text(json.dumps({"format": 1, "concepts": [{"question": "Is it there?"}]}))
    pipeline = recipe(tmp_path, serve(lambda request, _: reply("yes")))
    done = medrag(
        "concepts", "fit", book, pipeline, "--index", index, "--out", tmp_path / "heads.npz"
    )
    assert done.exit_code == 1
    assert "100 pictures of yes" in done.stderr
