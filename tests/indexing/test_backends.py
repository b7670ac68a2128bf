"""One contract for everything that searches vectors: the same passages with the same scores."""

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medrag.indexing.backends import options_stamp
from medrag.indexing.manifest import ChannelEntry
from medrag.records import Embeddings, Filter
from tests.indexing.qdrant.conftest import QUICK
from tests.indexing.vector_library import (
    CHANNEL,
    Made,
    check_rankings,
    drawn,
    made_index,
    packed,
    plainly,
    searching,
    unit,
)

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


def check_backend(data: st.DataObject, spec: Any, late: bool, *, searches: int) -> None:
    with tempfile.TemporaryDirectory(dir=QUICK) as folder:
        store, cases = drawn(
            data, Path(folder), searches=searches, store=spec, late_interaction=late
        )
        search = searching(store)
        for case in cases:
            check_rankings(search.search(case.questions, case.k, case.filters), case.expected)


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
    found = searching(store).search(questions, 10, filters)
    check_rankings(found, plainly(store, questions, 10, filters))


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


@pytest.mark.parametrize(
    ("store", "option", "late", "kept"),
    [
        ({"kind": "exact", "oversample": 8}, {"oversample": 9}, False, True),
        ({"kind": "exact", "scan": "bits"}, {"scan": "int8"}, False, False),
        ({"kind": "late_interaction", "candidates": 100}, {"candidates": 200}, True, True),
        ({"kind": "late_interaction", "first_pass": "bits"}, {"first_pass": "exact"}, True, False),
        ({"kind": "faiss", "factory": "IVF2,Flat"}, {"nprobe": 2}, False, True),
        ({"kind": "faiss", "factory": "IVF2,Flat"}, {"factory": "Flat"}, False, False),
        ({"kind": "qdrant"}, {"exact": True}, False, True),
        ({"kind": "qdrant"}, {"hnsw": {"m": 0}}, False, False),
    ],
)
def test_options_of_a_search_leave_what_is_kept_as_it_is(
    store: dict[str, Any], option: dict[str, Any], late: bool, kept: bool
) -> None:
    spec = {"kind": "dense", "interaction": "sum" if late else "best"}
    one = ChannelEntry({**spec, "store": store}, "made", d=2)
    other = replace(one, spec={**spec, "store": {**store, **option}})
    assert (options_stamp({CHANNEL: one}) == options_stamp({CHANNEL: other})) is kept


@every_backend
def test_nothing_is_found_where_nothing_is_left(spec: Any, late: bool, tmp_path: Path) -> None:
    made = [Made(np.ones((1, 3), np.float32), file=file) for file in range(2)]
    store = made_index(tmp_path, made, d=3, store=spec, late_interaction=late, removed=[0, 1])
    question = Embeddings(np.ones((1, 3), np.float32), np.ones(1, np.int32))
    assert searching(store).search(question, 3, [Filter()]) == [[]]
