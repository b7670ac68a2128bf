import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medrag.evaluation.scores import Estimate
from medrag.reporting.evaluation.numbers import (
    counted,
    in_percent,
    number,
    points,
    seconds,
    size,
    with_interval,
)


def test_a_share_is_shown_in_percent_with_its_interval() -> None:
    assert with_interval(Estimate(0.542, 0.481, 0.603, 9), "accuracy") == "54.2 [48.1, 60.3]"


def test_what_could_not_be_computed_is_a_dash() -> None:
    assert with_interval(Estimate(math.nan), "accuracy") == "–"


def test_a_value_without_an_interval_stands_alone() -> None:
    assert with_interval(Estimate(0.5, n=1), "accuracy") == "50.0"


@pytest.mark.parametrize("measure", ["ece", "brier", "count_mae", "relative_error", "mean_boxes"])
def test_what_is_no_share_is_shown_as_it_is(measure: str) -> None:
    assert not in_percent(measure)
    assert number(0.0834, measure) == "0.083"
    assert number(12.3456, measure) == "12.35"


@pytest.mark.parametrize("measure", ["accuracy", "macro_f1", "open_recall", "ndcg@10", "BLEU-4"])
def test_what_is_a_share_is_shown_in_percent(measure: str) -> None:
    assert in_percent(measure)


def test_what_rounds_to_nothing_has_no_sign() -> None:
    assert number(-0.0001, "accuracy") == "0.0"
    assert number(-0.002, "accuracy") == "−0.2"


def test_a_difference_is_told_in_points() -> None:
    assert points(Estimate(0.061, 0.02, 0.103, 9), signed=True) == "+6.1 points [2.0, 10.3]"
    assert points(Estimate(0.01)) == "1.0 point"


def test_one_is_not_several() -> None:
    assert counted(1, "item") == "1 item"
    assert counted(1204, "item") == "1,204 items"


def test_times_and_sizes_have_a_unit_that_suits_them() -> None:
    assert [seconds(v) for v in (3e-4, 0.031, 1.42, 600)] == ["300 µs", "31 ms", "1.42 s", "10 min"]
    assert [size(v) for v in (0, 999, 1_310_000_000)] == ["0 B", "999 B", "1.31 GB"]


@given(st.floats(), st.sampled_from(["accuracy", "ece"]))
def test_any_number_can_be_shown(value: float, measure: str) -> None:
    assert number(value, measure)
    assert seconds(abs(value))
    assert size(value)
