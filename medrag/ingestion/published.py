"""Files of published systems whose rows are no plain reports: pairs of images, dropped columns.

What reads as it is needs nothing here: the training files of MMed-RAG and RULE for radiology and
pathology are reports and captions, the chunks of MedRAG are texts.
"""

import csv
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from medrag.errors import InputFileError
from medrag.identity import pseudonym
from medrag.ingestion.lines import (
    BadRecordError,
    Record,
    column_names,
    read_records,
    text_of,
    texts_of,
)
from medrag.ingestion.pictures import Pictures
from medrag.ingestion.recordsources import subject_and_study
from medrag.ingestion.reportsections import split_report, written
from medrag.ingestion.sources import file_sha256, source_of
from medrag.ingestion.times import iso_time
from medrag.records import Corpus, ImageRef, Passage, Skipped, Source, passage_id

Format = Literal["harvard_fairvlmed", "mmxu", "temmed"]
_CHANGES = ("condition_change", "reference_condition_changes_report", "change_report", "report")


class PublishedIngestor:
    """Reports of Harvard-FairVLMed, MMXU (development file) and TemMed-Bench.

    Of Harvard-FairVLMed the summary is read, as MMed-RAG does; the note and what describes the
    person (age, race, ...) are left out. Of MMXU each row gives the report of the current and of
    the earlier study, with the sentences of the region asked about in `fields["regions"]`; of
    TemMed-Bench a report of what changed, with the earlier image and the current one in
    this order. Subject and study come from the paths of MIMIC-CXR and CheXpert.

    Args:
        corpus: the corpus of the file.
        key: for the hashes of subject and study (`medrag.identity`).
        times: a table beside the file with `study_id`, `StudyDate` and `StudyTime`, such as the
            metadata of MIMIC-CXR; without it, studies have no time and are no history.

    Source:
        arXiv 2410.13085 (MMed-RAG), 2502.11651 (MMXU) and 2509.25143 (TemMed-Bench).
    """

    def __init__(self, *, corpus: Corpus, key: bytes, times: str | None = None) -> None:
        self.corpus = corpus
        self.key = key
        self.times = times

    def passages(self, path: Path) -> Iterator[Passage | Skipped]:
        """Yield the reports of a file.

        Raises:
            InputFileError: if it has not the columns of one of the formats, or `times` cannot be
                read.
        """
        names = column_names(path)
        form = format_of(names)
        if form is None:
            raise InputFileError(
                path,
                f"has the columns {', '.join(names[:8])}; expected those of Harvard-FairVLMed "
                "(filename, gpt4_summary), of the development file of MMXU (cur_image_path, "
                "prior_image_path, cur_report) or of TemMed-Bench (image_path, "
                "historical_image_path, a report of the change)",
            )
        reader = _Reader(
            key=self.key,
            source=source_of(self.corpus, path, sha256=file_sha256(path)),
            pictures=Pictures(corpus=self.corpus, file=path),
            times=_times(path.parent / self.times) if self.times else {},
        )
        read: Mapping[Format, Callable[[Record], Iterable[Passage | Skipped]]] = {
            "harvard_fairvlmed": reader.of_fundus,
            "mmxu": reader.of_two_studies,
            "temmed": reader.of_change,
        }
        return read_records(path, reader.source, read[form])


def format_of(names: Sequence[str]) -> Format | None:
    """Tell a format by the names of its columns; None for any other file."""
    held = set(names)
    if {"filename", "gpt4_summary"} <= held:
        return "harvard_fairvlmed"
    if {"cur_image_path", "prior_image_path", "cur_report"} <= held:
        return "mmxu"
    if {"image_path", "historical_image_path"} <= held and held & set(_CHANGES):
        return "temmed"
    return None


@dataclass(frozen=True, slots=True)
class _Reader:
    key: bytes
    source: Source
    pictures: Pictures
    times: Mapping[str, str]

    def of_fundus(self, record: Record) -> Iterable[Passage | Skipped]:
        text = _needed(record, "gpt4_summary")
        name = text_of(record, "filename") or text_of(record, "image_path")
        source = replace(self.source, domain=self.source.domain or "ophthalmology")
        place = record.place
        found = self.pictures.of([name] if name else [], "", source, place)
        fields = {"sections": {"report": text}, "span": place}
        return [*found.skipped, _report(source, text, found.images, fields, place)]

    def of_two_studies(self, record: Record) -> Iterable[Passage | Skipped]:
        made: list[Passage | Skipped] = []
        region = text_of(record, "related_region_name")
        for side in ("prior", "cur"):
            text = text_of(record, f"{side}_report")
            if not text:
                continue
            paths = texts_of(record, f"{side}_image_path")
            source = self._of_patient(paths)
            found = self.pictures.of(paths, "", source, record.place)
            sections = split_report(text)
            fields: dict[str, object] = {"sections": sections, "span": record.place}
            said = texts_of(record, f"{side}_region_report")
            if region and said:
                fields["regions"] = {region: said}
            place = f"{record.place}, {side}"
            passage = _report(source, written(sections), found.images, fields, place)
            made += [*found.skipped, passage]
        if not made:
            raise BadRecordError("neither cur_report nor prior_report says anything")
        return made

    def of_change(self, record: Record) -> Iterable[Passage | Skipped]:
        text = next((said for name in _CHANGES if (said := text_of(record, name))), "")
        if not text:
            raise BadRecordError(f"no report of the change in {', '.join(_CHANGES)}")
        earlier, current = (
            _needed(record, name) for name in ("historical_image_path", "image_path")
        )
        source = self._of_patient([current])
        found = self.pictures.of([earlier, current], "", source, record.place)
        fields = {
            "sections": {"change": text},
            "span": record.place,
            "pair": len(found.images) == 2,
        }
        return [*found.skipped, _report(source, text, found.images, fields, record.place)]

    def _of_patient(self, paths: Sequence[str]) -> Source:
        known = next((each for path in paths if (each := subject_and_study(path))), None)
        if known is None:
            return self.source
        subject, study = known
        return replace(
            self.source,
            subject=pseudonym(subject, self.key),
            study=pseudonym(study, self.key),
            time=self.times.get(study),
        )


def _report(
    source: Source,
    text: str,
    images: tuple[ImageRef, ...],
    fields: Mapping[str, object],
    place: str,
) -> Passage:
    named = dict(fields)
    if images:
        named["image_paths"] = [image.path for image in images]
    return Passage(
        passage_id("report", source, text, images, place=place), "report", text, source, images,
        named,
    )  # fmt: skip


def _needed(record: Record, column: str) -> str:
    text = text_of(record, column)
    if not text:
        raise BadRecordError(f"no {column!r}")
    return text


def _times(path: Path) -> dict[str, str]:
    """Read when each study was, from a table such as the metadata of MIMIC-CXR."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.DictReader(file)
            missing = {"study_id", "StudyDate"} - set(rows.fieldnames or ())
            if missing:
                raise InputFileError(path, f"lacks the columns {', '.join(sorted(missing))}")
            return dict(filter(None, (_time(row) for row in rows)))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputFileError(path, f"cannot be read as a table of times: {error}") from error


def _time(row: Mapping[str, str | None]) -> tuple[str, str] | None:
    day = (row["StudyDate"] or "").strip()
    # Seconds with a fraction, and without leading zeros: 85500.25 is 08:55:00.
    clock = (row.get("StudyTime") or "").partition(".")[0].strip()
    written_out = f"{day}{clock.zfill(6)}" if clock.isdigit() else day
    time = iso_time(written_out) or iso_time(day)
    return (str(row["study_id"]).strip(), time) if time else None
