import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medrag.evaluation.boxes import (
    MatchedPoints,
    accuracy_at_iou,
    average_precision,
    dice,
    iou_matrix,
    matched_ious,
    matched_points,
    mean_iou,
    to_pixels,
)

SIDES = st.integers(0, 8)
BOXES = st.tuples(SIDES, SIDES, SIDES, SIDES).map(
    lambda b: (min(b[0], b[2]), min(b[1], b[3]), max(b[0], b[2]), max(b[1], b[3]))
)
NONE = np.zeros((0, 4))
SQUARE = (0, 0, 2, 2)
SHIFTED = (1, 0, 3, 2)  # shares 2 of 6 with the square
FAR = (10, 10, 12, 12)


def ap(predicted: list[object], reference: list[object], confidence: object = None) -> float:
    statistic = average_precision(predicted, reference, confidence=confidence)  # type: ignore[arg-type]
    return float(statistic.value(np.ones((1, len(predicted))))[0])


def test_iou_is_the_shared_part_of_the_union() -> None:
    found = iou_matrix([SQUARE], [SQUARE, SHIFTED, FAR])
    np.testing.assert_allclose(found, [[1, 2 / 6, 0]])


@given(a=BOXES, b=BOXES)
def test_iou_is_that_of_counted_cells(a: tuple[int, ...], b: tuple[int, ...]) -> None:
    grid = np.zeros((2, 8, 8), dtype=bool)
    for plane, (x0, y0, x1, y1) in zip(grid, (a, b), strict=True):
        plane[y0:y1, x0:x1] = True
    union = (grid[0] | grid[1]).sum()
    expected = (grid[0] & grid[1]).sum() / union if union else 0
    assert iou_matrix([a], [b])[0, 0] == pytest.approx(expected)


def test_iou_in_space_is_of_volumes() -> None:
    # cubes of 8, shifted by 1 along z: 4 of 12
    found = iou_matrix([(0, 0, 0, 2, 2, 2)], [(0, 0, 1, 2, 2, 3)])
    assert found[0, 0] == pytest.approx(4 / 12)


def test_boxes_of_the_plane_and_of_space_do_not_compare() -> None:
    with pytest.raises(ValueError, match="do not compare"):
        iou_matrix([SQUARE], [(0, 0, 0, 1, 1, 1)])


def test_pairs_are_one_to_one_the_best_first() -> None:
    found = matched_ious([SHIFTED, SQUARE], [SQUARE, FAR])
    np.testing.assert_allclose(found, [1, 0])


def test_a_box_too_many_costs_as_much_as_a_missing_one() -> None:
    assert mean_iou([SQUARE, FAR], [SQUARE]) == pytest.approx(1 / 2)
    assert mean_iou([SQUARE], [SQUARE, FAR]) == pytest.approx(1 / 2)


def test_where_nothing_is_only_silence_is_right() -> None:
    assert mean_iou(NONE, NONE) == 1
    assert mean_iou([SQUARE], NONE) == 0
    assert mean_iou([], [SQUARE]) == 0
    assert accuracy_at_iou([], []) == 1


def test_accuracy_counts_boxes_that_reach_the_threshold() -> None:
    half = (0, 0, 1, 2)  # 2 of 4
    assert accuracy_at_iou([half], [SQUARE]) == 1
    assert accuracy_at_iou([SHIFTED], [SQUARE]) == 0
    assert accuracy_at_iou([SHIFTED], [SQUARE], threshold=0.3) == 1


def test_average_precision_is_the_area_under_the_best_precision() -> None:
    # by confidence: hit (1/1, recall 1/2), miss, hit (2/3, recall 1): 1/2 * 1 + 1/2 * 2/3
    found = ap([[SQUARE, FAR, SHIFTED]], [[SQUARE, SHIFTED]], [[0.9, 0.8, 0.7]])
    assert found == pytest.approx(1 / 2 + 1 / 3)


def test_a_second_box_on_the_same_place_is_a_miss() -> None:
    # hit, miss, of two: recall stays at 1/2 with precision 1
    assert ap([[SQUARE, SQUARE]], [[SQUARE, FAR]], [[0.9, 0.8]]) == pytest.approx(1 / 2)


def test_without_confidence_the_order_of_the_answer_counts() -> None:
    # Both first boxes together: one hit of two named; then the second of item 0: 2 of 3.
    # best precision behind: 2/3 at both recalls
    found = ap([[SQUARE, FAR], [FAR]], [[SQUARE, FAR], [SQUARE]])
    assert found == pytest.approx(2 / 3 * 2 / 3)


def test_boxes_of_equal_confidence_do_not_depend_on_their_order() -> None:
    first = ap([[SQUARE], [FAR]], [[SQUARE], [SQUARE]], [[0.5], [0.5]])
    second = ap([[FAR], [SQUARE]], [[SQUARE], [SQUARE]], [[0.5], [0.5]])
    assert first == second == pytest.approx(1 / 2 * 1 / 2)


def test_average_precision_of_a_weighted_item_is_that_of_a_repeated_one() -> None:
    boxes, wanted, sure = [[SQUARE, FAR], [SHIFTED]], [[SQUARE], [SQUARE]], [[0.9, 0.3], [0.6]]
    weighted = average_precision(boxes, wanted, confidence=sure).value(np.array([[2.0, 1.0]]))[0]
    repeated = ap([boxes[0], *boxes], [wanted[0], *wanted], [sure[0], *sure])
    assert weighted == pytest.approx(repeated)


def test_without_any_reference_there_is_no_average_precision() -> None:
    assert np.isnan(ap([[SQUARE]], [NONE]))
    assert np.isnan(ap([], []))
    assert ap([NONE], [[SQUARE]]) == 0


def test_average_precision_is_that_of_scikit_learn_where_each_box_decides_alone() -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    generator = np.random.default_rng(0)
    hits = generator.random(60) < 0.6
    sure = generator.permutation(60) / 60
    found = ap([[SQUARE if hit else FAR] for hit in hits], [[SQUARE]] * 60, [[s] for s in sure])
    # The library neither takes the best later precision nor counts boxes that were missed.
    precision, recall, _ = metrics.precision_recall_curve(hits, sure)
    best = np.maximum.accumulate(precision)
    expected = -np.sum(np.diff(recall) * best[:-1]) * hits.sum() / 60
    assert found == pytest.approx(expected)


@pytest.mark.parametrize(
    ("box", "scale", "layout"),
    [
        ((50, 50, 150, 100), "pixels", "corners"),
        ((50, 50, 100, 50), "pixels", "size"),
        ((0.25, 0.5, 0.75, 1.0), "unit", "corners"),
        ((250, 500, 500, 500), "thousand", "size"),
    ],
)
def test_every_convention_names_the_same_place(
    box: tuple[float, ...], scale: str, layout: str
) -> None:
    found = to_pixels([box], width=200, height=100, scale=scale, layout=layout)  # type: ignore[arg-type]
    np.testing.assert_allclose(found, [[50, 50, 150, 100]])


@pytest.mark.parametrize(
    ("box", "scale", "problem"),
    [
        ((0.2, 0.2, 1.2, 0.5), "unit", "leaves the scale 'unit', from 0 to 1"),
        ((-1, 0, 500, 500), "thousand", "leaves the scale 'thousand'"),
        ((5, 0, 2, 9), "pixels", "inside out"),
        ((0, 0, float("nan"), 9), "pixels", "not finite"),
        ((0, 0, 9), "pixels", "rows of 4 numbers"),
    ],
)
def test_a_box_that_does_not_fit_its_convention_is_refused(
    box: tuple[float, ...], scale: str, problem: str
) -> None:
    with pytest.raises(ValueError, match=problem):
        to_pixels([box], width=100, height=100, scale=scale)  # type: ignore[arg-type]


def test_an_unknown_convention_is_refused() -> None:
    with pytest.raises(ValueError, match="scales are pixels, unit and thousand"):
        to_pixels([SQUARE], width=9, height=9, scale="percent")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="must have a size"):
        to_pixels([SQUARE], width=0, height=9)


def test_no_boxes_convert_to_none() -> None:
    assert to_pixels([], width=9, height=9).shape == (0, 4)


def test_dice_is_twice_the_shared_part() -> None:
    # 1 shared of 2 and 3
    assert dice([1, 1, 0, 0], [1, 0, 1, 1]) == pytest.approx(2 / 5)
    assert dice([0, 0], [0, 0]) == 1
    assert dice([0, 1], [0, 0]) == 0


def test_masks_of_other_shape_are_refused() -> None:
    with pytest.raises(ValueError, match="alike in shape"):
        dice([[1]], [1, 0])


def test_points_pair_one_to_one_within_reach() -> None:
    found = matched_points([(0, 0), (1, 0), (9, 9)], [(0, 1), (50, 50)], reach=2)
    assert found == MatchedPoints(1, 3, 2)
    assert matched_points([], [(0, 0)], reach=2) == MatchedPoints(0, 0, 1)
    assert matched_points([(0, 0), (3, 0)], [(0, 0), (3, 1)], reach=1) == MatchedPoints(2, 2, 2)


def test_a_negative_reach_is_refused() -> None:
    with pytest.raises(ValueError, match="reach"):
        matched_points([(0, 0)], [(0, 0)], reach=-1)
