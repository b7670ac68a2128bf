"""Indexes of vectors that a test made up, and the plainest possible search over them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from medrag.build import ChannelPlan
from medrag.config.place import Place
from medrag.config.tables import constructor
from medrag.indexing.backends import VectorSearch
from medrag.indexing.maintenance import remove
from medrag.indexing.storage import Store, open_store
from medrag.protocols import Side
from medrag.records import Embeddings, Filter, Passage, Question, ScoredRow
from tests.indexing.library import build_lines

Floats = NDArray[np.float32]
CHANNEL = "made-up"
FILTERS = [Filter(), Filter(kinds=frozenset({"report"})), Filter(kinds=frozenset({"case"}))]

# Few different numbers, so that duplicates and ties are common; halves are exact in every type.
_numbers = st.integers(-4, 4).map(lambda n: n / 2)


@dataclass(frozen=True, slots=True)
class Made:
    """A passage: its vectors (length, d), its kind, and the file that it stands in."""

    vectors: Floats
    kind: str = "text"
    file: int = 0


class Given:
    """Give the vectors that the text of a passage numbers."""

    name = "given"
    normalised = False

    def __init__(self, vectors: Sequence[Floats], d: int) -> None:
        self.vectors = vectors
        self.d = d

    def encodes(self, passage: Passage) -> bool:
        return True

    def encode_passages(self, passages: Sequence[Passage]) -> Embeddings:
        return packed([self.vectors[int(each.text)] for each in passages], self.d)

    def encode_questions(self, questions: Sequence[Question], side: Side) -> Embeddings:
        raise NotImplementedError


def packed(vectors: Sequence[Floats], d: int) -> Embeddings:
    values = np.concatenate([np.zeros((0, d), np.float32), *vectors]).astype(np.float32)
    return Embeddings(values, np.array([len(each) for each in vectors], dtype=np.int32))


def made_index(
    folder: Path,
    made: Sequence[Made],
    *,
    d: int,
    store: Mapping[str, Any] | str = "exact",
    late_interaction: bool = False,
    removed: Sequence[int] = (),
) -> Store:
    """Build an index of passages, a segment for each of their files, and remove files from it."""
    spec: dict[str, Any] = {"kind": "dense", "encoder": {"kind": "given"}, "store": store}
    if late_interaction:
        spec["interaction"] = "sum"
    encoder = Given([each.vectors for each in made], d)
    plan = {CHANNEL: ChannelPlan(spec, partial(_held, encoder))}
    for file in sorted({each.file for each in made}):
        lines = [
            {"text": str(number), "kind": each.kind}
            for number, each in enumerate(made)
            if each.file == file
        ]
        build_lines(folder / "index", folder / "in", {f"{file}.lines": lines}, channels=plan)
    for file in removed:
        (folder / "in" / f"{file}.lines").unlink()
        remove(folder / "index", [f"{file}.lines"])
    return open_store(folder / "index")


def searching(store: Store) -> VectorSearch:
    """Open what searches the channel, as its spec says."""
    entry = store.channel(CHANNEL)
    spec = entry.spec["store"]
    spec = dict(spec) if isinstance(spec, Mapping) else {"kind": spec}
    kind = spec.pop("kind")
    if kind == "exact" and entry.late_interaction:
        kind = "late_interaction"
    made: VectorSearch = constructor("store", kind, Place("test"))(
        store=store, name=CHANNEL, **spec
    )
    return made


def plainly(
    store: Store, questions: Embeddings, k: int, filters: Sequence[Filter]
) -> list[list[ScoredRow]]:
    """Score every pair of vectors in double precision, one by one; rounded to single."""
    late = store.channel(CHANNEL).late_interaction
    asked = np.split(questions.values.astype(np.float64), np.cumsum(questions.lengths)[:-1])
    rankings = []
    for question, wanted in zip(asked, filters, strict=True):
        mask = store.row_mask(wanted)
        scored = []
        for block in store.vectors(CHANNEL):
            parts = np.split(block.values.astype(np.float64), np.cumsum(block.lengths)[:-1])
            for row, vectors in zip(block.rows, parts, strict=True):
                if mask[row]:
                    best = (question @ vectors.T).max(axis=1)
                    score = float(np.float32(best.sum() if late else best.max()))
                    scored.append(ScoredRow(int(row), score))
        rankings.append(sorted(scored, key=lambda hit: (-hit.score, hit.row))[:k])
    return rankings


class Case(NamedTuple):
    """A search, and what the plain one finds."""

    questions: Embeddings
    k: int
    filters: list[Filter]
    expected: list[list[ScoredRow]]


def drawn(
    data: st.DataObject, folder: Path, *, searches: int, **index: Any
) -> tuple[Store, Iterator[Case]]:
    """Draw an index, of which any file may have been removed, and searches in it."""
    d, made = data.draw(_libraries())
    removed = data.draw(st.sets(st.sampled_from(sorted({each.file for each in made}))))
    store = made_index(folder, made, d=d, removed=sorted(removed), **index)
    return store, (_case(data, store, d) for _ in range(searches))


def check_rankings(
    found: Sequence[Sequence[ScoredRow]],
    expected: Sequence[Sequence[ScoredRow]],
    *,
    rtol: float = 0.0,
    atol: float = 1e-3,
) -> None:
    """Compare rankings: the same rows in the same order, scores within a tolerance."""
    assert [[hit.row for hit in each] for each in found] == [
        [hit.row for hit in each] for each in expected
    ]
    for one, two in zip(found, expected, strict=True):
        np.testing.assert_allclose(
            [hit.score for hit in one], [hit.score for hit in two], rtol=rtol, atol=atol
        )


def unit(vectors: NDArray[Any]) -> Floats:
    """Scale vectors to length 1."""
    scaled: Floats = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    return scaled


@st.composite
def _libraries(draw: st.DrawFn) -> tuple[int, list[Made]]:
    d = draw(st.integers(1, 5))
    vector = st.lists(_numbers, min_size=d, max_size=d).filter(any)
    passages = st.builds(
        lambda rows, kind, file: Made(np.array(rows, np.float32), kind, file),
        st.lists(vector, min_size=1, max_size=4),
        st.sampled_from(["text", "report"]),
        st.integers(0, 2),
    )
    return d, draw(st.lists(passages, min_size=1, max_size=12))


def _case(data: st.DataObject, store: Store, d: int) -> Case:
    row = st.lists(_numbers, min_size=d, max_size=d)
    question = st.lists(row, min_size=1, max_size=4).map(lambda rows: np.array(rows, np.float32))
    questions = packed(data.draw(st.lists(question, min_size=1, max_size=4)), d)
    filters = [data.draw(st.sampled_from(FILTERS)) for _ in questions.lengths]
    k = data.draw(st.integers(1, 14))
    return Case(questions, k, filters, plainly(store, questions, k, filters))


def _held(encoder: Given) -> Given:
    return encoder
