"""FAISS as a back end: equal to plain search where it must be, honest where it cannot."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from medrag.indexing.checking import verify
from medrag.indexing.faiss import allowed, candidates, problem
from medrag.indexing.faiss.candidates import Candidates
from medrag.indexing.maintenance import compact, remove
from medrag.indexing.storage import open_store
from medrag.records import Filter
from tests.indexing.faiss.segments import FILTERS, Segments, check, rows, some, unit
from tests.indexing.vector_library import CHANNEL, Made, made_index, packed, plainly, searching

# Kinds that take a filter themselves, and kinds that do not.
FILTERING = [
    "Flat", "SQ8", "RaBitQ", "HNSW8", "IVF4,Flat", "IVF4,PQ4x4", "IVF4,RaBitQ", "PCA6,IVF4,Flat",
]  # fmt: skip
OVERFETCHING = ["PQ4x4", "PQ4x4fs", "IVF4,PQ4x4,RFlat"]


def check_any_library(folder: Path, seed: int, factory: str, options: Mapping[str, Any]) -> None:
    draw = np.random.default_rng(seed)
    n, d, k = (int(draw.integers(1, most)) for most in (60, 8, 40))
    # Whole numbers, so that duplicates and ties are many.
    sizes = draw.integers(1, 4, n)
    vectors = [draw.integers(-2, 3, (size, d)).astype(np.float32) for size in sizes]
    cut = int(draw.integers(0, n + 1))
    removed = np.flatnonzero(draw.random(n) < 0.2).tolist()
    parts = {"a": vectors[:cut], "b": vectors[cut:]}
    store = Segments(folder, parts, {"factory": factory}, removed=removed).derive()
    asked = packed([draw.integers(-2, 3, (t, d)).astype(np.float32) for t in (1, 2, 1)], d)
    found = store.search(**options).search(asked, k, FILTERS)
    expected = store.plainly(asked, k, FILTERS)
    assert rows(found) == rows(expected)
    # Sums of small whole numbers are exact in every precision.
    assert [[h.score for h in r] for r in found] == [[h.score for h in r] for r in expected]


EXACT = pytest.mark.parametrize(
    ("factory", "options"),
    [("Flat", {}), ("Flat", {"rescore": 1}), ("IVF7,Flat", {"nprobe": "all"})],
)


@EXACT
@settings(max_examples=70, deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 2**32 - 1))
def test_flat_and_every_cell_probed_find_what_plain_search_finds(
    tmp_path_factory: pytest.TempPathFactory, seed: int, factory: str, options: Any
) -> None:
    check_any_library(tmp_path_factory.mktemp("faiss"), seed, factory, options)


@pytest.mark.slow
@pytest.mark.exhaustive
@EXACT
@settings(max_examples=3_400, deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 2**32 - 1))
def test_flat_and_every_cell_probed_find_it_in_many_cases(
    tmp_path_factory: pytest.TempPathFactory, seed: int, factory: str, options: Any
) -> None:
    check_any_library(tmp_path_factory.mktemp("faiss"), seed, factory, options)


@pytest.mark.parametrize("factory", FILTERING + OVERFETCHING)
def test_every_kind_of_index_finds_only_allowed_rows_and_as_many_as_there_are(
    tmp_path: Path, factory: str
) -> None:
    store, asked = some(tmp_path, factory)
    search = store.search(nprobe="all")
    assert search._candidates is not None
    assert search._candidates.takes_filters == (factory in FILTERING)
    for k in (5, 133, 500):
        wanted = [FILTERS[n % 3] for n in range(6)]
        for found, filter_ in zip(search.search(asked, k, wanted), wanted, strict=True):
            mask = store.row_mask(filter_)
            assert all(mask[hit.row] for hit in found)
            assert len({hit.row for hit in found}) == len(found) == min(k, mask.sum())


@pytest.mark.parametrize("factory", FILTERING + OVERFETCHING)
def test_scores_are_those_of_the_vectors_and_not_of_the_codes(tmp_path: Path, factory: str) -> None:
    store, asked = some(tmp_path, factory)
    true = [dict(ranking) for ranking in store.plainly(asked, 400, [Filter()] * 6)]
    for found, known in zip(store.search().search(asked, 10, [Filter()] * 6), true, strict=True):
        assert list(found) == sorted(found, key=lambda hit: (-hit.score, hit.row))
        np.testing.assert_allclose([h.score for h in found], [known[h.row] for h in found], 1e-6)


@pytest.mark.parametrize("factory", FILTERING + OVERFETCHING)
def test_most_of_the_nearest_are_found_by_every_kind_with_all_cells_probed(
    tmp_path: Path, factory: str
) -> None:
    store, asked = some(tmp_path, factory)
    found = rows(store.search(nprobe="all", rescore=20).search(asked, 10, [Filter()] * 6))
    true = rows(store.plainly(asked, 10, [Filter()] * 6))
    share = np.mean([len({*one} & {*two}) / 10 for one, two in zip(found, true, strict=True)])
    assert share >= 0.9


def test_a_filter_that_leaves_few_is_searched_row_by_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, asked = some(tmp_path, "IVF4,Flat")
    store.live[:] = False
    store.live[[7, 300, 399]] = True
    search = store.search(nprobe=1)
    monkeypatch.setattr(Candidates, "search", None)
    check(search.search(asked, 10, [Filter()] * 6), store.plainly(asked, 10, [Filter()] * 6))


def test_lists_that_hold_too_few_allowed_rows_are_not_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(allowed, "_SCORED", 0)
    store, asked = some(tmp_path, "IVF4,Flat")
    store.live[:] = False
    store.live[[7, 300, 399]] = True
    search = store.search(nprobe=1)
    check(search.search(asked, 10, [Filter()] * 6), store.plainly(asked, 10, [Filter()] * 6))


def test_more_candidates_than_faiss_may_hold_are_found_by_reading_everything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(candidates, "_MOST", 16)
    same = [np.ones((1, 4), np.float32)] * 50
    store = Segments(tmp_path, {"a": same}, {"factory": "Flat"}).derive()
    (found,) = store.search().search(packed([same[0]], 4), 5, [Filter()])
    assert [hit.row for hit in found] == [0, 1, 2, 3, 4]


def test_vectors_that_came_later_are_searched_beside_the_index(tmp_path: Path) -> None:
    store, asked = some(tmp_path, "Flat")
    draw = np.random.default_rng(9)
    more = [unit(draw.standard_normal((1, 12))) for _ in range(50)]
    # In front of what the index holds, too, so that its rows have moved.
    parts = {"z": more[:20], **store.parts, "y": more[20:]}
    later = Segments(tmp_path, parts, {"factory": "Flat"}, removed=[30])
    wanted = [FILTERS[n % 2] for n in range(6)]
    check(later.search().search(asked, 60, wanted), later.plainly(asked, 60, wanted))


def test_vectors_of_a_segment_that_is_gone_are_not_found(tmp_path: Path) -> None:
    store, asked = some(tmp_path, "Flat")
    less = Segments(tmp_path, {"c": store.parts["c"]}, {"factory": "Flat"})
    wanted = [FILTERS[n % 2] for n in range(6)]
    check(less.search().search(asked, 30, wanted), less.plainly(asked, 30, wanted))


def test_a_segment_that_the_index_lacks_is_a_problem(tmp_path: Path) -> None:
    store, _ = some(tmp_path, "Flat")
    parts = {**store.parts, "d": [np.ones((1, 12), np.float32)]}
    later: Any = Segments(tmp_path, parts, {"factory": "Flat"})
    told = problem(store=later, channels={"made": later.entry}, folder=later.at)
    assert told == "the FAISS index lacks d; the same build again adds them"


@pytest.mark.parametrize("option", ["nprobe", "ef", "rescore"])
def test_senseless_options_are_refused(tmp_path: Path, option: str) -> None:
    store, _ = some(tmp_path, "Flat", n=4)
    with pytest.raises(ValueError, match=f"{option} must be at least 1, got 0"):
        store.search(**{option: 0})


def test_an_index_on_disk_follows_what_is_added_removed_and_compacted(tmp_path: Path) -> None:
    draw = np.random.default_rng(3)
    made = [Made(unit(draw.standard_normal((1, 8))), "text", n % 3) for n in range(90)]
    spec = {"kind": "faiss", "factory": "IVF2,Flat", "nprobe": "all"}
    questions = packed([unit(draw.standard_normal((1, 8))) for _ in range(3)], 8)
    store = made_index(tmp_path, made, d=8, store=spec)
    folder = tmp_path / "index"
    for change_ in (lambda: remove(folder, ["1.lines"]), lambda: compact(folder)):
        change_()
        store = open_store(folder)
        check(
            searching(store).search(questions, 10, [Filter()] * 3),
            plainly(store, questions, 10, [Filter()] * 3),
        )
        assert verify(folder) == []
    assert store.n_rows == 60
    (path,) = folder.glob(f"derived/faiss-*/{CHANNEL}.faiss")
    path.unlink()
    (found,) = verify(folder)
    assert "missing" in found.problem


def test_only_options_that_shape_the_index_make_it_anew(tmp_path: Path) -> None:
    draw = np.random.default_rng(3)
    made = [Made(unit(draw.standard_normal((1, 8)))) for _ in range(90)]
    names = []
    for options in ({}, {"nprobe": 1, "rescore": 3}, {"factory": "HNSW8"}):
        spec = {"kind": "faiss", "factory": "IVF2,Flat", **options}
        store = made_index(tmp_path, made, d=8, store=spec)
        assert store.channel(CHANNEL).spec["store"] == spec
        names.append(store.derived(CHANNEL).name)
    assert names[0] == names[1] != names[2]
