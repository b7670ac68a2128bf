import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medrag.evaluation.numbers import (
    absolute_errors,
    converted,
    number_measures,
    relative_errors,
    unit_of,
    within_tolerance,
)
from medrag.evaluation.statistics import estimate

LENGTHS = st.sampled_from(["mm", "cm", "m", "in"])


@pytest.mark.parametrize(
    ("value", "unit", "to", "expected"),
    [
        (2.5, "cm", "mm", 25),
        (1, "inch", "cm", 2.54),
        (1500, "cc", "L", 1.5),
        (2, "dl", "cm³", 200),
        (500, "mg", "g", 0.5),
        (0.07, "kg", "grams", 70),
        (250, "mcg", "mg", 0.25),
        (40, "percent", "%", 40),
        (3, "cm^2", "mm²", 300),
    ],
)
def test_units_convert(value: float, unit: str, to: str, expected: float) -> None:
    assert converted(value, unit, to) == pytest.approx(expected)


def test_whole_numbers_stay_whole() -> None:
    assert converted(2.5, "cm", "mm") == 25
    assert converted(7, "mm", "mm") == 7


@given(value=st.floats(-1e6, 1e6), unit=LENGTHS, to=LENGTHS)
def test_there_and_back_is_the_same_number(value: float, unit: str, to: str) -> None:
    assert converted(converted(value, unit, to), to, unit) == pytest.approx(value, rel=1e-12)


@pytest.mark.parametrize(
    ("text", "symbol"),
    [("Centimeters", "cm"), (" mL. ", "ml"), ("inches", "in"), ("ccs", "cc"), ("µg", "ug"),
     ("lbs", "lb"), ("s", "s"), ("degrees", "deg"), ("sq cm", "cm2")],
)  # fmt: skip
def test_a_unit_is_read_as_clinicians_write_it(text: str, symbol: str) -> None:
    assert unit_of(text) == symbol


def test_a_number_without_a_unit_is_taken_as_it_stands() -> None:
    assert converted(5, "", "mm") == 5
    assert converted(5, "cm", " ") == 5


def test_units_of_other_kinds_do_not_convert() -> None:
    with pytest.raises(ValueError, match="unit of length and 'ml' one of volume"):
        converted(5, "cm", "ml")


def test_an_unknown_unit_names_the_known_ones() -> None:
    with pytest.raises(ValueError, match="unknown unit 'furlong'; known are mm, cm"):
        converted(5, "furlong", "cm")


def test_errors_are_of_size_and_of_share() -> None:
    np.testing.assert_allclose(absolute_errors([3, 5, np.nan], [4, 5, 1]), [1, 0, np.nan])
    np.testing.assert_allclose(relative_errors([3, -6], [4, -4]), [1 / 4, 1 / 2])


def test_a_share_of_nothing_has_no_size_unless_nothing_was_said() -> None:
    np.testing.assert_array_equal(relative_errors([0, 1], [0, 0]), [0, np.nan])


def test_the_bound_of_a_tolerance_is_within_it() -> None:
    found = within_tolerance([1.1, 0.9, 1.11], [1, 1, 1], relative=0.1)
    np.testing.assert_array_equal(found, [1, 1, 0])
    np.testing.assert_array_equal(within_tolerance([7, 8], [6, 6], absolute=1), [1, 0])


def test_a_missing_number_is_no_success_but_has_no_error() -> None:
    found = number_measures([10, np.nan, 5], [10, 4, 4])
    clusters = [None] * 3
    # errors 0 and 1 of two items; one success of three
    assert estimate(found["mae"], clusters).value == pytest.approx(1 / 2)
    assert estimate(found["mre"], clusters).value == pytest.approx(1 / 8)
    assert estimate(found["success"], clusters).value == pytest.approx(1 / 3)


def test_an_item_without_a_reference_does_not_count() -> None:
    found = number_measures([10, 3], [10, np.nan])
    assert estimate(found["success"], [None, None]).n == 1


def test_wrong_arguments_are_refused() -> None:
    with pytest.raises(ValueError, match="tolerances"):
        within_tolerance([1], [1], relative=-1)
    with pytest.raises(ValueError, match="equally long"):
        absolute_errors([1], [1, 2])
