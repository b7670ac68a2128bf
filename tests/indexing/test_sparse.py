"""Weighted terms: inverted lists against a plain product, and what may not enter one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medrag.build import ChannelPlan
from medrag.errors import IndexFormatError
from medrag.indexing.checking import verify
from medrag.indexing.maintenance import compact, remove
from medrag.indexing.sparse import SparseChannel
from medrag.indexing.storage import Store, open_store
from medrag.protocols import Side
from medrag.records import Filter, ImageRef, Passage, Question, SparseEmbeddings
from tests.contracts import check_channel
from tests.indexing.library import build_lines

LINES = [
    {"text": "pleural effusion of the left lung", "domain": "radiology", "kind": "report"},
    {"text": "no effusion", "domain": "radiology"},
    {"text": "white matter", "subject": "p-1"},
    {"text": "effusion no", "domain": "radiology"},
    {"text": "?", "domain": "radiology"},
]
FILTERS = [
    Filter(domains=frozenset({"radiology"})),
    Filter(kinds=frozenset({"text"}), not_subjects=frozenset({"p-1"})),
]


class Terms:
    """Give each known word its number as a term, and how often it stands there as the weight."""

    normalised = False

    def __init__(self, name: str = "terms", words: Sequence[str] = ()) -> None:
        self.name = name
        self.words = words or sorted({w for line in LINES for w in line["text"].split()} - {"?"})

    def encodes(self, passage: Passage) -> bool:
        return True

    def encode_passages(self, passages: Sequence[Passage]) -> SparseEmbeddings:
        return self._encoded([each.text for each in passages])

    def encode_questions(self, questions: Sequence[Question], side: Side) -> SparseEmbeddings:
        return self._encoded([each.text for each in questions])

    def _encoded(self, texts: Sequence[str]) -> SparseEmbeddings:
        each = [np.unique([*self._terms(text)], return_counts=True) for text in texts]
        return SparseEmbeddings(
            np.concatenate([np.empty(0), *(terms for terms, _ in each)]).astype(np.int32),
            np.concatenate([np.empty(0), *(counts for _, counts in each)]).astype(np.float32),
            np.array([len(terms) for terms, _ in each], dtype=np.int32),
            len(self.words),
        )

    def _terms(self, text: str) -> list[int]:
        return [self.words.index(word) for word in text.split() if word in self.words]


@dataclass
class Numbers(Terms):
    """Give the vectors that a text numbers, as a matrix holds them."""

    matrix: Any
    asked: Any
    name: str = "numbers"
    words: Sequence[str] = field(default_factory=list)

    def encode_passages(self, passages: Sequence[Passage]) -> SparseEmbeddings:
        return sparse(self.matrix[[int(each.text) for each in passages]])

    def encode_questions(self, questions: Sequence[Question], side: Side) -> SparseEmbeddings:
        return sparse(self.asked[[int(each.text) for each in questions]])


def sparse(matrix: np.ndarray) -> SparseEmbeddings:
    rows, terms = np.nonzero(matrix)
    lengths = np.bincount(rows, minlength=len(matrix)).astype(np.int32)
    weights = matrix[rows, terms].astype(np.float32)
    return SparseEmbeddings(terms.astype(np.int32), weights, lengths, matrix.shape[1])


def channels(encoder: Terms) -> dict[str, ChannelPlan]:
    spec = {"kind": "sparse", "encoder": {"kind": "terms"}}
    return {"terms": ChannelPlan(spec, partial(_held, encoder))}


def _held(encoder: Terms) -> Terms:
    return encoder


def built(folder: Path, lines: Sequence[Mapping[str, Any]], encoder: Terms, files: int = 1) -> Path:
    parts = {f"{n}.lines": lines[n::files] for n in range(files)}
    build_lines(folder / "index", folder / "in", parts, channels=channels(encoder))
    return folder / "index"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(built(tmp_path, LINES, Terms()))


def test_it_keeps_the_promises_of_a_channel(store: Store) -> None:
    check_channel(
        SparseChannel(store=store, name="terms", encoder=Terms()),
        [Question(text="effusion no"), Question(text="white matter lung")],
        n_rows=store.n_rows,
        masks=[(wanted, store.row_mask(wanted)) for wanted in FILTERS],
        unusable=[Question(), Question(text=" "), Question(images=(ImageRef("/x.png"),))],
    )


def test_a_passage_without_a_shared_term_is_no_hit(store: Store) -> None:
    channel = SparseChannel(store=store, name="terms", encoder=Terms())
    found, none = channel.search([Question("white"), Question("unheard")], 9, [Filter()] * 2)
    assert [hit.row for hit in found] == [2]
    assert none == []


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), k=st.integers(1, 30), files=st.integers(1, 3))
def test_any_vectors_are_ranked_as_by_the_plain_product(
    tmp_path_factory: pytest.TempPathFactory, seed: int, k: int, files: int
) -> None:
    draw = np.random.default_rng(seed)
    n, d = int(draw.integers(1, 25)), int(draw.integers(1, 12))
    # Small whole numbers, some below zero: many ties, and scores below that of no shared term.
    shares = draw.random((2, 1, 1))
    matrix, asked = (
        draw.integers(-1, 4, (rows, d)) * (draw.random((rows, d)) < share)
        for rows, share in zip((n, 3), shares[:, 0], strict=True)
    )
    encoder = Numbers(matrix, asked)
    kinds = ["text", "report"]
    lines = [{"text": str(i), "kind": kinds[i % 2]} for i in range(n)]
    folder = built(tmp_path_factory.mktemp("sparse"), lines, encoder, min(files, n))
    store = open_store(folder)
    channel = SparseChannel(store=store, name="terms", encoder=encoder)
    wanted = [Filter(), Filter(kinds=frozenset({"text"})), Filter(kinds=frozenset({"case"}))]
    found = channel.search([Question(text=str(i)) for i in range(3)], k, wanted)
    order = np.array([int(passage.text) for passage in store.passages])
    for number, ranking in enumerate(found):
        scores = (matrix[order] @ asked[number]).astype(float)
        scores[~store.row_mask(wanted[number])] = 0
        rows = sorted(np.flatnonzero(scores > 0), key=lambda row: (-scores[row], row))[:k]
        assert [(hit.row, hit.score) for hit in ranking] == [(row, scores[row]) for row in rows]


def test_what_was_removed_is_not_found_before_or_after_compaction(tmp_path: Path) -> None:
    folder = built(tmp_path, LINES, Terms(), files=2)
    remove(folder, ["0.lines"])
    for _ in range(2):
        channel = SparseChannel(store=open_store(folder), name="terms", encoder=Terms())
        (found,) = channel.search([Question(text="effusion white")], 9, [Filter()])
        passages = channel.store.passages_at([hit.row for hit in found])
        assert [passage.text for passage in passages] == ["no effusion", "effusion no"]
        compact(folder)


def test_an_empty_index_has_no_hits(tmp_path: Path) -> None:
    folder = built(tmp_path / "a", [], Terms())
    # Of a build that was given no file no encoder is known.
    build_lines(tmp_path / "index", tmp_path / "in", channels=channels(Terms()))
    for each in (folder, tmp_path / "index"):
        channel = SparseChannel(store=open_store(each), name="terms", encoder=Terms())
        assert channel.search([Question(text="effusion")], 3, [Filter()]) == [[]]


def test_another_encoder_or_vocabulary_is_refused(store: Store) -> None:
    with pytest.raises(IndexFormatError, match="holds vectors of 'terms', but the encoder is 'x'"):
        SparseChannel(store=store, name="terms", encoder=Terms("x"))
    channel = SparseChannel(store=store, name="terms", encoder=Terms(words=["a", "effusion"]))
    with pytest.raises(ValueError, match="over 9 terms, but the question's is over 2"):
        channel.search([Question(text="effusion")], 3, [Filter()])
    with pytest.raises(ValueError, match="k must be"):
        channel.search([Question(text="effusion")], 0, [Filter()])


def test_a_question_that_is_not_finite_is_refused(store: Store) -> None:
    broken = Numbers(np.zeros((1, 9)), np.full((1, 9), np.nan), name="terms")
    channel = SparseChannel(store=store, name="terms", encoder=broken)
    with pytest.raises(ValueError, match="not finite"):
        channel.search([Question(text="0")], 3, [Filter()])


def test_terms_beyond_the_vocabulary_are_named_as_damage(tmp_path: Path) -> None:
    folder = built(tmp_path, LINES, Terms())
    (path,) = folder.glob("segments/*/channel-terms/values.npy")
    values = np.load(path)
    values[0, 0] = 9
    np.save(path, values)
    with pytest.raises(IndexFormatError, match="not terms below 9"):
        SparseChannel(store=open_store(folder), name="terms", encoder=Terms())


def test_verify_names_terms_that_the_vocabulary_lacks(tmp_path: Path) -> None:
    whole = built(tmp_path / "whole", LINES, Terms())
    assert verify(whole) == []

    class Outside(Terms):
        def encode_passages(self, passages: Sequence[Passage]) -> SparseEmbeddings:
            made = super().encode_passages(passages)
            return replace(made, terms=made.terms + 1)

    (found,) = verify(built(tmp_path / "outside", LINES, Outside()))
    assert found.problem == "channel-terms: a term is not a whole number below 9"
