"""Cases: a question about a picture with its answer, from VQA-RAD, JSON lines or a table."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from medrag.ingestion.columns import CASE_COLUMNS, Columns, check_roles, resolved_columns
from medrag.ingestion.lines import (
    BadRecordError,
    Record,
    column_names,
    read_records,
    text_of,
    texts_of,
)
from medrag.ingestion.pictures import Pictures
from medrag.ingestion.recordsources import record_source
from medrag.ingestion.sources import file_sha256, source_of
from medrag.records import Corpus, Passage, Skipped, Source, passage_id

_NEEDED = ("question", "answer")
_FIELDS = ("answer_type", "question_type")


class CaseIngestor:
    """Questions with their answers, options, pictures, subject and split.

    The split is that of a column, or for VQA-RAD "test" where `phrase_type` begins with "test_"
    and "train" elsewhere. `columns` gives the column of a role of `CASE_COLUMNS` where the
    documented names do not fit.

    Source:
        Lau et al., A dataset of clinically generated visual questions and answers about radiology
        images, Scientific Data 2018.
    """

    def __init__(self, *, corpus: Corpus, key: bytes, columns: Columns | None = None) -> None:
        check_roles(columns, CASE_COLUMNS)
        self.corpus = corpus
        self.key = key
        self.columns = columns

    def passages(self, path: Path) -> Iterator[Passage | Skipped]:
        """Yield the cases of a file.

        Raises:
            InputFileError: if no column holds the question or the answer, or the file is broken
                as a whole.
        """
        found = resolved_columns(
            path, column_names(path), CASE_COLUMNS, given=self.columns, needed=_NEEDED
        )
        reader = _Reader(
            key=self.key,
            roles={role: columns[0] for role, columns in found.items()},
            source=source_of(self.corpus, path, sha256=file_sha256(path)),
            pictures=Pictures(corpus=self.corpus, file=path),
            seen=set(),
        )
        return read_records(path, reader.source, reader.passages_of)


@dataclass(frozen=True, slots=True)
class _Reader:
    """What turns the records of one file into cases. `seen`: the names of cases that came."""

    key: bytes
    roles: Mapping[str, str]
    source: Source
    pictures: Pictures
    seen: set[str]

    def passages_of(self, record: Record) -> Iterable[Passage | Skipped]:
        question, answer = self._text(record, "question"), self._text(record, "answer")
        if not question or not answer:
            missing = "question" if not question else "answer"
            raise BadRecordError(f"no {missing} in {self.roles[missing]!r}")
        name = self._text(record, "id")
        if name and name in self.seen:
            detail = f"{record.place}: {self.roles['id']} {name!r} came before"
            return [Skipped(self.source, "duplicate", detail)]
        options = _options(record, self.roles.get("options"))
        fields: dict[str, object] = {"question": question, "answer": _full(answer, options)}
        if options:
            fields["options"] = list(options.values())
        self._add_fields(record, fields)
        source = self._source(record)
        names = texts_of(record, self.roles.get("images"))
        found = self.pictures.of(names, self._text(record, "folder"), source, record.place)
        text = f"Question: {question}\nAnswer: {fields['answer']}"
        self.seen.add(name)
        place = f"case {name}" if name else record.place
        case_id = passage_id("case", source, text, found.images, place=place)
        return [*found.skipped, Passage(case_id, "case", text, source, found.images, fields)]

    def _text(self, record: Record, role: str) -> str:
        return text_of(record, self.roles.get(role))

    def _add_fields(self, record: Record, fields: dict[str, object]) -> None:
        for role in _FIELDS:
            if value := self._text(record, role):
                fields[role] = value
        if split := self._split(record):
            fields["split"] = split
        if topic := self._text(record, "topic"):
            fields["title"] = topic
        if name := self._text(record, "id"):
            fields["case_id"] = name
        fields["span"] = record.place

    def _split(self, record: Record) -> str:
        if "split" in self.roles:
            return self._text(record, "split")
        if "phrase_type" not in self.roles:
            return ""
        return "test" if self._text(record, "phrase_type").startswith("test_") else "train"

    def _source(self, record: Record) -> Source:
        source = record_source(record, self.roles, self.source, self.key)
        # A MedPix case is one patient; where nothing else names the subject, its study does.
        return source if source.subject else replace(source, subject=source.study)


def _options(record: Record, column: str | None) -> dict[str, str]:
    """Read the options as letter to text, from a list, an object, or JSON in a cell of a table.

    Raises:
        BadRecordError: if the column holds anything else.
    """
    value = record.values.get(column) if column is not None else None
    if isinstance(value, str) and value.lstrip().startswith(("[", "{")):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError) as error:
            raise BadRecordError(f"{column!r} holds broken JSON") from error
    if value is None or value == "":
        return {}
    if not isinstance(value, dict | list):
        raise BadRecordError(f"{column!r} holds no list of options: {str(value)[:40]!r}")
    # A list has no letters of its own: the first option is A.
    listed = {chr(65 + n): each for n, each in enumerate(value)} if isinstance(value, list) else {}
    options = value if isinstance(value, dict) else listed
    if not all(isinstance(each, str | int | float) for each in options.values()):
        raise BadRecordError(f"{column!r} holds options that are no texts")
    return {key: str(each).strip() for key, each in options.items()}


def _full(answer: str, options: Mapping[str, str]) -> str:
    """Give the text of an answer that only names an option's letter."""
    return options.get(answer, answer)
