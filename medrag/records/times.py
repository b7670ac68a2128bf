"""Which of two times, written more or less exactly, is certainly the earlier one."""

import re
from datetime import date, time

# Zones are dropped, as they are where files are read.
_TIME = re.compile(
    r"(\d{4})(?:-(\d\d)(?:-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?"
    r"(?:Z|[+-]\d\d:?\d\d)?)?)?)?",
    re.ASCII,
)
_FRACTION = 9
_DAY = 3


def earlier(one: str | None, other: str | None, *, by_day: bool = False) -> bool:
    """Tell whether a time is certainly before another, as exactly as both are written.

    "2020-05-03" is not certainly before "2020-05-03T10:00", nor the other way round: the first may
    be any hour of that day. What is no ISO 8601 time is before nothing, and nothing is before it.

    Args:
        by_day: leave the hours out, so that two times of one day are equal.
    """
    first, second = time_parts(one), time_parts(other)
    n = min(len(first), len(second), *((_DAY,) if by_day else ()))
    return first[:n] < second[:n]


def time_parts(written: str | None) -> tuple[int, ...]:
    """Read year, month, day, hour, minute, second and billionths, as many as a time gives.

    Returns:
        Of two times, the tuple of a certainly earlier one is the smaller; empty for what is no
        ISO 8601 time ("2020", "2020-05", "2020-05-03", "2020-05-03T10:00:30").
    """
    found = _TIME.fullmatch((written or "").strip())
    if found is None:
        return ()
    parts = tuple(int(part) for part in found.groups()[:-1] if part is not None)
    year, month, day = (*parts[:_DAY], 1, 1)[:_DAY]
    hour, minute, second = (*parts[_DAY:], 0, 0, 0)[:3]
    try:
        date(year, month, day)
        time(hour, minute, second)
    except ValueError:
        return ()
    fraction = found.groups()[-1]
    return parts if fraction is None else (*parts, int(fraction.ljust(_FRACTION, "0")))
