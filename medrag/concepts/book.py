"""Concepts with the sentences that they were written from, and the file that keeps them."""

import json
from dataclasses import dataclass
from pathlib import Path

from medrag.codec import record_from_json, to_json
from medrag.errors import InputFileError
from medrag.indexing.durable import write_atomically
from medrag.shapes import ShapeError

FORMAT = 1
_MOST_BYTES = 64 << 20


@dataclass(frozen=True, slots=True)
class Concept:
    """A yes-or-no question that a picture can answer, and where it comes from.

    Attributes:
        question: such as "Is there ground-glass opacity?".
        passage: id of the passage that it was written from; empty for a concept without one.
        document: the document of that passage.
        sentence: of the passage, word by word, that the concept rests on.
        query: what found the passage: a class, or a concept of an earlier round.
        statement, denial: the concept said of a picture, and denied, for encoders of texts.
    """

    question: str
    passage: str = ""
    document: str = ""
    sentence: str = ""
    query: str = ""
    statement: str = ""
    denial: str = ""


@dataclass(frozen=True, slots=True)
class ConceptBook:
    """Concepts, the classes that they are to tell apart, and what is known of both.

    Attributes:
        prior: for each class and each concept 1 (the class shows it), -1 (it does not), or 0 (not
            known), in the order of `classes` and `concepts`; empty where nobody was asked.
        writer: name of the generator that wrote the concepts.
        index: fingerprint of the index that they were written from.
    """

    concepts: tuple[Concept, ...]
    classes: tuple[str, ...] = ()
    prior: tuple[tuple[int, ...], ...] = ()
    writer: str = ""
    index: str = ""


def save_book(book: ConceptBook, path: Path) -> None:
    """Write a book as JSON; the file is whole or untouched."""
    written = {"format": FORMAT, **to_json(book)}
    content = json.dumps(written, ensure_ascii=False, indent=1) + "\n"
    write_atomically(path, content.encode())


def load_book(path: Path) -> ConceptBook:
    """Read what `save_book` wrote.

    Raises:
        InputFileError: if it is not such a file, or its prior does not fit its concepts.
    """
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise InputFileError(path, f"is larger than {_MOST_BYTES} bytes, which no book is")
        spec = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise InputFileError(path, f"cannot be read ({error.strerror})") from error
    except (ValueError, RecursionError) as error:
        raise InputFileError(path, f"is not JSON: {error}") from error
    if not isinstance(spec, dict) or spec.pop("format", None) != FORMAT:
        raise InputFileError(path, f"is no book of concepts of format {FORMAT}; write it anew")
    try:
        book = record_from_json(ConceptBook, spec)
    except ShapeError as error:
        raise InputFileError(path, f"is no book of concepts: {error}") from error
    _check(book, path)
    return book


def _check(book: ConceptBook, path: Path) -> None:
    shape = [len(row) for row in book.prior]
    if shape and shape != [len(book.concepts)] * len(book.classes):
        raise InputFileError(
            path,
            f"its prior has rows of {sorted(set(shape))} numbers, {len(shape)} in all, for "
            f"{len(book.classes)} classes and {len(book.concepts)} concepts",
        )
    if strange := {value for row in book.prior for value in row} - {-1, 0, 1}:
        raise InputFileError(path, f"its prior holds {sorted(strange)}; expected -1, 0 and 1")
    seen: set[str] = set()
    for number, concept in enumerate(book.concepts, start=1):
        if not concept.question.strip():
            raise InputFileError(path, "a concept has no question", place=f"concept {number}")
        if concept.question in seen:
            told = f"{concept.question!r} stands there twice; leave one out"
            raise InputFileError(path, told, place=f"concept {number}")
        seen.add(concept.question)
