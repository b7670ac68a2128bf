import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from medrag.encoding.page.patches import PatchGrid, tiled_grid
from medrag.encoding.page.similarity import SimilarityMap, boxes, similarities
from medrag.records import Box

PAGE = (0.0, 0.0, 60.0, 80.0)


def map_of(*values: object, frame: Box = PAGE, asked: list[bool] | None = None) -> SimilarityMap:
    grids = np.array(values, dtype=np.float32)
    tokens = tuple(f"t{n}" for n in range(len(grids)))
    return SimilarityMap(tokens, np.array(asked or [True] * len(grids)), grids, frame)


def test_cosines_lie_where_the_patches_do() -> None:
    rng = np.random.default_rng(0)
    grid = tiled_grid(2, 3, 2)
    page = rng.normal(size=(grid.n_tokens, 5)).astype(np.float32)
    page /= np.linalg.norm(page, axis=1, keepdims=True)
    # Tile (1, 2) is the sixth; its patch (0, 1) is its second token: row 2, column 5 of the page.
    token = 5 * 4 + 1
    found = similarities(page[[token]], page, grid)
    assert found.shape == (1, 4, 6)
    assert np.unravel_index(found[0].argmax(), found[0].shape) == (2, 5)
    assert found.max() <= 1


@given(rows=st.integers(1, 4), columns=st.integers(1, 4), side=st.integers(1, 4))
def test_tiles_hold_every_token_once_and_the_overview_comes_last(
    rows: int, columns: int, side: int
) -> None:
    grid = tiled_grid(rows, columns, side)
    assert grid.overview is not None
    assert grid.places.shape == (rows * side, columns * side)
    assert sorted(grid.places.ravel()) == list(range(rows * columns * side * side))
    assert grid.overview.ravel().tolist() == list(range(grid.places.size, grid.n_tokens))
    # A slow way: token by token, in the order of tiles.
    token = 0
    for tile in range(rows * columns):
        for place in range(side * side):
            row = tile // columns * side + place // side
            assert grid.places[row, tile % columns * side + place % side] == token
            token += 1


def test_a_picture_of_one_tile_has_no_overview() -> None:
    assert tiled_grid(0, 0, 3).overview is None
    assert tiled_grid(0, 0, 3).places.shape == (3, 3)


def test_the_best_patch_has_its_box_in_points() -> None:
    # 4 x 3 patches on 60 x 80 points: each 20 x 20; row 2, column 1 begins at (20, 40).
    values = np.zeros((4, 3))
    values[2, 1] = 0.9
    [found] = boxes(map_of(values))
    assert found.box == (20, 40, 40, 60)
    assert found.score == pytest.approx(0.9)


def test_patches_that_touch_are_one_box_and_others_are_boxes_of_their_own() -> None:
    values = np.zeros((4, 3))
    values[0, 0] = values[1, 1] = 0.8  # touch at a corner
    values[3, 2] = 0.9
    assert [found.box for found in boxes(map_of(values))] == [(40, 60, 60, 80), (0, 0, 40, 40)]
    assert len(boxes(map_of(values), at_most=1)) == 1


def test_the_score_is_of_the_region_and_not_of_what_else_lies_in_its_box() -> None:
    # A ring of 0.8 round a patch of 0.7 has a box that holds the patch; share 0.95 leaves it out.
    values = np.full((5, 5), 0.0)
    values[1:4, 1:4] = 0.8
    values[2, 2] = 0.7
    [found] = boxes(map_of(values), share=0.95)
    assert found.score == pytest.approx(0.8)


def test_only_tokens_that_were_asked_count_unless_others_are_named() -> None:
    left, right = np.zeros((1, 2)), np.zeros((1, 2))
    left[0, 0] = right[0, 1] = 0.5
    found = map_of(left, right, asked=[False, True])
    assert boxes(found)[0].box == (30, 0, 60, 80)
    assert boxes(found, tokens=[0])[0].box == (0, 0, 30, 80)


def test_a_page_on_which_nothing_stands_out_has_no_box() -> None:
    assert boxes(map_of(np.full((3, 3), 0.4))) == []


def test_a_part_of_a_page_gives_boxes_on_the_whole() -> None:
    values = np.zeros((2, 2))
    values[1, 1] = 1
    assert boxes(map_of(values, frame=(100, 200, 140, 220)))[0].box == (120, 210, 140, 220)


@given(
    values=st.lists(st.floats(-1, 1, width=32), min_size=12, max_size=12),
    share=st.floats(0.01, 1),
    frame=st.tuples(*[st.floats(0, 50)] * 2, *[st.floats(51, 900)] * 2),
)
def test_boxes_stay_in_the_frame_and_come_best_first(
    values: list[float], share: float, frame: Box
) -> None:
    found = boxes(map_of(np.reshape(values, (3, 4)), frame=frame), share=share, at_most=12)
    for box, _ in found:
        assert frame[0] <= box[0] < box[2] <= frame[2]
        assert frame[1] <= box[1] < box[3] <= frame[3]
    scores = [one.score for one in found]
    assert scores == sorted(scores, reverse=True)
    if found:
        assert scores[0] == pytest.approx(max(values))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"share": 0.0}, "share must be above 0"),
        ({"at_most": 0}, "at_most must be at least 1"),
        ({"tokens": []}, "at least one, got"),
        ({"tokens": [3]}, "indices of the 1 tokens"),
    ],
)
def test_numbers_out_of_range_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        boxes(map_of(np.eye(2)), **options)  # type: ignore[arg-type]


def test_a_map_of_no_asked_token_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        boxes(map_of(np.eye(2), asked=[False]))


def test_a_grid_counts_the_overview() -> None:
    square: NDArray[np.int64] = np.arange(4).reshape(2, 2)
    assert PatchGrid(square).n_tokens == 4
    assert PatchGrid(square, square + 4).n_tokens == 8
