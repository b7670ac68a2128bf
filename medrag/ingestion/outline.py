"""A written document as sections under headings, and sections as passages."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from medrag.ingestion.chunking import split
from medrag.ingestion.decoding import printable
from medrag.ingestion.pictures import Pictures
from medrag.ingestion.sources import file_sha256, source_of
from medrag.records import Corpus, Kind, Passage, Skipped, Source, passage_id

_ROWS = 1500  # characters of a table in one passage; a longer one is cut between rows


@dataclass(frozen=True, slots=True)
class Section:
    """Text under one heading, a figure's caption, or a table.

    Attributes:
        titles: the path of headings.
        marks: (character of `text`, line or paragraph of the file that begins there), ascending.
        rows: of a table, in place of `text`; the first is its head.
        picture: of a figure, as the file names it.
        fields: further ones of the passage ("number", "caption").
    """

    titles: tuple[str, ...]
    text: str
    marks: tuple[tuple[int, int], ...] = ()
    kind: Kind = "text"
    rows: tuple[tuple[str, ...], ...] = ()
    picture: str = ""
    fields: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A part of a document that is not worth reading, with its reason code."""

    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class Document:
    """One written document. `unit` is what the marks of its sections count."""

    sections: tuple[Section, ...]
    unit: str
    left_out: tuple[LeftOut, ...] = ()
    doc_id: str = ""
    licence: str | None = None
    time: str | None = None


class Outline:
    """Gather headings, paragraphs, tables and figures in reading order."""

    def __init__(self) -> None:
        self.title = ""
        self.sections: list[Section] = []
        self._path: list[tuple[int, str]] = []
        self._paragraphs: list[tuple[str, int]] = []
        self._place = 0  # in `sections`, of the text that is being gathered

    def heading(self, level: int, title: str) -> None:
        """Begin a section; it ends those of its level and of deeper ones."""
        self.close()
        while self._path and self._path[-1][0] >= level:
            self._path.pop()
        if title := " ".join(printable(title).split()):
            self._path.append((level, title))

    def paragraph(self, text: str, at: int) -> None:
        """Add a paragraph that begins at a line (or paragraph number) of the file."""
        if text := printable(text).strip():
            if not self._paragraphs:
                self._place = len(self.sections)
            self._paragraphs.append((text, at))

    def table(self, rows: Sequence[Sequence[str]], at: int, *, number: str = "",
              caption: str = "") -> None:  # fmt: skip
        """Add a table. One of a single column or row is no table but paragraphs."""
        clean = [tuple(" ".join(printable(cell).split()) for cell in row) for row in rows]
        clean = [row for row in clean if any(row)]
        if len(clean) < 2 or max(map(len, clean)) < 2:
            for text in (caption, *(" ".join(filter(None, row)) for row in clean)):
                self.paragraph(text, at)
            return
        fields = {"number": number, "caption": caption}
        self.sections.append(
            Section(self.titles(), "", ((0, at),), "table", tuple(clean), fields=_filled(fields))
        )

    def figure(self, number: str, caption: str, picture: str, at: int) -> None:
        """Add a figure by its caption, and the picture that the file names."""
        text = " ".join(printable(f"{number} {caption}").split())
        if not text and not picture:
            return
        fields = _filled({"number": number, "caption": caption})
        self.sections.append(
            Section(self.titles(), text, ((0, at),), "figure", picture=picture, fields=fields)
        )

    def close(self) -> None:
        """End the section that is being gathered."""
        text, previous, marks = "", "", []
        for paragraph, at in self._paragraphs:
            if text:
                entries = paragraph.startswith("- ") and previous.startswith("- ")
                text += "\n" if entries else "\n\n"
            previous = paragraph
            marks.append((len(text), at))
            text += paragraph
        if text:
            # A table or figure in its midst follows it, so that the text stays in one piece.
            self.sections.insert(self._place, Section(self.titles(), text, tuple(marks)))
        self._paragraphs = []

    def titles(self) -> tuple[str, ...]:
        path = [title for _, title in self._path]
        return tuple(dict.fromkeys(title for title in (self.title, *path) if title))


def document_passages(
    documents: Sequence[Document], corpus: Corpus, path: Path
) -> Iterator[Passage | Skipped]:
    """Turn the documents of a file into passages, long sections cut at sentence ends."""
    sha256 = file_sha256(path)
    pictures = Pictures(corpus=corpus, file=path)
    for number, document in enumerate(documents, start=1):
        source = source_of(
            corpus, path, sha256=sha256, licence=document.licence, time=document.time
        )
        prefix = f"{document.doc_id or number} " if len(documents) > 1 else ""
        for part in document.left_out:
            yield Skipped(source, part.reason, f"{prefix}{part.detail}")
        for count, section in enumerate(document.sections, start=1):
            place = f"{prefix}section {count}"
            yield from _passages(section, document, source, place, pictures)


def _passages(
    section: Section, document: Document, source: Source, place: str, pictures: Pictures
) -> Iterator[Passage | Skipped]:
    common: dict[str, Any] = dict(section.fields)
    if title := " > ".join(section.titles):
        common["title"] = title
    if document.doc_id:
        common["doc_id"] = document.doc_id
    if section.kind == "table":
        yield from _table(section, document.unit, source, place, common)
    elif section.kind == "figure":
        yield from _figure(section, document.unit, source, place, common, pictures)
    else:
        spans = split(section.text, language=source.language)
        for number, (start, end) in enumerate(spans, start=1):
            text = section.text[start:end]
            here = f"{place} chunk {number}" if len(spans) > 1 else place
            fields = {**common, "span": _span(section, document.unit, start, end)}
            name = passage_id("text", source, text, place=here)
            yield Passage(name, "text", text, source, fields=fields)


def _figure(
    section: Section,
    unit: str,
    source: Source,
    place: str,
    common: Mapping[str, Any],
    pictures: Pictures,
) -> Iterator[Passage | Skipped]:
    """A figure with its picture; its caption alone is a text, and without either there is none."""
    names = [section.picture] if section.picture else []
    found = pictures.of(names, "", source, place)
    yield from found.skipped
    fields = {**common, "span": _span(section, unit, 0, len(section.text))}
    kind: Kind = "figure" if found.images else "text"
    if section.text or found.images:
        name = passage_id(kind, source, section.text, found.images, place=place)
        yield Passage(name, kind, section.text, source, found.images, fields)


def _table(
    section: Section, unit: str, source: Source, place: str, common: Mapping[str, Any]
) -> Iterator[Passage]:
    heading = " ".join(filter(None, (common.get("number"), common.get("caption"))))
    groups = list(_row_groups(section.rows))
    for number, rows in enumerate(groups, start=1):
        lines = [heading, *(" | ".join(row) for row in rows)]
        text = "\n".join(line for line in lines if line)
        here = f"{place} rows {number}" if len(groups) > 1 else place
        fields = {**common, "rows": [list(row) for row in rows], "span": _span(section, unit, 0, 0)}
        yield Passage(passage_id("table", source, text, place=here), "table", text, source,
                      fields=fields)  # fmt: skip


def _row_groups(rows: Sequence[tuple[str, ...]]) -> Iterator[list[tuple[str, ...]]]:
    """Cut a long table between rows; each part begins with the head."""
    head, group, size = rows[0], [rows[0]], 0
    for row in rows[1:]:
        length = sum(map(len, row))
        if size and size + length > _ROWS:
            yield group
            group, size = [head], 0
        group.append(row)
        size += length
    yield group


def _span(section: Section, unit: str, start: int, end: int) -> str:
    """Say which lines or paragraphs of the file text[start:end] stands in."""
    if not section.marks:
        return ""
    first = last = section.marks[0][1]
    for (character, at), (following, _) in pairwise((*section.marks, (len(section.text) + 1, 0))):
        if following <= start:
            continue
        if character <= start:
            first = at
        if character < max(end, 1):
            last = at
    return f"{unit} {first}" if first == last else f"{unit}s {first}-{last}"


def _filled(fields: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in fields.items() if value}
