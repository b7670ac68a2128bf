"""Dates as files write them, as ISO 8601 texts that compare like the times they name."""

import re
from datetime import date, time

_MONTHS = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september",
    "october", "november", "december",
)  # fmt: skip
_CLOCK = r"(?:[T ,]+(\d{1,2}):(\d{2})(?::(\d{2})(?:\.\d+)?)?\s*(?:Z|[+-]\d{2}:?\d{2})?)?"
_NAME = r"(?P<b>[A-Za-z]{3,9})"
_FORMS = (
    re.compile(rf"(?P<y>\d{{4}})[-/.](?P<m>\d{{1,2}})[-/.](?P<d>\d{{1,2}}){_CLOCK}"),
    re.compile(rf"(?P<d>\d{{1,2}})\.(?P<m>\d{{1,2}})\.(?P<y>\d{{4}}){_CLOCK}"),
    re.compile(r"(?P<y>\d{4})(?P<m>\d{2})(?P<d>\d{2})(?:[T ]?(\d{2})(\d{2})(\d{2})?(?:\.\d+)?)?"),
    re.compile(rf"{_NAME}\.? (?P<d>\d{{1,2}})(?:st|nd|rd|th)?,? (?P<y>\d{{4}}){_CLOCK}"),
    re.compile(rf"(?P<d>\d{{1,2}})[ -]{_NAME}\.?,?[ -](?P<y>\d{{4}}){_CLOCK}"),
    re.compile(r"(?P<y>\d{4})[-/](?P<m>\d{1,2})"),
    re.compile(rf"{_NAME}\.?,? (?P<y>\d{{4}})"),
    re.compile(r"(?P<y>\d{4})(?:\.0)?"),
)  # fmt: skip


def iso_time(text: str) -> str | None:
    """Write a time in ISO 8601, as exactly as the file gives it: "2020", "2020-01", "2020-01-25".

    Knows ISO 8601, DICOM dates and times (20200125, 20200125103000), dates with dots, which put the
    day first (25.01.2020), and English month names ("January 25, 2020", "25 Jan 2020"). A clock
    time follows as "T10:30:00"; a zone is dropped. Dates such as 03/04/2020, whose day and month
    nobody can tell apart, give None, as does whatever else is no date.
    """
    cleaned = re.sub(r"\s+", " ", text.strip())
    for form in _FORMS:
        if match := form.fullmatch(cleaned):
            return _written(match)
    return None


def _written(match: re.Match[str]) -> str | None:
    named = match.groupdict()
    month = _month(named)
    year = int(named["y"])
    if not 1 <= year <= 9999 or month == 0:
        return None
    if month is None:
        return f"{year:04d}"
    if named.get("d") is None:
        return f"{year:04d}-{month:02d}" if 1 <= month <= 12 else None
    try:
        day = date(year, month, int(named["d"])).isoformat()
        clock = _clock(match)
    except ValueError:
        return None
    return day + clock


def _month(named: dict[str, str | None]) -> int | None:
    """Give the month's number, None where the form has none, 0 for a name of no month."""
    if named.get("m") is not None:
        return int(named["m"] or 0)
    name = named.get("b")
    if name is None:
        return None
    starts = [n for n, month in enumerate(_MONTHS, start=1) if month.startswith(name.lower())]
    return starts[0] if len(starts) == 1 else (9 if name.lower() == "sept" else 0)


def _clock(match: re.Match[str]) -> str:
    unnamed = set(range(1, (match.re.groups or 0) + 1)) - set(match.re.groupindex.values())
    parts = [match.group(n) for n in sorted(unnamed)]
    if not parts or parts[0] is None:
        return ""
    hour, minute, second = (int(part) if part else 0 for part in parts)
    return "T" + time(hour, minute, second).isoformat()
