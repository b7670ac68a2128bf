"""Nodes of LlamaIndex, as `medrag.integrations.llama_index.write_corpus` writes them.

One JSON line per node: "text", and where they are known "node_id", "kind", "title", "document",
"regions" (a list of {"page": 7, "box": [x0, y0, x1, y1]}, either may be null), "image" (a file
below the folder), "subject", "study", "time", "domain", "licence", "page_label", and "fields".
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from medrag.ingestion.chunking import split
from medrag.ingestion.lines import BadRecordError, Record, read_records, text_of
from medrag.ingestion.pictures import Pictures
from medrag.ingestion.recordsources import record_source
from medrag.ingestion.sources import file_sha256, source_of
from medrag.records import (
    KINDS,
    Box,
    Corpus,
    ImageRef,
    Kind,
    Passage,
    Region,
    Skipped,
    Source,
    passage_id,
)

# With which the names of such files end.
NODES = ".nodes.jsonl"
_ROLES = {role: role for role in ("subject", "study", "time", "domain", "licence")}
_FIELDS = {"title": "title", "document": "doc_id", "node_id": "node_id", "page_label": "page_label"}
# Without these a passage of the kind says less than its kind promises.
_NEEDED = {
    "case": ("question", "answer"), "fact": ("head", "relation", "tail"), "term": ("name",),
}  # fmt: skip
_PICTURES = frozenset({"page", "figure", "image"})
_TOKENS = 320


class NodesIngestor:
    """One passage per node; a long document that was not cut into nodes is cut at sentence ends.

    A passage is named by its words, its place and its picture, not by the id of its node, which
    readers draw anew each time; that stands in `fields["node_id"]`. The same words at the same
    place count once. Pictures lie below the file's folder.

    Args:
        corpus: the corpus of the file.
        key: for the hashes of subject and study (`medrag.identity`).
    """

    def __init__(self, *, corpus: Corpus, key: bytes) -> None:
        self.corpus = corpus
        self.key = key

    def passages(self, path: Path) -> Iterator[Passage | Skipped]:
        """Yield the passages of a file in order; a bad line is skipped, numbered and said.

        Raises:
            InputFileError: if the file cannot be read.
        """
        reader = _Reader(
            key=self.key,
            source=source_of(self.corpus, path, sha256=file_sha256(path)),
            pictures=Pictures(corpus=self.corpus, file=path),
            seen=set(),
        )
        return read_records(path, reader.source, reader.passages_of)


@dataclass(frozen=True, slots=True)
class _Reader:
    """What turns the records of one file into passages. `seen`: ids of those before."""

    key: bytes
    source: Source
    pictures: Pictures
    seen: set[str]

    def passages_of(self, record: Record) -> list[Passage | Skipped]:
        regions = _regions(record)
        source = record_source(record, _ROLES, self.source, self.key)
        source = replace(source, regions=regions)
        images, notes = self._images(record, source)
        text, fields = text_of(record, "text"), _fields(record)
        if not text and not images:
            if notes:
                return [replace(note, failed=True) for note in notes]
            raise BadRecordError("neither text nor picture")
        kind = _kind(record, fields, images)
        spans = [(0, len(text))]
        if record.values.get("whole") is True and not images:
            spans = split(text, tokens=_TOKENS, overlap=0, language=source.language)
        pieces = [text[start:end] for start, end in spans]
        return [*notes, *(self._passage(kind, piece, source, images, fields) for piece in pieces)]

    def _images(
        self, record: Record, source: Source
    ) -> tuple[tuple[ImageRef, ...], tuple[Skipped, ...]]:
        name = text_of(record, "image")
        found = self.pictures.of([name] if name else [], "", source, record.place)
        return found.images, found.skipped

    def _passage(
        self,
        kind: Kind,
        text: str,
        source: Source,
        images: tuple[ImageRef, ...],
        fields: dict[str, Any],
    ) -> Passage | Skipped:
        document = fields.get("doc_id", "")
        name = passage_id(kind, source, text, images, place=document)
        if name in self.seen:
            return Skipped(source, "duplicate", f"{text[:60]!r} of {document or 'no document'}")
        self.seen.add(name)
        return Passage(name, kind, text, source, images, fields)


def _kind(record: Record, fields: Mapping[str, Any], images: tuple[ImageRef, ...]) -> Kind:
    """Give the kind that a node says, if it has what the kind needs."""
    said = text_of(record, "kind")
    for kind in KINDS:
        if kind == said and all(fields.get(name) for name in _NEEDED.get(kind, ())):
            return kind if images or kind not in _PICTURES else "text"
    if said and said not in KINDS:
        raise BadRecordError(f"the kind {said[:40]!r} is none of {', '.join(KINDS)}")
    return "image" if images else "text"


def _fields(record: Record) -> dict[str, Any]:
    held = record.values.get("fields") or {}
    if not isinstance(held, Mapping):
        raise BadRecordError("'fields' holds no object")
    cells = {field: text_of(record, column) for column, field in _FIELDS.items()}
    return {**held, **{field: text for field, text in cells.items() if text}}


def _regions(record: Record) -> tuple[Region, ...]:
    held = record.values.get("regions") or []
    if not isinstance(held, list):
        raise BadRecordError("'regions' holds no list")
    return tuple(_region(each) for each in held)


def _region(told: Any) -> Region:
    if not isinstance(told, Mapping):
        raise BadRecordError(f"the region {str(told)[:60]!r} is no object with page and box")
    page, box = told.get("page"), told.get("box")
    if page is not None and (type(page) is not int or page < 1):
        raise BadRecordError(f"the page {str(page)[:20]!r} is no whole number from 1")
    return Region(page, None if box is None else _box(box))


def _box(edges: Any) -> Box:
    numbers = edges if isinstance(edges, list) and len(edges) == 4 else ()
    if not numbers or not all(type(edge) in (int, float) for edge in numbers):
        raise BadRecordError(f"the box {str(edges)[:60]} is not [x0, y0, x1, y1]")
    x0, y0, x1, y1 = map(float, numbers)
    if not (x0 < x1 and y0 < y1):
        raise BadRecordError(
            f"the box {str(edges)[:60]} has no area: x0 < x1 and y0 < y1 are meant"
        )
    return (x0, y0, x1, y1)
