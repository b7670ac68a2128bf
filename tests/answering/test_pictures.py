import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from medrag.answering import OnePassAnswerer
from medrag.answering.rethinking import RethinkingAnswerer
from medrag.codec import to_json
from medrag.images import resolved
from medrag.pipeline import Pipeline
from medrag.records import (
    Filter,
    Generation,
    Hit,
    ImageRef,
    Omission,
    Passage,
    Prompt,
    Question,
    Source,
)
from medrag.selection.top_k import TopKSelector
from tests.answering.test_rethinking import Fixed, Thinker, writes
from tests.retrieval.shelf import Shelf as ShelfOfTexts
from tests.retrieval.shelf import passage as text_passage


class Looks:
    """A model that names the files that it is shown."""

    name = "looks"

    def generate(self, prompts: Sequence[Prompt]) -> list[Generation]:
        shown = [[p.path for p in prompt.parts if isinstance(p, ImageRef)] for prompt in prompts]
        return [Generation(f"{' '.join(paths)} [1].") for paths in shown]


class Shelf:
    def __init__(self, *passages: Passage) -> None:
        self.passages = passages

    def retrieve(
        self, questions: Sequence[Question], k: int, filters: Sequence[Filter]
    ) -> list[list[Hit]]:
        hits = [Hit(each, 1 / rank, rank) for rank, each in enumerate(self.passages, start=1)]
        return [hits[:k] for _ in questions]


@pytest.fixture
def library(tmp_path: Path) -> Path:
    root = tmp_path / "library"
    root.mkdir()
    Image.fromarray(np.zeros((4, 4, 3), dtype=np.uint8)).save(root / "here.png")
    return root


def passage(*paths: str) -> Passage:
    images = tuple(ImageRef(path) for path in paths)
    return Passage("p1", "image", "A picture.", Source("c", "d", "0"), images)


def pipeline(root: Path, *passages: Passage) -> Pipeline:
    return Pipeline(
        retriever=Shelf(*passages),
        selector=TopKSelector(k=3),
        answerer=OnePassAnswerer(generator=Looks()),
        resolve=lambda each: resolved(each, root),
    )


def test_a_model_is_shown_pictures_by_absolute_paths_and_the_answer_names_none(
    library: Path,
) -> None:
    stored = passage("here.png")
    answer = pipeline(library, stored).answer(Question(text="What is it?"))
    assert answer.text.startswith(str(library / "here.png"))
    assert answer.citations[0].passage == stored
    assert answer.selection.kept[0].passage == stored
    assert stored.images[0] in answer.prompt
    assert answer.left_out == ()


def test_a_picture_that_is_gone_is_told_and_leaves_the_words_of_its_passage(library: Path) -> None:
    answer = pipeline(library, passage("gone.png", "here.png")).answer(Question(text="What?"))
    assert answer.text == f"{library / 'here.png'} [1]."
    assert answer.left_out == (Omission(1, "image", "gone.png is not on this machine"),)
    assert [image.path for image in answer.selection.kept[0].passage.images] == [
        "gone.png", "here.png",
    ]  # fmt: skip


def test_a_picture_outside_its_library_is_not_shown(library: Path) -> None:
    (library.parent / "secret.png").write_bytes((library / "here.png").read_bytes())
    answer = pipeline(library, passage("../secret.png")).answer(Question(text="What?"))
    assert "secret" not in answer.text
    assert answer.left_out[0].kind == "image"


def test_a_pipeline_whose_answerer_cannot_stream_tells_the_whole_text(library: Path) -> None:
    class Plain:
        def answer(self, questions: Sequence[Question], selections: Sequence[object]) -> list:
            return OnePassAnswerer(generator=Looks()).answer(questions, selections)

    told: list[str] = []
    built = pipeline(library, passage("here.png"))
    built.answerer = Plain()
    answer = built.stream(Question(text="What is it?"), told.append)
    assert "".join(told) == answer.text
    assert {"retrieve", "select", "answer", "generate"} <= set(answer.timings)


def test_a_trace_names_pictures_of_the_library_as_the_index_does(library: Path) -> None:
    class Cuts(Looks):
        def generate(self, prompts: Sequence[Prompt]) -> list[Generation]:
            shown = [p for prompt in prompts for p in prompt.parts if isinstance(p, ImageRef)]
            part = to_json(replace(shown[0], box=(0.0, 0.0, 2.0, 2.0)))
            return [Generation("So [1].", trace=({"tool": "crop", "images": [part]},))]

    built = pipeline(library, passage("here.png"))
    built.answerer = OnePassAnswerer(generator=Cuts())
    answer = built.answer(Question(text="What is it?"))
    assert [each["path"] for each in answer.trace[0]["images"]] == ["here.png"]
    assert str(library) not in json.dumps(to_json(answer))


def test_citations_of_a_rearranged_selection_name_what_was_cited(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        Image.new("RGB", (30, 20), "white").save(tmp_path / f"{name}.png")
    stored = {
        n: replace(text_passage(n, f"Text {n}.", subject=f"s{n}"), images=(ImageRef(f"{n}.png"),))
        for n in "abc"
    }

    class Rooted(ShelfOfTexts):
        def corpus_root(self, corpus: str) -> Path:
            return tmp_path

    first = [Hit(stored[n], 1 / r, r) for r, n in enumerate("ab", 1)]
    writer = writes("Draft [1].", "Text b [1]. Text c [3].")
    answerer = RethinkingAnswerer(
        answerer=OnePassAnswerer(generator=writer, attach=False),
        generator=Thinker("[2]", "No."),
        rows=Rooted(),
        retriever=Fixed(*first, Hit(stored["c"], 0.1, 3)),
    )
    whole = Pipeline(
        retriever=Fixed(*first),
        selector=TopKSelector(k=5),
        answerer=answerer,
        resolve=lambda each: resolved(each, tmp_path),
    )
    answer = whole.answer(Question("Which text?"))
    assert [hit.passage for hit in answer.selection.kept] == [stored[n] for n in "bac"]
    assert [(c.marker, c.passage) for c in answer.citations] == [(1, stored["b"]), (3, stored["c"])]
    assert all("/" not in part.path for part in answer.prompt if isinstance(part, ImageRef))
