from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from medrag.errors import IndexFormatError
from medrag.indexing import exact
from medrag.indexing.exact import search_exact
from medrag.records import ScoredRow


class Block(NamedTuple):
    rows: NDArray[np.int64]
    lengths: NDArray[np.int32]
    values: NDArray[np.float32]


def test_search_finds_what_a_plain_sort_finds() -> None:
    rng = np.random.default_rng(0)
    blocks, questions, masks = _library(rng, n_blocks=3, d=24)
    for backend in ("numpy", "torch"):
        found = search_exact(blocks, questions, 7, masks, backend=backend)
        assert found == _brute_force(blocks, questions, 7, masks)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    n_blocks=st.integers(0, 4),
    d=st.integers(1, 9),
    k=st.integers(1, 30),
    coarse=st.booleans(),
)
def test_any_library_gives_the_same_ranking_by_every_backend_and_by_brute_force(
    seed: int, n_blocks: int, d: int, k: int, coarse: bool
) -> None:
    rng = np.random.default_rng(seed)
    blocks, questions, masks = _library(rng, n_blocks=n_blocks, d=d, coarse=coarse)
    expected = _brute_force(blocks, questions, k, masks)
    assert search_exact(blocks, questions, k, masks) == expected
    assert search_exact(blocks, questions, k, masks, backend="torch") == expected


def test_pieces_that_bound_memory_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    blocks, questions, masks = _library(rng, n_blocks=2, d=8)
    whole = search_exact(blocks, questions, 9, masks)
    monkeypatch.setattr(exact, "_VALUES_BYTES", 3 * 8 * 4)
    assert search_exact(blocks, questions, 9, masks) == whole


def test_equal_scores_are_ranked_by_ascending_row() -> None:
    values = np.ones((5, 4), dtype=np.float32)
    block = Block(np.array([8, 3, 5, 1, 9]), np.ones(5, np.int32), values)
    mask = np.ones(10, dtype=np.bool_)
    (found,) = search_exact([block], np.ones((1, 4), np.float32), 3, [mask])
    assert [hit.row for hit in found] == [1, 3, 5]


def test_a_passage_counts_with_its_best_vector() -> None:
    # row 0: max(1, -1) = 1; row 1: 0.5
    values = np.array([[1.0], [-1.0], [0.5]], dtype=np.float32)
    block = Block(np.array([0, 1]), np.array([2, 1], np.int32), values)
    mask = np.ones(2, dtype=np.bool_)
    (found,) = search_exact([block], np.ones((1, 1), np.float32), 2, [mask])
    assert found == [ScoredRow(0, 1.0), ScoredRow(1, 0.5)]


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_vector_that_is_not_finite_is_refused(bad: float) -> None:
    values = np.ones((2, 2), dtype=np.float32)
    values[1, 0] = bad
    block = Block(np.array([0, 1]), np.ones(2, np.int32), values)
    mask = [np.ones(2, dtype=np.bool_)]
    with pytest.raises(IndexFormatError, match="row 1 is not finite"):
        search_exact([block], np.ones((1, 2), np.float32), 1, mask)
    with pytest.raises(ValueError, match="question"):
        search_exact([block], np.full((1, 2), bad, np.float32), 1, mask)


def test_senseless_arguments_are_refused() -> None:
    question, mask = np.ones((1, 2), np.float32), np.ones(1, dtype=np.bool_)
    with pytest.raises(ValueError, match="k must"):
        search_exact([], question, 0, [mask])
    with pytest.raises(ValueError, match="one mask each"):
        search_exact([], question, 1, [])
    with pytest.raises(ValueError, match="backend"):
        search_exact([], question, 1, [mask], backend="other")  # type: ignore[arg-type]


def _library(
    rng: np.random.Generator, *, n_blocks: int, d: int, coarse: bool = False
) -> tuple[list[Block], NDArray[np.float32], list[NDArray[np.bool_]]]:
    """Make blocks of vectors; coarse ones hold small whole numbers, so that many scores tie."""
    sizes = rng.integers(0, 30, size=n_blocks)
    n = int(sizes.sum())
    order = rng.permutation(n)
    blocks = []
    for size in sizes:
        rows, order = np.sort(order[:size]), order[size:]
        lengths = rng.integers(1, 4, size=size).astype(np.int32)
        blocks.append(Block(rows, lengths, _values(rng, (int(lengths.sum()), d), coarse)))
    masks = [rng.random(n) < 0.7 for _ in range(3)]
    return blocks, _values(rng, (3, d), coarse), masks


def _values(rng: np.random.Generator, shape: tuple[int, int], coarse: bool) -> Any:
    if coarse:
        return rng.integers(-2, 3, size=shape).astype(np.float32)
    return rng.standard_normal(shape).astype(np.float32)


def _brute_force(
    blocks: list[Block],
    questions: NDArray[np.float32],
    k: int,
    masks: list[NDArray[np.bool_]],
) -> list[list[ScoredRow]]:
    rankings = []
    for question, mask in zip(questions.astype(np.float64), masks, strict=True):
        scored = []
        for block in blocks:
            parts = np.split(block.values.astype(np.float64), np.cumsum(block.lengths)[:-1])
            for row, vectors in zip(block.rows, parts, strict=False):
                if mask[row]:
                    best = max(np.einsum("ij,j->i", vectors, question))
                    scored.append(ScoredRow(int(row), float(np.float32(best))))
        rankings.append(sorted(scored, key=lambda hit: (-hit.score, hit.row))[:k])
    return rankings
