import pytest
from hypothesis import given
from hypothesis import strategies as st

from medrag.language.numerals import with_point


@pytest.mark.parametrize(
    ("written", "language", "value"),
    [
        ("1,234", "en", "1234"),
        ("1,234", "de", "1.234"),
        ("0,234", "en", "0.234"),
        ("2,3", "en", "2.3"),
        ("1,234,567", "de", "1234567"),
        ("1.234,5", "en", "1234.5"),
        ("1,234.5", "de", "1234.5"),
        ("1.234.567", "de", "1234567"),
        ("12\u202f345", "fr", "12345"),
    ],
)
def test_separators_are_told_apart_by_groups_and_language(
    written: str, language: str, value: str
) -> None:
    assert with_point(written, language) == value


@given(st.integers(0, 10**9), st.sampled_from(["en", "de"]))
def test_a_whole_number_without_separators_stays_as_it_is(number: int, language: str) -> None:
    assert with_point(str(number), language) == str(number)
