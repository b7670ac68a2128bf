"""Values of a row by the name of a column, in the forms that benchmarks use."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from medrag.ingestion.decoding import printable

Row = Mapping[str, Any]

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
        BadRowError: if parts that are joined hold lists or objects.
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
    found = column.match.search(joined)
    return None if found is None else found.group(1 if column.match.groups else 0)


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

    A whole number that a table made a fraction ("2.0") is written as whole; what stands for
    "absent" (None, NaN) is "".

    Raises:
        BadRowError: if it is a list, an object or bytes; `name` is its column.
    """
    if isinstance(value, str):
        text = printable(value).strip()
        return "" if len(text) == 3 and text.lower() == "nan" else text
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
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
    return value is None or (isinstance(value, float) and math.isnan(value))


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


def _whole(value: int, name: str | Column) -> str:
    try:
        return str(value)
    except ValueError as error:  # more digits than Python writes
        raise BadRowError(f"{name!r} holds a number of too many digits") from error


def _kind(value: Any) -> str:
    kinds = ((dict, "an object"), (list, "a list"), (tuple, "a list"), (bytes, "bytes"))
    return next((words for kind, words in kinds if isinstance(value, kind)), repr(value)[:40])
