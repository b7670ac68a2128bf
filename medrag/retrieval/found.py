"""Contexts that another system found, as evidence of this one."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any

from medrag.errors import InputFileError, MedragError
from medrag.protocols import Library
from medrag.records import Filter, Hit, Part, Passage, Question, Retrieved
from medrag.retrieval.checking import check_asked

_IDS = ("question_id", "id", "qid", "img_id")
# RULE's readers look for the singular, and the program before them writes the plural.
_CONTEXTS = ("reference_reports", "reference_report", "reference_condition_changes_reports")
_MOST_BYTES = 1 << 30
_SPACES = re.compile(r"\s+")


class FoundRetriever:
    """Bring the contexts that a file lists for each question, as passages of the index.

    The file is that of MMed-RAG or RULE (JSON or JSON lines: `question_id` or `id`, and
    `reference_reports` or `reference_report`, one text or several, best first), of TemMed-Bench
    (`reference_condition_changes_reports`), or of KG-LLaVA (`{img_id: [triplets]}`). A context is
    looked up among the passages by its text, so that it keeps its source and meets the guard; one
    that the index lacks is left out, and told in the trace. Questions are known by their ids, else
    by their words together with the name of their picture. Hits have no scores of channels, which
    the reader `cases` would ask for.

    Args:
        contexts: the file.

    Raises:
        InputFileError: if it cannot be read, or lists no context at all.

    Source:
        arXiv 2410.13085 (MMed-RAG), 2407.05131 (RULE), 2410.04749 (KG-LLaVA).
    """

    def __init__(self, *, rows: Library, contexts: Path) -> None:
        self.rows = rows
        self.path = contexts
        self.contexts = read_contexts(contexts)
        if not any(self.contexts.values()):
            raise InputFileError(
                contexts, f"lists no context for any of {len(self.contexts)} questions"
            )
        self._rows_of: dict[str, int] | None = None

    def retrieve(
        self, questions: Sequence[Question], k: int, filters: Sequence[Filter]
    ) -> list[list[Hit]]:
        return [list(each.hits) for each in self.retrieve_traced(questions, k, filters)]

    def retrieve_traced(
        self, questions: Sequence[Question], k: int, filters: Sequence[Filter]
    ) -> list[Retrieved]:
        """Give the contexts of each question, at most k, in the order of the file.

        Raises:
            ValueError: if k is below 1, or questions and filters differ in number.
            MedragError: if the file lists contexts for these questions and the index has none.
        """
        check_asked(questions, k, filters)
        listed = [self._listed(question) for question in questions]
        rows = [[self._row(text) for text in texts] for texts in listed]
        if any(listed) and not any(row is not None for each in rows for row in each):
            example = next(text for texts in listed for text in texts)
            raise MedragError(
                f"the index has none of the contexts that {self.path} lists for these questions, "
                f"such as {example[:60]!r}; build it from the reports that they were found in"
            )
        return [
            self._retrieved(texts, found, k, wanted)
            for texts, found, wanted in zip(listed, rows, filters, strict=True)
        ]

    def _retrieved(
        self, texts: Sequence[str], rows: Sequence[int | None], k: int, wanted: Filter
    ) -> Retrieved:
        mask = self.rows.row_mask(wanted)
        known = list(dict.fromkeys(row for row in rows if row is not None))
        kept = [row for row in known if mask[row]][:k]
        hits = [
            Hit(passage, 1.0 / rank, rank, parts={"found": Part(rank, 1.0 / rank)})
            for rank, passage in enumerate(self.rows.passages_at(kept), start=1)
        ]
        step = {
            "step": "found", "listed": len(texts), "in_index": len(known), "kept": len(hits),
        }  # fmt: skip
        return Retrieved(tuple(hits), (step,))

    def _listed(self, question: Question) -> list[str]:
        asked = asked_key(question.text, *(_name(image) for image in question.images[:1]))
        return self.contexts.get(question.id) or self.contexts.get(asked, [])

    def _row(self, text: str) -> int | None:
        if self._rows_of is None:
            wanted = {_key(each) for texts in self.contexts.values() for each in texts}
            self._rows_of = {}
            for row, passage in self.rows.passages_where(Filter()):
                for key in wanted & {_key(each) for each in _texts(passage)}:
                    self._rows_of.setdefault(key, row)
        return self._rows_of.get(_key(text))


def read_contexts(path: Path) -> dict[str, list[str]]:
    """Read which contexts a file lists for each question; those of two lines of one id are joined.

    Raises:
        InputFileError: if the file is no JSON of these forms; names the line.
    """
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise InputFileError(path, f"is larger than {_MOST_BYTES} bytes")
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputFileError(path, f"cannot be read: {error}") from error
    found: dict[str, list[str]] = {}
    for place, record in _records(path, text):
        for name, contexts in _listed(path, place, record):
            found.setdefault(name, []).extend(contexts)
    return found


def _records(path: Path, text: str) -> Iterable[tuple[str, Any]]:
    try:
        whole = json.loads(text)
    except (ValueError, RecursionError):
        whole = None
    if isinstance(whole, list):
        return [(f"record {number}", each) for number, each in enumerate(whole, start=1)]
    if isinstance(whole, dict):
        return [("the object", whole)]
    return [
        (f"line {number}", _line(path, number, line))
        for number, line in enumerate(text.split("\n"), start=1)
        if line.strip()
    ]


def _line(path: Path, number: int, line: str) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError) as error:
        raise InputFileError(path, f"is not JSON: {error}", place=f"line {number}") from error


def _listed(path: Path, place: str, record: Any) -> Iterable[tuple[str, list[str]]]:
    if not isinstance(record, Mapping):
        raise InputFileError(path, "is no object", place=place)
    named = next((name for name in _IDS if record.get(name) is not None), None)
    key = next((key for key in _CONTEXTS if key in record), None)
    if named is None and key is None:
        return [(str(name), _as_texts(path, place, each)) for name, each in record.items()]
    if named is None or key is None:
        lacking = " or ".join(_IDS if named is None else _CONTEXTS)
        raise InputFileError(path, f"has no {lacking}", place=place)
    texts = _as_texts(path, place, record[key])
    words, picture = record.get("question"), record.get("image")
    if not isinstance(words, str) or not isinstance(picture, str | None):
        return [(str(record[named]), texts)]
    return [(str(record[named]), texts), (asked_key(words, _name(picture or "")), texts)]


def asked_key(words: str, picture: str = "") -> str:
    """Name a question by its words and its picture's name; no id looks like it."""
    return f"asked {_key(words)} {_key(picture)}"


def _name(image: object) -> str:
    path = str(getattr(image, "path", image))
    return path.replace("\\", "/").rsplit("/", 1)[-1]


def _as_texts(path: Path, place: str, value: Any) -> list[str]:
    texts = [value] if isinstance(value, str) else [] if value is None else value
    if not isinstance(texts, list) or not all(isinstance(each, str) for each in texts):
        raise InputFileError(path, "its contexts are no text or list of texts", place=place)
    return [text for text in texts if text.strip()]


def _texts(passage: Passage) -> list[str]:
    """List the forms in which others write a passage: its text, its sections, a triplet."""
    fields = passage.fields
    texts = [passage.text]
    sections = fields.get("sections")
    if isinstance(sections, Mapping):
        texts += [" ".join(map(str, sections.values())), *map(str, sections.values())]
    if passage.kind == "fact":
        ends = ", ".join(str(fields.get(name, "")) for name in ("head", "relation", "tail"))
        texts += [ends, f"({ends})"]
    return [text for text in texts if text]


def _key(text: str) -> str:
    plain = _SPACES.sub(" ", text).strip().lower()
    # Half of a pair of UTF-16, which JSON may hold, is no UTF-8.
    return blake2b(plain.encode(errors="surrogatepass"), digest_size=12).hexdigest()
