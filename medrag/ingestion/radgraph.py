"""Findings of reports as triples: the graphs of RadGraph, and the triplet strings of KG-LLaVA."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from medrag.ingestion.columns import REPORT_COLUMNS, known
from medrag.ingestion.decoding import beginning
from medrag.ingestion.lines import (
    LINE_LIMIT,
    BadLine,
    BadRecordError,
    Record,
    bad_line,
    records,
    text_of,
    texts_of,
)
from medrag.ingestion.pictures import Pictures
from medrag.ingestion.recordsources import record_source, subject_and_study
from medrag.ingestion.reporttriples import (
    NOT,
    RELATIONS,
    Relation,
    Triple,
    graph_triples,
    labelled,
    polarity,
    string_triples,
    told,
)
from medrag.ingestion.sources import file_sha256, source_of
from medrag.records import Corpus, ImageRef, Passage, Skipped, Source, passage_id

_ROLES = {role: REPORT_COLUMNS[role] for role in ("subject", "study", "time", "domain", "licence")}
_IMAGES = {"images": (*REPORT_COLUMNS["images"], "img_path")}
_NAMES = ("report_id", "doc_key", "note_id", "img_id", "id")
_SPLITS = ("split", "data_split")
# The bare numbers by which RadGraph itself calls the reports that it is given.
_POSITION = re.compile(r"\d{1,5}")
_SUFFIX = re.compile(r"\.[A-Za-z0-9]{1,5}$")
_KEY = re.compile(r'[\s,]*("(?:[^"\\]|\\.)*")\s*:\s*')
_CHUNK = 1 << 20


class RadGraphIngestor:
    """One fact per distinct triple of a study, with how sure its report is of both ends.

    Equal triples of several studies stay apart: only so can the guard keep those of a question's
    own patient out. How many studies support one is counted by who retrieves them.

    A triple that the report denies is worded so ("There is no pleural effusion."), and its relation
    begins with "not_". An observation without relations gives (pneumothorax, is, absent).

    Reads the JSON of RadGraph and RadGraph-XL (an object of reports by id, or one report a line;
    of several labellers the first), and lists of {img_id, img_path, split, triplets} as KG-LLaVA's.
    An image's triples belong to its study, whose pictures they all have. Each picture that is there
    is a passage of kind "image" as well, of its subject and study, so that similar ones find it.

    Args:
        corpus: the corpus of the file.
        key: for the hashes of subject and study (`medrag.identity`); both are taken from columns of
            their names, else from ids and paths of the form of MIMIC-CXR or CheXpert.
        relations: to keep; KG-LLaVA keeps suggestive_of alone.
        splits: to keep, such as "train"; all where there is none.

    Raises:
        ValueError: if there is no relation to keep, or an unknown one.

    Source:
        Jain et al., RadGraph, NeurIPS Datasets and Benchmarks 2021; Delbrouck et al., RadGraph-XL,
        ACL Findings 2024; KG-LLaVA, arXiv 2410.04749.
    """

    def __init__(
        self,
        *,
        corpus: Corpus,
        key: bytes,
        relations: tuple[Relation, ...] = RELATIONS,
        splits: tuple[str, ...] = (),
    ) -> None:
        if not relations or set(relations) - set(RELATIONS):
            raise ValueError(f"relations must be some of {RELATIONS}, got {relations}")
        self.corpus = corpus
        self.key = key
        self.relations = frozenset(relations)
        self.splits = frozenset(splits)

    def passages(self, path: Path) -> Iterator[Passage | Skipped]:
        """Yield the facts of a file; what cannot be read of it is skipped, numbered and said.

        Raises:
            InputFileError: if the file cannot be read, is empty, or is a broken JSON array.
        """
        source = source_of(self.corpus, path, sha256=file_sha256(path))
        studies = _Studies(source, self.key, Pictures(corpus=self.corpus, file=path))
        for record in _reports(path):
            if isinstance(record, BadLine):
                yield bad_line(source, record.place, record.problem)
                continue
            try:
                if self.splits and _first(record, _SPLITS) not in self.splits:
                    continue
                if "triplets" in record.values:
                    yield from studies.add(record)
                else:
                    triples = graph_triples(record.values)
                    study = studies.of(record)
                    yield from self._facts(study, triples, record)
                    yield from _pictures(study)
            except BadRecordError as error:
                yield bad_line(source, record.place, str(error))
        for study in studies.gathered.values():
            yield from self._facts(study, study.triples, None)
            yield from _pictures(study)
        yield from studies.skipped
        if studies.n_missing:
            problem = f"{studies.n_missing} pictures that the file names are not beside it"
            yield Skipped(source, "missing_image", problem, count=studies.n_missing)

    def _facts(
        self, study: "_Study", triples: Iterable[Triple], record: Record | None
    ) -> Iterator[Passage]:
        said: set[tuple[str, str, str]] = set()
        split = _first(record, _SPLITS) if record is not None else study.split
        for triple in triples:
            fact = (triple.head.words, triple.relation, triple.tail.words)
            if triple.relation.removeprefix(NOT) not in self.relations or fact in said:
                continue
            said.add(fact)
            place = triple.place or (record.place if record is not None else "")
            text = told(triple)
            fields: dict[str, Any] = {
                "head": fact[0], "relation": fact[1], "tail": fact[2],
                "head_status": triple.head.status, "tail_status": triple.tail.status,
                "polarity": polarity(triple), "head_name": triple.head.name,
                "tail_name": triple.tail.name, "stated": triple.stated, "split": split,
                "span": place,
            }  # fmt: skip
            fields = {name: value for name, value in fields.items() if value}
            name = passage_id(
                "fact", study.source, text, study.images,
                place=f"{study.source.study or place} {' '.join(fact)}",
            )  # fmt: skip
            yield Passage(name, "fact", text, study.source, study.images, fields)


@dataclass(slots=True)
class _Study:
    source: Source
    images: tuple[ImageRef, ...] = ()
    triples: dict[Triple, Triple] = field(default_factory=dict)
    split: str = ""


@dataclass(slots=True)
class _Studies:
    """Studies of a file; those of lists of triplets are gathered, as each image repeats them."""

    source: Source
    key: bytes
    pictures: Pictures
    gathered: dict[str, _Study] = field(default_factory=dict)
    skipped: list[Skipped] = field(default_factory=list)
    n_missing: int = 0

    def of(self, record: Record) -> _Study:
        """Give the study of a record by itself, with the pictures that the record names."""
        named = texts_of(record, known(record.values, _IMAGES).get("images"))
        names = [name for name in named if name != "nan"]
        found = self.pictures.of(names, "", self.source, record.place)
        odd = [each for each in found.skipped if each.reason != "missing_image"]
        self.skipped += odd
        self.n_missing += len(found.skipped) - len(odd)
        return _Study(self._source(record, names), found.images, split=_first(record, _SPLITS))

    def add(self, record: Record) -> Iterator[Skipped]:
        """Add the triples of an image to its study; says how many pieces are no triples."""
        one, given = self.of(record), record.values["triplets"]
        pieces = given if isinstance(given, list) else [given]
        if not all(piece is None or isinstance(piece, str) for piece in pieces):
            raise BadRecordError("'triplets' holds neither a text nor a list of texts")
        study = self.gathered.setdefault(one.source.study or record.place, one)
        study.images = tuple(dict.fromkeys((*study.images, *one.images)))
        n_bad = 0
        for piece in filter(None, pieces):
            triples, bad = string_triples(piece)
            n_bad += bad
            for triple in triples:
                study.triples.setdefault(triple, replace(triple, place=record.place))
        if n_bad:
            problem = f"{n_bad} pieces of 'triplets' are not (head, relation, tail)"
            yield bad_line(one.source, record.place, problem)

    def _source(self, record: Record, images: Sequence[str]) -> Source:
        roles = known(record.values, _ROLES)
        subject, study = _identity([_first(record, _NAMES), *images])
        values = dict(record.values)
        for role, value in (("subject", subject), ("study", study)):
            if value and not text_of(record, roles.get(role)):
                roles[role] = f"{role} of the report"
                values[roles[role]] = value
        return record_source(Record(record.place, values), roles, self.source, self.key)


def _pictures(study: _Study) -> Iterator[Passage]:
    for image in study.images:
        name = passage_id("image", study.source, "", (image,), place=study.source.study or "")
        yield Passage(name, "image", "", study.source, (image,))


def _reports(path: Path) -> Iterator[Record | BadLine]:
    """Give one record per report, whatever the shape of the file."""
    if _is_of_reports(beginning(path)):
        yield from _members(path)
        return
    for record in records(path):
        if isinstance(record, BadLine) or _is_report(record.values):
            yield record
            continue
        for number, (name, value) in enumerate(record.values.items(), start=1):
            if isinstance(value, dict):
                yield Record(f"{record.place}, report {number}", {"report_id": name, **value})
            else:
                yield BadLine(record.place, "holds no report: neither entities nor triplets")
                break


def _is_report(values: Mapping[str, Any]) -> bool:
    return "entities" in values or "triplets" in values or labelled(values) is not None


def _is_of_reports(head: str) -> bool:
    """Tell whether a file is one object of reports by their ids, by its beginning."""
    match = _KEY.match(head, 1) if head.startswith("{") else None
    if match is None or not head.startswith("{", match.end()):
        return False
    line, ended, _ = head.partition("\n")
    try:
        # A line that is whole is one of many, also where its first value is an object.
        return not (ended and isinstance(json.loads(line), dict)) and match[1] != '"entities"'
    except (ValueError, RecursionError):
        return match[1] != '"entities"'


def _members(path: Path) -> Iterator[Record | BadLine]:
    """Read the members of one JSON object in turn, without holding the file.

    What follows a place that is no JSON cannot be told apart, and is one bad line.
    """
    decode_value = json.JSONDecoder().raw_decode
    with path.open(encoding="utf-8-sig", errors="surrogateescape") as file:
        text, at, line, number = file.read(_CHUNK).lstrip(), 1, 1, 0
        while True:
            match = _KEY.match(text, at)
            try:
                value, end = decode_value(text, match.end()) if match else (None, 0)
            except (ValueError, RecursionError):
                end = 0
            if match and end:
                number += 1
                line += text.count("\n", at, match.end())
                place = f"line {line}, report {number}"
                if isinstance(value, dict):
                    yield Record(place, {"report_id": json.loads(match[1]), **value})
                else:
                    yield BadLine(place, f"holds a JSON {type(value).__name__}, expected a report")
                line += text.count("\n", match.end(), end)
                at = end
                continue
            more = file.read(_CHUNK) if len(text) - at < LINE_LIMIT else ""
            if not more:
                if text[at:].strip(" \t\r\n,") != "}":
                    yield BadLine(f"line {line}", "not JSON from here on; the rest was not read")
                return
            text, at = text[at:] + more, 0


def _first(record: Record, names: Sequence[str]) -> str:
    return next((value for name in names if (value := text_of(record, name))), "")


def _identity(names: Sequence[str]) -> tuple[str, str]:
    """Tell subject and study from an id or a path; "" where it tells none."""
    for name in names:
        if found := subject_and_study(name):
            return found
    named = names[0] if names else ""
    return "", "" if _POSITION.fullmatch(named) else _SUFFIX.sub("", named)
