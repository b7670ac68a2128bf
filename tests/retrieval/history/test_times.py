"""Times of differing precision; a slow reading by intervals is the judge."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from medrag.records.times import earlier, time_parts

PATTERNS = ("%Y", "%Y-%m", "%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S")
MOMENTS = st.datetimes(datetime(2019, 11, 1), datetime(2021, 2, 1))  # noqa: DTZ001 - of no zone
WRITTEN = st.tuples(MOMENTS, st.sampled_from(PATTERNS)).map(lambda pair: pair[0].strftime(pair[1]))


def bounds(written: str) -> tuple[datetime, datetime]:
    """Give the first moment that a time may mean, and the first after it."""
    pattern = next(p for p in PATTERNS if len(datetime(2020, 1, 1).strftime(p)) == len(written))  # noqa: DTZ001
    start = datetime.strptime(written, pattern).replace(tzinfo=UTC)
    if pattern == "%Y":
        return start, start.replace(year=start.year + 1)
    if pattern == "%Y-%m":
        return start, (start + timedelta(days=32)).replace(day=1)
    unit = {10: timedelta(days=1), 16: timedelta(minutes=1), 19: timedelta(seconds=1)}
    return start, start + unit[len(written)]


@given(WRITTEN, WRITTEN)
def test_a_time_is_earlier_if_it_ends_before_the_other_begins(one: str, other: str) -> None:
    assert earlier(one, other) == (bounds(one)[1] <= bounds(other)[0])


@given(WRITTEN, WRITTEN)
def test_of_two_times_at_most_one_is_earlier_and_none_before_itself(one: str, other: str) -> None:
    assert not (earlier(one, other) and earlier(other, one))
    assert not earlier(one, one)


@given(WRITTEN, WRITTEN)
def test_an_earlier_time_has_the_smaller_parts(one: str, other: str) -> None:
    assume(earlier(one, other))
    assert time_parts(one) < time_parts(other)


@given(WRITTEN, WRITTEN)
def test_by_day_no_two_times_of_one_day_differ(one: str, other: str) -> None:
    assert earlier(one, other, by_day=True) == earlier(one[:10], other[:10])


@pytest.mark.parametrize(
    ("one", "other", "is_earlier"),
    [
        ("2020", "2020-05", False),
        ("2020-05-03", "2020-05-03T10:00", False),
        ("2020-05-03T10:00", "2020-05-03", False),
        ("2020-05-03T10:00", "2020-05-03T10:00:30", False),
        ("2020-05-03T10:00:00.25", "2020-05-03T10:00:00.5", True),
        ("2020-05-02 23:59", "2020-05-03T00:00", True),
        ("2020-05-03T09:00+02:00", "2020-05-03T10:00Z", True),
        ("2019", "2020-01-01", True),
        (None, "2020", False),
        ("2020", None, False),
        ("", "2020", False),
    ],
)
def test_times_of_differing_precision(one: str | None, other: str | None, is_earlier: bool) -> None:
    assert earlier(one, other) == is_earlier


@pytest.mark.parametrize(
    "odd",
    ["03/04/2020", "20200503", "2020-13", "2021-02-29", "2020-05-03T25:00", "May 2020", "١٩٩٩"],
)
def test_what_is_no_time_is_before_nothing_and_nothing_is_before_it(odd: str) -> None:
    assert time_parts(odd) == ()
    assert not earlier(odd, "2999")
    assert not earlier("1000", odd)
