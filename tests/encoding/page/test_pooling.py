import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from medrag.encoding.page.patches import PatchGrid, tiled_grid
from medrag.encoding.page.pooling import check_pooling, pooled_by_likeness, pooled_by_place

D = 8


def unit_rows(n: int, seed: int = 0) -> NDArray[np.float32]:
    rows = np.random.default_rng(seed).normal(size=(n, D)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def grid_of(rows: int, columns: int) -> PatchGrid:
    return PatchGrid(np.arange(rows * columns).reshape(rows, columns))


@given(n=st.integers(1, 40), pool=st.integers(1, 6), seed=st.integers(0, 99))
def test_likeness_keeps_one_unit_row_for_so_many(n: int, pool: int, seed: int) -> None:
    pooled = pooled_by_likeness(unit_rows(n, seed), pool)
    # Random rows are never equal, so that every cluster asked for is there.
    assert pooled.shape == (max(n // pool, 1), D)
    assert pooled.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(pooled, axis=1), 1, atol=1e-5)


def test_likeness_joins_what_is_alike_wherever_it_stands() -> None:
    one, other = np.eye(D, dtype=np.float32)[:2]
    near = np.array([0.99, 0.1411, 0, 0, 0, 0, 0, 0], dtype=np.float32)
    pooled = pooled_by_likeness(np.array([one, other, near, other]), 2)
    assert len(pooled) == 2
    mean = (one + near) / np.linalg.norm(one + near)
    assert sorted((pooled @ mean).round(4).tolist())[1] == 1
    assert sorted((pooled @ other).round(4).tolist())[1] == 1


def test_a_factor_of_one_changes_nothing() -> None:
    values = unit_rows(12)
    np.testing.assert_array_equal(pooled_by_likeness(values, 1), values)
    np.testing.assert_array_equal(pooled_by_place(values, grid_of(3, 4), 1), values)


def slow_blocks(
    values: NDArray[np.float32], places: NDArray[np.int64], height: int, width: int
) -> list[NDArray[np.float64]]:
    """Average block by block, patch by patch."""
    found = []
    for top in range(0, places.shape[0], height):
        for left in range(0, places.shape[1], width):
            block = places[top : top + height, left : left + width].ravel()
            mean = np.mean([values[token].astype(np.float64) for token in block], axis=0)
            found.append(mean / np.linalg.norm(mean))
    return found


# Factor to height and width: the squarest block, wider than high.
BLOCKS = {2: (1, 2), 3: (1, 3), 4: (2, 2), 6: (2, 3), 9: (3, 3), 12: (3, 4)}


@given(
    pool=st.sampled_from(sorted(BLOCKS)),
    rows=st.integers(1, 7),
    columns=st.integers(1, 7),
    seed=st.integers(0, 99),
)
def test_neighbours_become_their_mean(pool: int, rows: int, columns: int, seed: int) -> None:
    values, grid = unit_rows(rows * columns, seed), grid_of(rows, columns)
    expected = slow_blocks(values, grid.places, *BLOCKS[pool])
    np.testing.assert_allclose(pooled_by_place(values, grid, pool), expected, atol=1e-5)


def test_tiles_are_pooled_across_their_seams_and_the_overview_by_itself() -> None:
    # 2 x 1 tiles of 3 x 3 patches and one of all: with blocks of 2 x 2, the middle ones lie on two.
    grid = tiled_grid(2, 1, 3)
    values = unit_rows(grid.n_tokens)
    assert grid.overview is not None
    expected = slow_blocks(values, grid.places, 2, 2) + slow_blocks(values, grid.overview, 2, 2)
    assert len(expected) == 3 * 2 + 2 * 2
    np.testing.assert_allclose(pooled_by_place(values, grid, 4), expected, atol=1e-5)


def test_a_way_of_pooling_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ValueError, match="hierarchical, grid, got 'random'"):
        check_pooling("random", 2)
    with pytest.raises(ValueError, match="pool must be at least 1, got 0"):
        check_pooling("grid", 0)
