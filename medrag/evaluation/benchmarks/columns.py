"""Values of a row by the name of a column, in the forms that benchmarks use."""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

from medrag.ingestion.decoding import printable

Row = Mapping[str, Any]

# Characters of a text that a card's pattern is tried on; see `benchmarks.patterns`.
LONGEST_MATCHED = 1_000
_LONGEST_DECIMAL = 80  # digits; Parquet has up to 76
_ABSENT = object()


class BadRowError(Exception):
    """A row that cannot become an item. The message says which column, and what it held."""


@dataclass(frozen=True, slots=True)
class Column:
    """Where a value stands in a row.

    Attributes:
        parts: each a tuple of alternative names, of which the first that the row has counts; a dot
            steps into an object or a list ("conversations.0.value"). Several parts are joined
            by ":".
        match: what to keep of the text: the first group, or all that is matched.
        text: the value where the parts give none; without parts the same for every row.
    """

    parts: tuple[tuple[str, ...], ...] = ()
    match: re.Pattern[str] | None = None
    text: str | None = None


def value_of(row: Row, column: Column) -> Any:
    """Give the raw value; None where the row has none, or an empty one.

    Raises:
        BadRowError: if parts that are joined hold lists or objects, or a text is too long to be
            matched.
    """
    value = _value(row, column) if column.parts else None
    return column.text if value is None else value


def _value(row: Row, column: Column) -> Any:
    if len(column.parts) == 1 and column.match is None:
        return _first(row, column.parts[0])
    texts = [text_of(_first(row, names), " | ".join(names)) for names in column.parts]
    joined = ":".join(texts) if all(texts) else None
    if joined is None or column.match is None:
        return joined
    found = found_in(joined, column.match, shown(column))
    return None if found is None else found.group(1 if column.match.groups else 0)


def found_in(text: str, pattern: re.Pattern[str], name: str) -> re.Match[str] | None:
    """Search a text by a card's pattern; `name` is its column.

    Raises:
        BadRowError: if the text is longer than `LONGEST_MATCHED`.
    """
    if len(text) > LONGEST_MATCHED:
        raise BadRowError(
            f"{name!r} holds {len(text):,} characters; a card's pattern is tried on texts of up to "
            f"{LONGEST_MATCHED:,}"
        )
    return pattern.search(text)


def text_at(row: Row, column: Column | None) -> str:
    """Give the value as text, "" where there is none.

    Raises:
        BadRowError: if it is a list or an object.
    """
    return "" if column is None else text_of(value_of(row, column), column)


def texts_at(row: Row, column: Column | None) -> tuple[str, ...]:
    """Give a text, or a list of texts, as texts without the empty ones.

    Raises:
        BadRowError: if it is an object, or a list of other things.
    """
    if column is None:
        return ()
    value = value_of(row, column)
    values = value if isinstance(value, list | tuple) else [value]
    return tuple(text for each in values if (text := text_of(each, column)))


def text_of(value: Any, name: str | Column) -> str:
    """Write a value as one text without control characters and outer blanks.

    A whole number that a table made a fraction ("2.0") is written as whole, a date as ISO 8601;
    what stands for "absent" (None, NaN) is "".

    Raises:
        BadRowError: if it is a list, an object or bytes; `name` is its column.
    """
    if isinstance(value, str):
        text = printable(value).strip()
        return "" if len(text) == 3 and text.lower() == "nan" else text
    if is_null(value):
        return ""
    if isinstance(value, date | datetime | time):
        return value.isoformat()
    if isinstance(value, Decimal):
        return _decimal(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else repr(value)
    if isinstance(value, int):
        return _whole(value, name)
    where = name if isinstance(name, str) else shown(name)
    raise BadRowError(f"{where!r} holds {_kind(value)}, expected a text")


def is_null(value: Any) -> bool:
    """Tell what stands for "absent": None, NaN, a blank text, or "nan" as tables write it."""
    if isinstance(value, str):
        text = value.strip()
        return not text or (len(text) == 3 and text.lower() == "nan")
    if isinstance(value, Decimal):
        return value.is_nan()
    return value is None or (isinstance(value, float) and math.isnan(value))


def json_value(value: Any) -> Any:
    """Give what JSON can hold of a value; None where it can hold nothing of it.

    Dates become ISO 8601, a decimal fraction a number (a text where a number would round it),
    bytes the text that they are. NaN, infinity and other bytes are absent.
    """
    if isinstance(value, list | tuple):
        return [json_value(each) for each in value]
    if isinstance(value, dict):
        return {printable(str(key)): json_value(each) for key, each in value.items()}
    if isinstance(value, int):
        return value if value.bit_length() < 10_000 else None
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Decimal):
        return _json_number(value)
    if isinstance(value, bytes | bytearray):
        value = _decoded(bytes(value))
    if is_null(value):
        return None
    return text_of(value if _is_written(value) else str(value), "") or None


def said(value: Any) -> str:
    """Show a value in a message, at most 40 characters of it, as the file has it."""
    if value is None:
        return "nothing"
    if isinstance(value, bytes | bytearray):
        return f"{len(value)} bytes"
    try:
        text = json.dumps(json_value(value), ensure_ascii=False)
    except (ValueError, RecursionError):
        return "what cannot be written"
    return text if len(text) <= 40 else text[:40] + "..."


def has(row: Row, column: Column) -> bool:
    """Tell whether the row has the columns, be they empty or not, or needs none."""
    return column.text is not None or all(
        any(_look_up(row, name) is not _ABSENT for name in names) for names in column.parts
    )


def shown(column: Column) -> str:
    """Name a column for a message."""
    return " : ".join(" | ".join(names) for names in column.parts) or repr(column.text)


def _first(row: Row, names: tuple[str, ...]) -> Any:
    for name in names:
        value = _look_up(row, name)
        if value is not _ABSENT and not is_null(value):
            return value
    return None


def _look_up(row: Any, name: str) -> Any:
    if isinstance(row, dict) and name in row:
        return row[name]
    head, dot, rest = name.partition(".")
    if not dot:
        return _step(row, name)
    return _look_up(_step(row, head), rest)


def _step(value: Any, name: str) -> Any:
    if isinstance(value, dict):
        return value.get(name, _ABSENT)
    if isinstance(value, list | tuple) and name.isdecimal() and len(name) < 6:
        return value[int(name)] if int(name) < len(value) else _ABSENT
    return _ABSENT


def _is_written(value: Any) -> bool:
    return isinstance(value, str | date | datetime | time)


def _decoded(value: bytes) -> str | None:
    try:
        text = value.decode("utf-8")
    except UnicodeDecodeError:
        return None
    return text if printable(text) == text else None


def _decimal(value: Decimal) -> str:
    if not value.is_finite() or abs(value.adjusted()) > _LONGEST_DECIMAL:
        return str(value)
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def _json_number(value: Decimal) -> Any:
    if not value.is_finite():
        return None
    text = _decimal(value)
    if text.lstrip("-").isdecimal():
        return int(text)
    number = float(text)
    return number if math.isfinite(number) and Decimal(repr(number)) == value else text


def _whole(value: int, name: str | Column) -> str:
    try:
        return str(value)
    except ValueError as error:  # more digits than Python writes
        raise BadRowError(f"{name!r} holds a number of too many digits") from error


def _kind(value: Any) -> str:
    kinds = ((dict, "an object"), (list, "a list"), (tuple, "a list"), (bytes, "bytes"))
    return next((words for kind, words in kinds if isinstance(value, kind)), said(value))
