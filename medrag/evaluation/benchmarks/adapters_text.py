"""Adapters of benchmarks that write options into other columns."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from medrag.evaluation.benchmarks.adapting import Rows, each_row, needed, with_values
from medrag.evaluation.benchmarks.columns import BadRowError
from medrag.ingestion.lines import Record

# "A. text", "(B) text" or "C: text" at the beginning of a line or behind a blank.
_OPTION = re.compile(
    r"(?:^|[\s,;])\(?([A-H])[.):]\s*(.+?)(?=(?:[\s,;]+\(?[A-H][.):]\s)|\Z)", re.DOTALL
)


def medthink(rows: Rows, path: Path) -> Rows:  # noqa: ARG001
    """Tell closed rows (an index into several choices) from open ones (the only choice)."""

    def told(row: Record) -> Iterable[Record]:
        choices = needed(row.values, "choices", list)
        if not choices:
            raise BadRowError("'choices' is empty")
        if len(choices) == 1:
            yield with_values(row, at_choices=None, at_answer=choices[0])
        else:
            yield with_values(row, at_choices=choices, at_answer=_at(choices, row.values))

    return each_row(rows, told)


def options_in_question(rows: Rows, path: Path) -> Rows:  # noqa: ARG001
    """Cut the options out of a question that ends with them, where no column holds them."""

    def cut(row: Record) -> Iterable[Record]:
        if row.values.get("options") or row.values.get("choices"):
            yield row
            return
        asked = _asked(row.values)
        found = {match[1]: match[2].strip(" \n,;") for match in _OPTION.finditer(asked)}
        letters = [chr(65 + n) for n in range(len(found))]
        if len(found) < 2 or list(found) != letters:
            yield with_values(row, at_question=asked)
            return
        first = _OPTION.search(asked)
        text = asked[: first.start()] if first else asked
        yield with_values(row, at_question=_bare(text), at_options=found)

    return each_row(rows, cut)


def _at(choices: list[Any], values: Any) -> Any:
    number = needed(values, "answer", int)
    if not 0 <= number < len(choices):
        raise BadRowError(f"'answer' is {number}, but there are {len(choices)} choices")
    return choices[number]


def _asked(values: Any) -> str:
    if isinstance(values.get("question"), str):
        return str(values["question"])
    turns = values.get("conversations")
    if isinstance(turns, list) and turns and isinstance(turns[0], dict):
        return str(needed(turns[0], "value", str))
    raise BadRowError("neither 'question' nor 'conversations' holds a question")


def _bare(text: str) -> str:
    return re.sub(r"\s*(?:options|choices|answer choices)\s*:?\s*\Z", "", text, flags=re.I).strip()
