import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medrag.retrieval.scaling import check_scaling, mean_of_scaled

LACKS = np.nan
NUMBERS = st.floats(-1e6, 1e6) | st.just(LACKS)


def test_the_lowest_score_is_a_tenth_and_what_is_lacking_is_nothing() -> None:
    scores = np.array([[3.0, 1.0, LACKS], [LACKS, 5.0, 5.0]])
    found = mean_of_scaled(scores, weights=[3, 1], scaling="min_max")
    # First 1, 0.1, 0; second 0, 1, 1, as equal scores are the highest.
    np.testing.assert_allclose(found, [0.75, 0.075 + 0.25, 0.25], rtol=1e-12)


def test_deviations_are_shifted_by_two_and_never_below_what_is_lacking() -> None:
    # Mean 2, deviation sqrt(2/3): 3 lies sqrt(3/2) above; equal scores lie at their mean.
    scores = np.array([[3.0, 2.0, 1.0, LACKS], [7.0, 7.0, LACKS, LACKS]])
    found = mean_of_scaled(scores, weights=[1, 1], scaling="z")
    up = np.sqrt(1.5)
    np.testing.assert_allclose(found, [(2 + up + 2) / 2, 2, (2 - up) / 2, 0], rtol=1e-12)
    # One of 26 that is five deviations below the others counts as little as one that is lacking.
    far = np.array([[0.0, *[1.0] * 25]])
    assert mean_of_scaled(far, weights=[1], scaling="z")[0] == 0


@given(
    st.lists(st.lists(NUMBERS, min_size=4, max_size=4), min_size=1, max_size=3),
    st.floats(0.5, 9),
    st.floats(-100, 100),
)
def test_a_scale_of_its_own_changes_no_order(
    rows: list[list[float]], factor: float, shift: float
) -> None:
    scores = np.round(np.array(rows), 3)
    weights = np.arange(1.0, len(rows) + 1)
    for scaling in ("min_max", "z"):
        found = mean_of_scaled(scores, weights=weights, scaling=scaling)  # type: ignore[arg-type]
        moved = mean_of_scaled(
            scores * factor + shift,
            weights=weights,
            scaling=scaling,  # type: ignore[arg-type]
        )
        assert np.isfinite(found).all()
        assert (found >= 0).all()
        np.testing.assert_allclose(found, moved, atol=1e-5)


@pytest.mark.parametrize("weights", [[0, 0], [1], [-1, 2]])
@pytest.mark.parametrize("scaling", ["min_max", "z"])
def test_weights_that_make_no_mean_are_refused(weights: list[float], scaling: str) -> None:
    with pytest.raises(ValueError, match="weights"):
        mean_of_scaled(np.ones((2, 3)), weights=weights, scaling=scaling)  # type: ignore[arg-type]


def test_an_unknown_scaling_is_refused() -> None:
    with pytest.raises(ValueError, match="scaling must be 'min_max' or 'z', got 'log'"):
        check_scaling("log")
