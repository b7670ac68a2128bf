"""One contract for everything that searches vectors: the same passages with the same scores."""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medrag.records import Embeddings, Filter, ScoredRow
from tests.indexing.qdrant.conftest import QUICK
from tests.indexing.vector_library import Made, made_index, packed, plainly, searching

# Each must find what the plain search finds. Those that approximate are asked to look everywhere.
BEST_PAIR: dict[str, Any] = {
    "exact": "exact",
    "exact in float32": {"kind": "exact", "scan": "float32"},
    "exact in bfloat16": {"kind": "exact", "scan": "bfloat16"},
    "exact in int8": {"kind": "exact", "scan": "int8"},
    "faiss flat": "faiss",
    "faiss ivf, all cells": {"kind": "faiss", "factory": "IVF2,Flat", "nprobe": "all"},
    "qdrant edge": {"kind": "qdrant", "exact": True},
    "qdrant in memory": {"kind": "qdrant", "location": ":memory:", "exact": True},
}
SUMS: dict[str, Any] = {
    "late interaction": "exact",
    "qdrant edge": {"kind": "qdrant", "exact": True},
    "qdrant in memory": {"kind": "qdrant", "location": ":memory:", "exact": True},
}
EVERY = [(name, spec, False) for name, spec in BEST_PAIR.items()] + [
    (f"{name}, sums", spec, True) for name, spec in SUMS.items()
]
every_backend = pytest.mark.parametrize(
    ("spec", "late"), [pytest.param(s, late, id=name) for name, s, late in EVERY]
)

FILTERS = [Filter(), Filter(kinds=frozenset({"report"})), Filter(kinds=frozenset({"case"}))]

# Few different numbers, so that duplicates and ties are common; halves are exact in every type.
numbers = st.integers(-4, 4).map(lambda n: n / 2)


@st.composite
def libraries(draw: st.DrawFn) -> tuple[int, list[Made]]:
    d = draw(st.integers(1, 5))
    vector = st.lists(numbers, min_size=d, max_size=d).filter(any)
    passages = st.builds(
        lambda rows, kind, file: Made(np.array(rows, np.float32), kind, file),
        st.lists(vector, min_size=1, max_size=3),
        st.sampled_from(["text", "report"]),
        st.integers(0, 2),
    )
    return d, draw(st.lists(passages, min_size=1, max_size=12))


def check(found: Sequence[Sequence[ScoredRow]], expected: Sequence[Sequence[ScoredRow]]) -> None:
    assert [[hit.row for hit in each] for each in found] == [
        [hit.row for hit in each] for each in expected
    ]
    for one, two in zip(found, expected, strict=True):
        np.testing.assert_allclose(
            [hit.score for hit in one], [hit.score for hit in two], atol=1e-3
        )


def check_backend(data: st.DataObject, spec: Any, late: bool, *, searches: int) -> None:
    d, made = data.draw(libraries())
    files = sorted({each.file for each in made})
    removed = data.draw(st.sets(st.sampled_from(files))) if len(files) > 1 else set()
    with tempfile.TemporaryDirectory(dir=QUICK) as folder:
        store = made_index(
            Path(folder), made, d=d, store=spec, late_interaction=late, removed=sorted(removed)
        )
        search = searching(store)
        for _ in range(searches):
            questions = packed(data.draw(st.lists(vectors(d), min_size=1, max_size=3)), d)
            filters = [data.draw(st.sampled_from(FILTERS)) for _ in questions.lengths]
            k = data.draw(st.integers(1, 14))
            expected = plainly(store, questions, k, filters)
            check(search.search(questions, k, filters), expected)


def vectors(d: int) -> st.SearchStrategy[np.ndarray]:
    row = st.lists(numbers, min_size=d, max_size=d)
    return st.lists(row, min_size=1, max_size=3).map(lambda rows: np.array(rows, np.float32))


@every_backend
@settings(max_examples=20)
@given(data=st.data())
def test_every_backend_finds_what_the_plain_search_finds(
    spec: Any, late: bool, data: st.DataObject
) -> None:
    check_backend(data, spec, late, searches=10)


@pytest.mark.slow
@pytest.mark.exhaustive
@every_backend
@settings(max_examples=1000)
@given(data=st.data())
def test_every_backend_finds_it_in_many_cases(spec: Any, late: bool, data: st.DataObject) -> None:
    check_backend(data, spec, late, searches=10)


@every_backend
def test_real_vectors_have_the_same_top_ten(spec: Any, late: bool, tmp_path: Path) -> None:
    random = np.random.default_rng(7)
    made = [Made(unit(random.standard_normal((1 + n % 3, 32))), "text", n % 3) for n in range(300)]
    store = made_index(tmp_path, made, d=32, store=spec, late_interaction=late, removed=[1])
    questions = packed([unit(random.standard_normal((1 + n % 2, 32))) for n in range(5)], 32)
    filters = [Filter()] * 5
    check(searching(store).search(questions, 10, filters), plainly(store, questions, 10, filters))


@every_backend
def test_a_question_of_another_dimension_is_refused(spec: Any, late: bool, tmp_path: Path) -> None:
    store = made_index(
        tmp_path, [Made(np.ones((1, 3), np.float32))], d=3, store=spec, late_interaction=late
    )
    search = searching(store)
    with pytest.raises(ValueError, match="holds vectors of 3 numbers, but the question's has 2"):
        search.search(packed([np.ones((1, 2), np.float32)], 2), 1, [Filter()])
    with pytest.raises(ValueError, match="not finite"):
        search.search(packed([np.full((1, 3), np.nan, np.float32)], 3), 1, [Filter()])
    with pytest.raises(ValueError, match="k must be at least 1"):
        search.search(packed([np.ones((1, 3), np.float32)], 3), 0, [Filter()])
    assert search.search(packed([], 3), 1, []) == []


@every_backend
def test_nothing_is_found_where_nothing_is_left(spec: Any, late: bool, tmp_path: Path) -> None:
    made = [Made(np.ones((1, 3), np.float32), file=file) for file in range(2)]
    store = made_index(tmp_path, made, d=3, store=spec, late_interaction=late, removed=[0, 1])
    question = Embeddings(np.ones((1, 3), np.float32), np.ones(1, np.int32))
    assert searching(store).search(question, 3, [Filter()]) == [[]]


def unit(vectors: np.ndarray) -> np.ndarray:
    scaled: np.ndarray = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(
        np.float32
    )
    return scaled
