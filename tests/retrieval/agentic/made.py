"""Pages, and agents that say what a test has written."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from medrag.records import Filter, Hit, ImageRef, Passage, Prompt, Question, Region, Retrieved
from medrag.retrieval.agentic import AgenticRetriever
from tests.retrieval.asking.scripted import Said, Scripted, in_turn
from tests.retrieval.shelf import SOURCE, Listed, Shelf

QUESTION = Question("0 which is it?", options=("gout", "sepsis"))


def routed(*queries: str, partition: str = "") -> str:
    lines = []
    for query in queries:
        lines.append(json.dumps({"name": "rag", "parameters": {"query": query}}))
        if partition:
            named = {"name": "classifier", "parameters": {"partition": partition}}
            lines.append(json.dumps(named))
    return "\n".join(["<think>Hm.</think>", "<tool_call>", *lines, "</tool_call>"])


def is_router(prompt: Prompt) -> bool:
    return prompt.template.startswith("router/")


def page(name: str, folder: Path | None = None, text: str = "", **source: Any) -> Passage:
    """Make a page; with a folder, one that is drawn there."""
    images: tuple[ImageRef, ...] = ()
    if folder is not None:
        path = folder / f"{name}.png"
        Image.new("RGB", (200, 100), (len(name), ord(name[0]), 7)).save(path)
        images = (ImageRef(str(path)),)
    where = type(SOURCE)(
        **{
            "corpus": "corpus", "document": "book.pdf", "sha256": "0" * 64,
            "regions": (Region(1),), **source,
        }
    )  # fmt: skip
    return Passage(name, "page", text or f"Page {name}.", where, images)


SHELF = Shelf(*(page(name) for name in "abcdef"))


def acts(route: Said, *turns: Said) -> Scripted:
    """A model that routes, and then acts in turn."""
    act = in_turn(*turns)
    return Scripted(lambda prompt: route if is_router(prompt) else act(prompt))


def retrieved(
    generator: Any,
    shelf: Shelf,
    question: Question = QUESTION,
    *,
    wanted: Filter = Filter(),  # noqa: B008 - frozen
    inner: Any = None,
    k: int = 10,
    **settings: Any,
) -> Retrieved:
    retriever = AgenticRetriever(
        retriever=inner or Listed(shelf), generator=generator, rows=shelf, **settings
    )
    return retriever.retrieve_traced([question], k, [wanted])[0]


def steps(found: Retrieved, name: str) -> list[dict[str, Any]]:
    return [dict(step) for step in found.trace if step["step"] == name]


class Watching(Listed):
    """A shelf's retriever that remembers questions, depths and filters."""

    def __init__(self, shelf: Shelf) -> None:
        super().__init__(shelf)
        self.seen: list[tuple[Question, int, Filter]] = []

    def retrieve(
        self, questions: Sequence[Question], k: int, filters: Sequence[Filter]
    ) -> list[list[Hit]]:
        self.seen += [(q, k, f) for q, f in zip(questions, filters, strict=True)]
        return super().retrieve(questions, k, filters)
