"""Radiology reports: tables, JSON lines, and the XML of the Indiana University collection."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from medrag.images.modalities import MODALITIES
from medrag.ingestion.columns import (
    REPORT_COLUMNS,
    REPORT_SECTIONS,
    Columns,
    check_roles,
    resolved_columns,
)
from medrag.ingestion.indiana import indiana_report, is_indiana
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
from medrag.ingestion.reportsections import split_report, written
from medrag.ingestion.sources import file_sha256, source_of
from medrag.records import Corpus, Passage, Skipped, Source, passage_id

_ANY_TEXT = (*REPORT_SECTIONS, "text")
_FIELDS = ("view", "modality")

# Modality as files write it, in lower case, to domain.
MODALITY_DOMAINS: Mapping[str, str] = {
    **{code.lower(): each.domain for code, each in MODALITIES.items() if each.domain is not None},
    **dict.fromkeys(
        ("x-ray", "xray", "x ray", "radiograph", "mri", "ultrasound", "mammography", "pet"),
        "radiology",
    ),
    **dict.fromkeys(("fundus", "fundus photograph"), "ophthalmology"),
    **dict.fromkeys(("histology", "pathology"), "pathology"),
}


class ReportIngestor:
    """Reports with their sections, subject, study, time, view, pictures and licence.

    A row is a passage. Where a study has several rows (one for each picture, with the same text),
    each stays a passage of its own: its picture, view and day differ, and a question about the
    picture must find that very row.

    Args:
        corpus: the corpus of the file.
        key: for the hashes of subject and study (`medrag.identity`).
        columns: role of `REPORT_COLUMNS` to column name, where the documented names do not fit.
        modality_domains: the domain of a modality, in place of `MODALITY_DOMAINS`; a modality that
            is not in it has the domain of the corpus.
    """

    def __init__(
        self,
        *,
        corpus: Corpus,
        key: bytes,
        columns: Columns | None = None,
        modality_domains: Mapping[str, str] | None = None,
    ) -> None:
        check_roles(columns, REPORT_COLUMNS)
        self.corpus = corpus
        self.key = key
        self.columns = columns
        chosen = MODALITY_DOMAINS if modality_domains is None else modality_domains
        self.modality_domains = {name.lower(): domain for name, domain in chosen.items()}

    def passages(self, path: Path) -> Iterator[Passage | Skipped]:
        """Yield the reports of a file.

        Raises:
            InputFileError: if no column holds a report's text, or an XML is damaged or no report.
        """
        if is_indiana(path):
            return iter(indiana_report(self.corpus, path, self.key))
        return self._table(path)

    def _table(self, path: Path) -> Iterator[Passage | Skipped]:
        roles = _report_columns(path, self.columns)
        reader = _Reader(
            corpus=self.corpus,
            key=self.key,
            roles=roles,
            source=source_of(self.corpus, path, sha256=file_sha256(path)),
            pictures=Pictures(corpus=self.corpus, file=path),
            domains=self.modality_domains,
        )
        return read_records(path, reader.source, reader.passages_of)


def _report_columns(path: Path, given: Columns | None) -> dict[str, str]:
    names = column_names(path)
    found = resolved_columns(path, names, REPORT_COLUMNS, given=given)
    if not any(role in found for role in _ANY_TEXT):
        found = resolved_columns(path, names, REPORT_COLUMNS, given=given, needed=("text",))
    return {role: columns[0] for role, columns in found.items()}


@dataclass(frozen=True, slots=True)
class _Reader:
    """What turns the records of one file into passages."""

    corpus: Corpus
    key: bytes
    roles: Mapping[str, str]
    source: Source
    pictures: Pictures
    domains: Mapping[str, str]

    def passages_of(self, record: Record) -> Iterable[Passage | Skipped]:
        sections = self._sections(record)
        if not sections:
            columns = ", ".join(self.roles[r] for r in _ANY_TEXT if r in self.roles)
            raise BadRecordError(f"no text of a report in {columns}")
        source, odd_time = self._source(record)
        names = texts_of(record, self.roles.get("images"))
        names = [name for each in names for name in _several(each)]
        folder = text_of(record, self.roles.get("folder"))
        found = self.pictures.of(names, folder, source, record.place)
        fields: dict[str, object] = {"sections": sections, "span": record.place}
        for role in _FIELDS:
            if value := text_of(record, self.roles.get(role)):
                fields[role] = value
        if odd_time:
            fields["time"] = odd_time
        if found.images:
            fields["image_paths"] = [image.path for image in found.images]
        if title := " ".join(str(fields[role]) for role in _FIELDS if role in fields):
            fields["title"] = title
        text = written(sections)
        name = passage_id("report", source, text, found.images, place=record.place)
        return [*found.skipped, Passage(name, "report", text, source, found.images, fields)]

    def _sections(self, record: Record) -> dict[str, str]:
        sections: dict[str, str] = {}
        for role in REPORT_SECTIONS:
            if text := text_of(record, self.roles.get(role)):
                sections[role] = text
        # The whole report beside its sections would say everything twice.
        if not sections.keys() & {"findings", "impression"}:
            for name, text in split_report(text_of(record, self.roles.get("text"))).items():
                sections.setdefault(name, text)
        if sections and (diagnosis := text_of(record, self.roles.get("diagnosis"))):
            sections["diagnosis"] = diagnosis
        return sections

    def _source(self, record: Record) -> tuple[Source, str]:
        """Give the record's own source, and its time as written if that is no known form."""
        source = record_source(record, self.roles, self.source, self.key)
        if source.domain is None:
            modality = text_of(record, self.roles.get("modality")).lower()
            source = replace(source, domain=self.domains.get(modality))
        time = text_of(record, self.roles.get("time"))
        return source, time if source.time is None else ""


def _several(names: str) -> list[str]:
    """Cut a cell that lists pictures, separated by "|" or ";"."""
    return [name.strip() for name in names.replace("|", ";").split(";") if name.strip()]
