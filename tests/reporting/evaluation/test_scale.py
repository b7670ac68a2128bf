import math

from hypothesis import given
from hypothesis import strategies as st

from medrag.reporting.evaluation.scale import Scale, at, scale_of, span


def test_an_axis_of_shares_ends_at_round_numbers() -> None:
    scale = scale_of([0.43, 0.81], "accuracy")
    assert (round(scale.low, 9), round(scale.high, 9)) == (0.4, 0.9)


def test_an_axis_for_bars_of_shares_goes_from_nothing_to_all() -> None:
    scale = scale_of([0.43, 0.51], "accuracy", zero=True, n_ticks=3)
    assert scale == Scale(0.0, 1.0, (0.0, 0.5, 1.0))


def test_shares_that_lie_close_together_are_not_pulled_apart() -> None:
    scale = scale_of([0.999, 1.0], "accuracy")
    assert scale.high - scale.low >= 0.2 - 1e-9
    assert scale.high <= 1 + 1e-9


def test_a_value_outside_sits_on_the_edge() -> None:
    scale = Scale(0.2, 0.6, ())
    assert [at(scale, v) for v in (0.0, 0.3, 0.9)] == ["0.00%", "25.00%", "100.00%"]
    assert span(scale, 0.0, 0.4) == "50.00%"


@given(st.lists(st.floats(), max_size=6), st.sampled_from(["accuracy", "mae"]), st.booleans())
def test_an_axis_has_a_length_and_holds_its_ticks(
    values: list[float], measure: str, zero: bool
) -> None:
    scale = scale_of(values, measure, zero=zero)
    assert scale.low < scale.high
    assert 2 <= len(scale.ticks) <= 20
    assert scale.ticks[0] == scale.low
    assert all(math.isfinite(tick) for tick in scale.ticks)
    assert all(float(at(scale, v).rstrip("%")) <= 100 for v in values if math.isfinite(v))
