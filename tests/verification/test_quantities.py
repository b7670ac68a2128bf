"""Numbers with their units."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medrag.verification.quantities import measures

DAY = 86_400.0


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2.3 cm", [(0.023, "length")]),
        ("a 5-mm nodule", [(0.005, "length")]),
        ("2 x 3 x 4 cm", [(0.02, "length"), (0.03, "length"), (0.04, "length")]),
        ("100 µg", [(1e-4, "mass")]),
        ("100 μg", [(1e-4, "mass")]),
        ("1,200 mL", [(1.2, "volume")]),
        ("2,3 cm", [(0.023, "length")]),
        ("8.9 g/dL", [(89.0, "mass/volume")]),
        ("150 x10^9/L", [(150e9, "number/volume")]),
        ("150 × 10⁹/L", [(150e9, "number/volume")]),
        ("twelve days", [(12 * DAY, "time")]),
        ("half an hour", [(1800.0, "time")]),
        ("a 54-year-old man", [(54 * 365.25 * DAY, "age")]),
        ("aged 54 years", [(54 * 365.25 * DAY, "age")]),
        ("twice a day", [(2 / DAY, "frequency")]),
        ("every 8 hours", [(3 / DAY, "frequency")]),
        ("60 beats per minute", [(1.0, "frequency")]),
        ("120/80 mmHg", [(120.0, "pressure"), (80.0, "pressure")]),
        ("101.3 °F", [(38.5, "temperature")]),
        ("20 per cent", [(0.2, "share")]),
        ("half of the patients", [(0.5, "share")]),
        ("three of twelve", [(3.0, "count"), (12.0, "count")]),
        ("in 2015", [(2015.0, "date")]),
        ("grade 2", [(2.0, "grade")]),
        ("segment IV", [(4.0, "segment")]),
        ("stage IIIb", [(3.2, "stage")]),
        # Names, and what counts nothing.
        ("p53, IL-6, Ki-67, COVID-19, T2 and C5", []),
        ("one of the lobes, or one or the other", []),
    ],
)
def test_numbers_are_read_with_their_units(text: str, expected: list[tuple[float, str]]) -> None:
    found = measures(text)
    assert [each.dimension for each in found] == [dimension for _, dimension in expected]
    # Products of decimal fractions: a few units in the last place.
    assert [each.low for each in found] == pytest.approx([value for value, _ in expected])
    assert all(each.low == each.high for each in found)


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("5 to 7 mm", 0.005, 0.007),
        ("5-7 mm", 0.005, 0.007),
        ("5 mm to 7 mm", 0.005, 0.007),
        ("between 5 and 7 mm", 0.005, 0.007),
        ("more than 5 mm", 0.005, math.inf),
        ("≥5 mm", 0.005, math.inf),
        ("up to 5 mm", -math.inf, 0.005),
    ],
)
def test_ranges_and_bounds_are_read(text: str, low: float, high: float) -> None:
    [found] = measures(text)
    assert (found.low, found.high) == pytest.approx((low, high))


@pytest.mark.parametrize(
    ("claim", "evidence", "holds", "opposes"),
    [
        ("23 mm", "2.3 cm", True, False),
        ("1 lb", "0.4536 kg", True, False),
        ("100 mg per day", "100 mg daily", True, False),
        ("12 months", "one year", True, False),
        ("23 mm", "3.2 cm", False, True),
        ("23 mm", "23 g", False, False),
        ("more than 3 cm", "4 cm", True, False),
        ("more than 3 cm", "2 cm", False, True),
        ("3 cm", "more than 2 cm", False, False),
        ("121 mmHg", "120 mmHg", False, True),
        ("in 2012", "in 2018", False, True),
        ("40 years old", "40 years", True, False),
        ("5-7 days", "6 days", False, False),
    ],
)
def test_numbers_of_a_claim_and_its_evidence_agree_or_not(
    claim: str, evidence: str, holds: bool, opposes: bool
) -> None:
    one, other = measures(claim)[-1], measures(evidence)[-1]
    assert (one.holds(other), one.opposes(other)) == (holds, opposes)


@given(st.text(alphabet="0123456789.,-/x ×^%cmgLd²µhoursyetIVgrade betwn<≥"))
def test_any_text_has_measures_in_order_that_hold_themselves(text: str) -> None:
    found = measures(text)
    assert all(0 <= each.start < each.end <= len(text) for each in found)
    assert all(each.low <= each.high and each.holds(each) for each in found)
    assert [each.start for each in found] == sorted(each.start for each in found)


def test_long_runs_of_digits_cost_little() -> None:
    assert len(measures("1 " * 20_000)) == 20_000
    assert measures("9" * 400 + " cm")[0].low == math.inf
