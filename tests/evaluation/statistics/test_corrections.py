import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from medrag.evaluation.statistics import benjamini_hochberg, holm

NAN = float("nan")
P_VALUES = st.lists(st.floats(0, 1), min_size=1, max_size=20)


def test_holm_multiplies_each_value_by_how_many_are_left() -> None:
    # 3 * 0.01; 2 * 0.02 = 0.04; 0.03, raised to the one before it
    np.testing.assert_allclose(holm([0.02, 0.01, 0.03]), [0.04, 0.03, 0.04], rtol=1e-12)


def test_benjamini_hochberg_divides_by_the_rank() -> None:
    # 0.04 * 3 / 3; 0.03 * 3 / 2 = 0.045, lowered to the one after it; 0.01 * 3 / 1
    np.testing.assert_allclose(
        benjamini_hochberg([0.04, 0.03, 0.01]), [0.04, 0.04, 0.03], rtol=1e-12
    )


@given(P_VALUES)
def test_benjamini_hochberg_is_as_elsewhere(p_values: list[float]) -> None:
    theirs = stats.false_discovery_control(p_values, method="bh")
    np.testing.assert_allclose(benjamini_hochberg(p_values), theirs, rtol=1e-12)


@given(P_VALUES)
def test_holm_is_as_its_definition_says(p_values: list[float]) -> None:
    n = len(p_values)
    ranked = sorted(p_values)
    for p, adjusted in zip(p_values, holm(p_values), strict=True):
        last = max(row for row, other in enumerate(ranked) if other == p)
        steps = [min((n - row) * ranked[row], 1) for row in range(last + 1)]
        first = [min((n - row) * ranked[row], 1) for row in range(ranked.index(p) + 1)]
        # Equal values share the largest step of theirs, which is the first of them.
        assert adjusted == pytest.approx(max(first))
        assert adjusted == pytest.approx(max(steps))


@given(P_VALUES)
def test_adjusting_never_lowers_and_holm_is_the_stricter(p_values: list[float]) -> None:
    strict, mild = holm(p_values), benjamini_hochberg(p_values)
    assert (strict >= np.array(p_values)).all()
    # Ranks divide and multiply back: one rounding.
    assert (mild >= np.array(p_values) * (1 - 1e-12)).all()
    assert (strict >= mild * (1 - 1e-12)).all()
    assert (strict <= 1).all()


@pytest.mark.parametrize("adjust", [holm, benjamini_hochberg])
def test_what_was_not_compared_does_not_count(adjust: type) -> None:
    np.testing.assert_array_equal(adjust([0.01, NAN, 0.2]), [0.02, NAN, 0.2])
    assert len(adjust([])) == 0


@pytest.mark.parametrize("adjust", [holm, benjamini_hochberg])
def test_what_is_no_p_value_is_refused(adjust: type) -> None:
    with pytest.raises(ValueError, match=r"got 1\.5"):
        adjust([0.5, 1.5])
