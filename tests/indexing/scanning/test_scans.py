"""Whatever is scanned, the best k are among the candidates."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from medrag.indexing.scanning import int8, plain, products
from medrag.indexing.scanning.bits import BitsScan
from medrag.indexing.scanning.choosing import Scanner
from medrag.indexing.scanning.copies import copied
from medrag.indexing.scanning.device import DeviceScan
from medrag.indexing.scanning.int8 import Int8Scan
from medrag.indexing.scanning.library import Library
from medrag.indexing.scanning.plain import PlainScan
from medrag.indexing.storage import Block
from medrag.records import ScoredRow
from tests.indexing.scanning.naive import KINDS, library, naive, ranked, values

SCANS: dict[str, Callable[[Library], Scanner]] = {
    "float32": PlainScan,
    "int8": lambda held: Int8Scan(held, [copied(each, "int8") for each in held.shelves]),
    "torch float32": lambda held: DeviceScan(held, None, ["cpu"]),
    "torch bfloat16": lambda held: _on_device(held, "bfloat16", ["cpu"]),
    "torch float16": lambda held: _on_device(held, "float16", ["cpu"]),
    "torch int8": lambda held: _on_device(held, "int8", ["cpu"]),
    "two devices": lambda held: _on_device(held, "bfloat16", ["cpu", "cpu"]),
}

CASES = given(
    scan=st.sampled_from(sorted(SCANS)),
    kind=st.sampled_from(KINDS),
    seed=st.integers(0, 2**32 - 1),
    n_blocks=st.integers(0, 4),
    most=st.sampled_from([1, 5, 40, 200]),
    d=st.sampled_from([1, 2, 7, 16, 63, 65, 130]),
    k=st.sampled_from([1, 2, 10, 100, 1000]),
    n_questions=st.sampled_from([1, 2, 8]),
    several=st.booleans(),
    allowed=st.sampled_from([0.0, 0.05, 0.5, 1.0]),
)


@settings(max_examples=200, deadline=None)
@CASES
def test_any_library_gives_the_naive_ranking_by_every_scan(
    scan: str, k: int, kind: str, seed: int, **sizes: int | bool | float
) -> None:
    _check(scan, k, kind, seed, **sizes)


@pytest.mark.slow
@pytest.mark.exhaustive
@settings(max_examples=10_000, deadline=None)
@CASES
def test_ten_thousand_libraries_give_the_naive_ranking(
    scan: str, k: int, kind: str, seed: int, **sizes: int | bool | float
) -> None:
    _check(scan, k, kind, seed, **sizes)


@pytest.mark.parametrize("scan", sorted(SCANS))
@pytest.mark.parametrize("clusters", [0, 40])
@pytest.mark.parametrize("n_questions", [2, 12])
def test_the_top_ten_of_many_vectors_are_the_naive_ones(
    scan: str, clusters: int, n_questions: int
) -> None:
    held, questions = _many(clusters, n_questions)
    found = ranked(SCANS[scan](held), held, questions, 10, np.ones(held.n, dtype=np.bool_))
    assert found == naive([_block(held)], questions, 10, np.ones(held.n, dtype=np.bool_))


@pytest.mark.parametrize("scan", ["int8", "torch bfloat16", "torch float16", "torch int8"])
def test_a_scan_leaves_few_to_score_exactly(scan: str) -> None:
    held, questions = _many(0, 3)
    everything = np.ones(held.n, dtype=np.bool_)
    for places in SCANS[scan](held).candidates(questions, 10, everything):
        assert 10 <= len(places) < 0.05 * held.n


def test_equal_scores_are_ranked_by_ascending_row() -> None:
    block = Block(np.array([8, 3, 5, 1, 9]), np.ones(5, np.int32), np.ones((5, 4), np.float32))
    held, mask = Library([block]), np.ones(10, dtype=np.bool_)
    for make in SCANS.values():
        (found,) = ranked(make(held), held, np.ones((1, 4), np.float32), 3, mask)
        assert [hit.row for hit in found] == [1, 3, 5]


def test_a_passage_counts_with_its_best_vector() -> None:
    # row 0: max(1, -1) = 1; row 1: 0.5
    values = np.array([[1.0], [-1.0], [0.5]], dtype=np.float32)
    held = Library([Block(np.array([0, 1]), np.array([2, 1], np.int32), values)])
    for make in SCANS.values():
        (found,) = ranked(make(held), held, np.ones((1, 1), np.float32), 2, np.ones(2, np.bool_))
        assert found == [ScoredRow(0, 1.0), ScoredRow(1, 0.5)]


def test_signs_find_most_of_the_best_and_score_them_exactly() -> None:
    held, questions = _many(40, 20)
    everything = np.ones(held.n, dtype=np.bool_)
    signs = [copied(each, "bits") for each in held.shelves]
    right = naive([_block(held)], questions, 10, everything)
    recalls = []
    for oversample in (1, 20):
        found = ranked(BitsScan(held, signs, oversample), held, questions, 10, everything)
        both = [{*one} & {*two} for one, two in zip(found, right, strict=True)]
        recalls.append(sum(map(len, both)) / 200)
    assert recalls[1] > max(0.9, recalls[0])


def test_signs_keep_to_the_filter_and_rank_all_where_all_are_candidates() -> None:
    case = library(np.random.default_rng(3), d=70, kind="coarse")
    held = Library(case.blocks)
    scan = BitsScan(held, [copied(each, "bits") for each in held.shelves], 1000)
    found = ranked(scan, held, case.questions, 7, case.mask)
    assert found == naive(case.blocks, case.questions, 7, case.mask)


def _check(scan: str, k: int, kind: str, seed: int, **sizes: int | bool | float) -> None:
    case = library(np.random.default_rng(seed), kind=kind, **sizes)  # type: ignore[arg-type]
    held = Library(case.blocks)
    expected = naive(case.blocks, case.questions, k, case.mask)
    assert ranked(SCANS[scan](held), held, case.questions, k, case.mask) == expected


@pytest.fixture(autouse=True)
def _many_questions_are_multiplied(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let small libraries take the way of large ones, in many small pieces."""
    monkeypatch.setattr(int8, "_WORTH_IMPORT", 0)
    monkeypatch.setattr(int8, "_FEW", 20)
    monkeypatch.setattr(int8, "_TASK_BYTES", 1 << 10)
    monkeypatch.setattr(products, "_PRODUCTS", 1 << 9)
    monkeypatch.setattr(plain, "_VALUES_BYTES", 1 << 9)


def _on_device(held: Library, scan: str, devices: list[str]) -> DeviceScan:
    return DeviceScan(held, [copied(each, scan) for each in held.shelves], devices)  # type: ignore[arg-type]


def _many(clusters: int, n_questions: int) -> tuple[Library, NDArray[np.float32]]:
    """Make 6,000 unit vectors, around as many centres as said if any, and questions like them."""
    rng = np.random.default_rng(5)
    n, d = 6000, 96
    vectors = values(rng, (n, d), "unit")
    if clusters:
        centres = values(rng, (clusters, d), "unit")
        vectors = centres[rng.integers(0, clusters, n)] + 0.4 * vectors
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    questions = vectors[:n_questions] + 0.3 * values(rng, (n_questions, d), "unit")
    block = Block(np.arange(n), np.ones(n, np.int32), vectors.astype(np.float32))
    return Library([block]), questions.astype(np.float32)


def _block(held: Library) -> Block:
    (shelf,) = held.shelves
    return Block(shelf.rows, shelf.lengths, shelf.values)
