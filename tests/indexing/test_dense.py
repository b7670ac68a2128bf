from pathlib import Path
from typing import Any

import numpy as np
import pytest

from medrag.errors import IndexFormatError, MedragError
from medrag.indexing.dense import DenseChannel
from medrag.indexing.exact import ExactSearch
from medrag.indexing.storage import Store, open_store
from medrag.indexing.vectors import VectorsWriter
from medrag.protocols import Side
from medrag.records import Embeddings, Filter, ImageRef, Passage, Question, Source
from tests.contracts import check_channel, check_encoder
from tests.indexing.library import WordEncoder, build_lines, lexical_and_words

LINES = [
    {"text": "pleural effusion of the left lung", "domain": "radiology", "kind": "report"},
    {"text": "no effusion", "domain": "radiology"},
    {"text": "white matter", "subject": "p-1"},
    {"text": "effusion no", "domain": "radiology"},
]
FILTERS = [
    Filter(domains=frozenset({"radiology"})),
    Filter(kinds=frozenset({"text"}), not_subjects=frozenset({"p-1"})),
]


class Sided(WordEncoder):
    """Says what it was asked, and gives two vectors where a question has two lines."""

    def encode_questions(self, questions: list[Question], side: Side) -> Embeddings:  # type: ignore[override]
        parts = [question.text.splitlines() for question in questions]
        flat = [Question(text=line) for lines in parts for line in lines]
        values = super().encode_questions(flat, side).values
        return Embeddings(values, np.array([len(lines) for lines in parts], dtype=np.int32))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    build_lines(
        tmp_path / "index", tmp_path / "in", {"a.lines": LINES}, channels=lexical_and_words()
    )
    return open_store(tmp_path / "index")


@pytest.mark.parametrize(
    "options",
    [{}, {"scan": "int8"}, {"scan": "bfloat16"}, {"device": "cpu,cpu"}],
    ids=lambda options: ",".join(options.values()) or "auto",
)
def test_it_keeps_the_promises_of_a_channel(store: Store, options: dict[str, Any]) -> None:
    check_channel(
        DenseChannel(
            store=store,
            name="words",
            encoder=WordEncoder(),
            side="text",
            vectors=ExactSearch(store=store, name="words", **options),
        ),
        [Question(text="effusion"), Question(text="white matter lung")],
        n_rows=store.n_rows,
        masks=[(wanted, store.row_mask(wanted)) for wanted in FILTERS],
        unusable=[Question(), Question(text=" "), Question(images=(ImageRef("/x.png"),))],
    )


def test_a_question_without_an_image_is_not_asked_on_the_image_side(store: Store) -> None:
    channel = DenseChannel(store=store, name="words", encoder=WordEncoder(), side="image")
    asked = [Question(text="effusion"), Question(text="effusion", images=(ImageRef("/x.png"),))]
    without, with_image = channel.search(asked, 2, [Filter()] * 2)
    assert without == []
    assert len(with_image) == 2


def test_a_question_of_two_vectors_counts_with_the_better_one(store: Store) -> None:
    channel = DenseChannel(store=store, name="words", encoder=Sided(), side="text")
    one, two, both = channel.search(
        [Question(text=text) for text in ("effusion", "matter", "effusion\nmatter")],
        store.n_rows,
        [Filter()] * 3,
    )
    best = {row: max(dict(one)[row], dict(two)[row]) for row in dict(one)}
    assert dict(both) == best


def test_another_encoder_is_refused(store: Store) -> None:
    with pytest.raises(IndexFormatError, match="holds vectors of 'words', but the encoder is 'x'"):
        DenseChannel(store=store, name="words", encoder=WordEncoder("x"), side="text")
    with pytest.raises(KeyError, match="it has: lexical, words"):
        DenseChannel(store=store, name="image", encoder=WordEncoder(), side="image")


def test_the_test_encoder_keeps_the_promises_of_an_encoder(store: Store) -> None:
    questions = [Question(text="effusion"), Question(text="lung")]
    check_encoder(WordEncoder(), list(store.passages), questions, "text")


@pytest.mark.parametrize(
    ("value", "length", "told"),
    [
        (np.nan, 1, "not finite for passage id .text of d in corpus 'c'"),
        (0.0, 1, "zeros, which is like nothing for passage id"),
        (1.0, 0, "at least one vector"),
    ],
)
def test_a_broken_vector_never_enters_an_index(
    tmp_path: Path, value: float, length: int, told: str
) -> None:
    class Broken(WordEncoder):
        def encode_passages(self, passages: list[Passage]) -> Embeddings:  # type: ignore[override]
            values = np.full((len(passages), 2), value, dtype=np.float32)
            return Embeddings(values, np.full(len(passages), length, dtype=np.int32))

    writer = VectorsWriter(folder=tmp_path / "v", encoder=Broken())
    writer.add(0, Passage("id", "text", "x", Source("c", "d", "s")))
    with pytest.raises((ValueError, MedragError), match=told):
        writer.close()
