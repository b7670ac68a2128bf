"""Options and reference answers of a row, in every form that benchmarks give them."""

import ast
import json
import re
from collections.abc import Mapping
from typing import Any

from medrag.evaluation.benchmarks.card import Layout, OptionColumns
from medrag.evaluation.benchmarks.columns import (
    BadRowError,
    Column,
    Row,
    is_null,
    said,
    shown,
    text_of,
    texts_at,
    value_of,
)
from medrag.records import AnswerKind

# A letter that stands before an option: "A: ...", " (B) ...", "C. ...", "D) ...".
_LETTER = re.compile(r"^\s*\(?([A-Za-z])\s*[:.)]\s*")
_LETTERS = re.compile(r"^[\s\[({'\"]*[A-Za-z](?:[\s,;/&'\"]*(?:and\s+)?[A-Za-z])*[\s\])}'\".:]*$")
_NUMBER = re.compile(r"^[-+]?(\d+|\d{1,3}(,\d{3})+)(\.\d+)?$")
_YES_NO = re.compile(r"^(yes|no)[.!]?$", re.IGNORECASE)
_LONGEST_LITERAL = 20_000


def options_of(row: Row, spec: OptionColumns | None) -> dict[str, str]:
    """Give letter to text of the options that the row has, blank ones with them.

    A blank one keeps its place, as the right answer may be the number of another. Two options of
    equal text stay two: what is chosen is told by its text, so either of them is right where one
    is.

    Raises:
        BadRowError: if a column holds no options.
    """
    if spec is None:
        return {}
    if spec.values:
        return _lettered(spec.values)
    if len(spec.columns) == 1:
        options = _listed(value_of(row, spec.columns[0]), shown(spec.columns[0]))
    else:
        names = [chr(65 + n) for n in range(len(spec.columns))]
        options = {
            letter: text_of(value_of(row, column), column)
            for letter, column in zip(names, spec.columns, strict=True)
        }
    if spec.strip:
        options = {key: _LETTER.sub("", text, count=1).strip() for key, text in options.items()}
    return options


def filled(options: Mapping[str, str]) -> dict[str, str]:
    """Leave out the blank options."""
    return {letter: text for letter, text in options.items() if text}


def references_of(row: Row, layout: Layout, places: Mapping[str, str]) -> tuple[str, ...]:
    """Give the right answers: of a choice the texts of the right options.

    Args:
        places: options with the blank ones among them.

    Raises:
        BadRowError: if the answer names no option of the row, or a blank one.
    """
    column = layout.columns.get("answer")
    if column is None:
        return ()
    answers = _answers(row, column)
    options = filled(places)
    if not options:
        return answers
    if layout.answer_is == "text":
        return tuple(_option_of_text(answer, options) for answer in answers)
    if layout.answer_is.startswith("index"):
        first = 1 if layout.answer_is == "index_from_1" else 0
        return tuple(_option_of_index(answer, places, first) for answer in answers)
    chosen = [
        text for answer in answers for text in _chosen(answer, options, layout.answer_is == "auto")
    ]
    return tuple(dict.fromkeys(chosen))


def kind_of(
    row: Row, layout: Layout, references: tuple[str, ...], options: Mapping[str, str]
) -> AnswerKind:
    """Tell the form of the right answer; see KINDS of `medrag.evaluation.benchmarks.card`.

    Raises:
        BadRowError: if the column that says it holds an unknown word.
    """
    kind = layout.kind
    if not isinstance(kind, str):
        column, kinds = kind
        word = text_of(value_of(row, column), column).lower()
        if word not in kinds:
            raise BadRowError(f"{shown(column)!r} says {word!r}, expected {', '.join(kinds)}")
        kind = kinds[word]
    if kind == "auto" and options:
        return "choice"
    if kind == "auto" and references and all(_NUMBER.match(each) for each in references):
        return "number"
    if kind in ("open", "auto"):
        return "yes_no" if references and all(map(is_yes_no, references)) else "text"
    return kind  # type: ignore[return-value]


def is_yes_no(reference: str) -> bool:
    """Tell whether a reference is the word yes or no."""
    return bool(_YES_NO.match(reference))


def negated(answer: str) -> str:
    """Read a sentence as "no" if it holds "no" or "not", else as "yes".

    Only the first sentence counts, without commas.

    Source:
        Xia et al., NeurIPS 2024 (CARES), whose scorer is used for the sets of MMed-RAG as well.
    """
    words = answer.split(".")[0].replace(",", "").lower().split()
    return "no" if {"no", "not"} & set(words) else "yes"


def _answers(row: Row, column: Column) -> tuple[str, ...]:
    value = value_of(row, column)
    if isinstance(value, dict):
        raise BadRowError(f"{shown(column)!r} holds an object, expected an answer")
    if isinstance(value, str) and value.lstrip().startswith("["):
        listed = _literal(value)
        if isinstance(listed, list):
            return tuple(text for each in listed if (text := text_of(each, column)))
    return texts_at(row, column)


def _listed(value: Any, name: str) -> dict[str, str]:
    """Read options from a list, an object, or a text that holds either."""
    if isinstance(value, str) and value.lstrip().startswith(("[", "{")):
        value = _literal(value)
    if is_null(value):
        return {}
    if isinstance(value, dict):
        return {str(key).strip().upper(): text_of(each, name) for key, each in value.items()}
    if not isinstance(value, list | tuple):
        raise BadRowError(f"{name!r} holds no list of options: {said(value)}")
    pairs = [_lettered_pair(each) for each in value]
    if pairs and all(pair is not None for pair in pairs):
        return {pair[0]: pair[1] for pair in pairs if pair is not None}
    return _lettered([text_of(each, name) for each in value])


def _lettered(texts: Any) -> dict[str, str]:
    return {chr(65 + n): text for n, text in enumerate(texts)}


def _lettered_pair(value: Any) -> tuple[str, str] | None:
    """Read {"letter": "A", "content": "..."}."""
    if not isinstance(value, dict) or "letter" not in value:
        return None
    text = next((value[key] for key in ("content", "text", "option") if key in value), None)
    return text_of(value["letter"], "letter").upper(), text_of(text, "content")


def _literal(text: str) -> Any:
    """Read a list or an object that a table holds as JSON, or as Python prints it."""
    if len(text) > _LONGEST_LITERAL:
        return text
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        pass
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
        return text


def _chosen(answer: str, options: Mapping[str, str], or_text: bool) -> list[str]:
    """Give the options that letters name ("B", "A, C", "ACD"), or whose text the answer is."""
    if or_text and (found := _by_text(answer, options)) is not None:
        return [found]
    letter = answer.strip("()[]. :'\"").upper()
    if letter in options:
        return [options[letter]]
    letters = re.findall("[A-Za-z]", re.sub(r"\band\b", " ", answer))
    if _LETTERS.match(answer) and all(each.upper() in options for each in letters):
        return [options[each.upper()] for each in letters]
    if (cut := _LETTER.match(answer)) and cut.group(1).upper() in options:
        return [options[cut.group(1).upper()]]
    raise BadRowError(f"the answer {answer[:60]!r} names none of the options {', '.join(options)}")


def _option_of_text(answer: str, options: Mapping[str, str]) -> str:
    if (found := _by_text(answer, options)) is not None:
        return found
    raise BadRowError(f"the answer {answer[:60]!r} is the text of none of the options")


def _by_text(answer: str, options: Mapping[str, str]) -> str | None:
    """Find an option by its text: exactly, else without case, blanks and a letter before it."""
    if answer in options.values():
        return answer
    for plain in (_plain(answer), _plain(_LETTER.sub("", answer, count=1))):
        for text in options.values():
            if plain and _plain(text) == plain:
                return text
    return None


def _plain(text: str) -> str:
    return " ".join(text.casefold().split()).rstrip(".")


def _option_of_index(answer: str, options: Mapping[str, str], first: int) -> str:
    texts = list(options.values())
    place = int(answer) - first if answer.isdecimal() and len(answer) < 4 else -1
    if not 0 <= place < len(texts):
        raise BadRowError(
            f"the answer {answer[:20]!r} is no number from {first} to {len(texts) - 1 + first}"
        )
    if not texts[place]:
        raise BadRowError(f"the answer {answer} is the number of an option that is blank")
    return texts[place]
