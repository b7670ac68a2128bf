import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medrag.retrieval.fusion import (
    reciprocal_rank_fusion,
    share_of_best_fusion,
    weighted_sum_fusion,
)

RANKS = st.lists(
    st.permutations(range(8)).map(lambda order: [place + 1 if place < 5 else 0 for place in order]),
    min_size=1,
    max_size=4,
).map(np.array)


def test_a_ranking_that_lacks_a_passage_adds_nothing_to_it() -> None:
    # first passage: 1/61 + 1/62; second: 1/62 + 0
    fused = reciprocal_rank_fusion(np.array([[1, 2], [2, 0]]).T)
    np.testing.assert_allclose(fused, [1 / 61 + 1 / 62, 1 / 62], rtol=1e-12)


def test_a_weight_scales_what_its_ranking_adds() -> None:
    # twice the share of rank 1, half that of rank 3
    fused = reciprocal_rank_fusion(np.array([[1], [3]]), weights=[2, 0.5])
    np.testing.assert_allclose(fused, [2 / 61 + 0.5 / 63], rtol=1e-12)


@given(RANKS)
def test_the_order_of_rankings_does_not_matter(ranks: np.ndarray) -> None:
    np.testing.assert_allclose(
        reciprocal_rank_fusion(ranks), reciprocal_rank_fusion(ranks[::-1]), rtol=1e-12
    )


@given(RANKS)
def test_a_fused_score_stays_below_its_bound(ranks: np.ndarray) -> None:
    fused = reciprocal_rank_fusion(ranks, c=10)
    assert (fused >= 0).all()
    assert (fused <= len(ranks) / 11 + 1e-12).all()


@pytest.mark.parametrize("c", [0, -1])
def test_a_damping_that_is_not_positive_is_refused(c: float) -> None:
    with pytest.raises(ValueError, match="c must be positive"):
        reciprocal_rank_fusion(np.array([[1]]), c=c)


@pytest.mark.parametrize("weights", [[1], [1, -1], [1, float("nan")]])
def test_weights_that_do_not_fit_are_refused(weights: list[float]) -> None:
    with pytest.raises(ValueError, match="weights"):
        reciprocal_rank_fusion(np.array([[1], [2]]), weights=weights)


def test_scores_of_each_ranking_are_scaled_to_one_before_they_are_averaged() -> None:
    # first ranking: 1, 0.55 (halfway from 0.1), 0.1; second: missing (0), and two that tie (1).
    scores = np.array([[30.0, 20.0, 10.0], [np.nan, 0.7, 0.7]])
    np.testing.assert_allclose(weighted_sum_fusion(scores), [0.5, 0.775, 0.55])
    # weights 3 and 1: (3 * 1 + 0) / 4, (3 * 0.55 + 1) / 4, (3 * 0.1 + 1) / 4
    np.testing.assert_allclose(weighted_sum_fusion(scores, weights=[3, 1]), [0.75, 0.6625, 0.325])


@given(
    st.lists(st.lists(st.floats(-1e3, 1e3), min_size=4, max_size=4), min_size=1, max_size=3),
    st.floats(0.1, 100),
    st.floats(-50, 50),
)
def test_a_channel_may_have_any_scale_and_origin(
    rows: list[list[float]], scale: float, origin: float
) -> None:
    # Rounded, so that shifting cannot make equal scores out of different ones.
    scores = np.round(np.array(rows), 3)
    np.testing.assert_allclose(
        weighted_sum_fusion(scores * scale + origin), weighted_sum_fusion(scores), atol=1e-6
    )


def test_the_last_of_a_ranking_stands_above_what_the_ranking_lacks() -> None:
    fused = weighted_sum_fusion(np.array([[3.0, 1.0, np.nan]]))
    np.testing.assert_allclose(fused, [1, 0.1, 0])


def test_no_ranking_fuses_to_nothing() -> None:
    assert reciprocal_rank_fusion(np.zeros((0, 3), dtype=np.int64)).tolist() == [0, 0, 0]
    assert weighted_sum_fusion(np.zeros((0, 3))).tolist() == [0, 0, 0]


def test_weights_that_are_all_zero_cannot_be_averaged() -> None:
    with pytest.raises(ValueError, match="not all be 0"):
        weighted_sum_fusion(np.ones((1, 3)), weights=[0])


def test_shares_of_the_best_keep_how_close_scores_lie() -> None:
    # 10, 5 and 0.9, 0.8: shares 1, 0.5 and 1, 0.8889, halved by two rankings
    fused = share_of_best_fusion(np.array([[10.0, 5.0], [0.8, 0.9]]))
    np.testing.assert_allclose(fused, [(1 + 0.8 / 0.9) / 2, (0.5 + 1) / 2], rtol=1e-12)


def test_a_passage_that_a_ranking_lacks_lies_below_the_last_by_half_of_its_fall() -> None:
    # 10 to 8: 8 - 2 / 2 = 7; 10 to 3: 3 - 7 / 2 is below 0
    near = share_of_best_fusion(np.array([[10.0, 8.0, np.nan]]))
    np.testing.assert_allclose(near, [1, 0.8, 0.7], rtol=1e-12)
    far = share_of_best_fusion(np.array([[10.0, 3.0, np.nan]]))
    np.testing.assert_allclose(far, [1, 0.3, 0], rtol=1e-12)


def test_scores_that_do_not_start_at_zero_are_scaled_between_lowest_and_best() -> None:
    # -6 to -2: 0.5 and 0 beside 1; what lacks cannot be below the last
    fused = share_of_best_fusion(np.array([[-2.0, -4.0, -6.0, np.nan]]))
    np.testing.assert_allclose(fused, [1, 0.5, 0, 0], rtol=1e-12)
    np.testing.assert_allclose(share_of_best_fusion(np.array([[-2.0, -2.0]])), [1, 1], rtol=1e-12)


def test_rankings_without_a_share_are_told_apart_from_errors() -> None:
    assert share_of_best_fusion(np.zeros((0, 3))).tolist() == [0, 0, 0]
    assert share_of_best_fusion(np.full((1, 2), np.nan)).tolist() == [0, 0]
    with pytest.raises(ValueError, match="weights must not all be 0"):
        share_of_best_fusion(np.ones((1, 2)), weights=[0])


SCORES = st.lists(
    st.lists(st.one_of(st.just(np.nan), st.floats(-9, 9)), min_size=4, max_size=4),
    min_size=1,
    max_size=3,
).map(np.array)


@given(SCORES)
def test_shares_lie_between_nought_and_one_and_keep_each_ranking_in_order(
    scores: np.ndarray,
) -> None:
    fused = share_of_best_fusion(scores)
    assert ((fused >= 0) & (fused <= 1 + 1e-12)).all()
    alone = share_of_best_fusion(scores[:1])
    found = ~np.isnan(scores[0])
    for a, b in zip(*np.triu_indices(4, 1), strict=True):
        if found[a] and found[b] and scores[0][a] > scores[0][b]:
            assert alone[a] >= alone[b]
