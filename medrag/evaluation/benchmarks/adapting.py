"""What every adapter needs: apply a function to readable rows, and keep the broken ones."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from medrag.errors import EvaluationError
from medrag.evaluation.benchmarks.columns import BadRowError, said
from medrag.ingestion.lines import BadLine, Record

Rows = Iterator[Record | BadLine]

_KINDS = {dict: "an object", int: "a whole number", list: "a list", str: "a text"}


def each_row(rows: Rows, change: Callable[[Record], Iterable[Record]]) -> Rows:
    """Change every readable row; one that the function cannot use becomes a `BadLine`."""
    for row in rows:
        if isinstance(row, BadLine):
            yield row
            continue
        try:
            yield from list(change(row))
        except BadRowError as error:
            yield BadLine(row.place, str(error))


def with_values(row: Record, **values: Any) -> Record:
    """Give the row with further or other values; "at_" at the front of a name stands for "@"."""
    named = {name.replace("at_", "@", 1) if name.startswith("at_") else name: value
             for name, value in values.items()}  # fmt: skip
    return Record(row.place, {**row.values, **named})


def read_beside(path: Path) -> Any:
    """Read a small JSON file that the rows refer to.

    Raises:
        EvaluationError: if it cannot be read.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise EvaluationError(
            f"{path} cannot be read ({error.strerror or error}), which the rows refer to"
        ) from error
    except (ValueError, RecursionError) as error:
        raise EvaluationError(f"{path} is no JSON that can be read ({error})") from error


def needed(row: Mapping[str, Any], name: str, kind: type) -> Any:
    """Give a value that must be there and of a kind.

    Raises:
        BadRowError: if it is not.
    """
    value = row.get(name)
    if not isinstance(value, kind) or isinstance(value, bool):
        raise BadRowError(f"{name!r} holds {said(value)}, expected {_KINDS[kind]}")
    return value
