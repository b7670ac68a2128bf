"""Pictures with captions: JSON lines or a table that names a picture and says what it shows."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from medrag.errors import InputFileError, UnsafePathError
from medrag.images import identified, within
from medrag.ingestion.columns import CAPTION_COLUMNS, Columns, check_roles, resolved_columns
from medrag.ingestion.lines import (
    BadRecordError,
    Record,
    column_names,
    read_records,
    text_of,
)
from medrag.ingestion.pictures import FOLDERS, Pictures
from medrag.ingestion.recordsources import record_source
from medrag.ingestion.sources import file_sha256, source_of
from medrag.records import Box, Corpus, ImageRef, Passage, Region, Skipped, Source, passage_id

_FIELDS = {"title": "title", "view": "view", "modality": "modality", "id": "doc_id"}


class CaptionsIngestor:
    """One passage of kind "image" per record: the picture, its caption, and its title.

    Pictures lie beside the file or in a subfolder such as `images/`, never outside the file's
    folder; a name that is found in two of these places is a bad line. A record without its picture
    is skipped as failed: a caption alone shows nothing. A record without a caption counts, with
    its title only.

    Args:
        corpus: the corpus of the file.
        key: for the hashes of subject and study (`medrag.identity`).
        columns: role of `CAPTION_COLUMNS` to column name, where the documented names do not fit.
    """

    def __init__(self, *, corpus: Corpus, key: bytes, columns: Columns | None = None) -> None:
        check_roles(columns, CAPTION_COLUMNS)
        self.corpus = corpus
        self.key = key
        self.columns = columns

    def passages(self, path: Path) -> Iterator[Passage | Skipped]:
        """Yield the pictures of a file; a bad line is skipped, numbered and said.

        Raises:
            InputFileError: if no column names the picture, or the file holds no records.
        """
        roles = resolved_columns(
            path, column_names(path), CAPTION_COLUMNS, given=self.columns, needed=("image",)
        )
        reader = _Reader(
            key=self.key,
            folder=path.parent,
            roles={role: columns[0] for role, columns in roles.items()},
            source=source_of(self.corpus, path, sha256=file_sha256(path)),
            pictures=Pictures(corpus=self.corpus, file=path),
        )
        return read_records(path, reader.source, reader.passages_of)


@dataclass(frozen=True, slots=True)
class _Reader:
    """What turns the records of one file into passages."""

    key: bytes
    folder: Path
    roles: Mapping[str, str]
    source: Source
    pictures: Pictures

    def passages_of(self, record: Record) -> list[Passage | Skipped]:
        name, folder = self._cell(record, "image"), self._cell(record, "folder")
        if not name:
            raise BadRecordError(f"no picture in {self.roles['image']!r}")
        if "://" in name:
            raise BadRecordError(f"the picture {name[:80]!r} is an address; download it first")
        self._refuse_two(f"{folder}/{name}" if folder else name)
        source = record_source(record, self.roles, self.source, self.key)
        found = self.pictures.of([name], folder, source, record.place)
        if not found.images:
            return [replace(skipped, failed=True) for skipped in found.skipped]
        image = self._boxed(found.images[0], self._box(record))
        if image.box is not None:
            source = replace(source, regions=(Region(box=image.box),))
        text = self._cell(record, "caption")
        fields = self._fields(record)
        name = passage_id("image", source, text, (image,), place=record.place)
        return [Passage(name, "image", text, source, (image,), fields)]

    def _cell(self, record: Record, role: str) -> str:
        return text_of(record, self.roles.get(role))

    def _refuse_two(self, name: str) -> None:
        """Refuse a name that means two files; a wrong caption would be worse than none."""
        try:
            there = [f for f in FOLDERS if within(self.folder, Path(f) / name).is_file()]
        except (OSError, UnsafePathError):
            return
        if len(there) > 1:
            places = " and in ".join(f"{folder or '.'}/" for folder in there)
            raise BadRecordError(f"the picture {name!r} lies in {places}; say which, by its path")

    def _fields(self, record: Record) -> dict[str, str]:
        cells = {field: self._cell(record, role) for role, field in _FIELDS.items()}
        return {"span": record.place, **{field: text for field, text in cells.items() if text}}

    def _box(self, record: Record) -> Box | None:
        value = record.values.get(self.roles.get("box", ""))
        if value in (None, ""):
            return None
        try:
            edges = json.loads(value) if isinstance(value, str) else value
            x0, y0, x1, y1 = (float(edge) for edge in edges)
        except (TypeError, ValueError) as error:
            raise BadRecordError(
                f"{self.roles['box']!r} holds {value!r}, expected [x0, y0, x1, y1] in pixels"
            ) from error
        return (x0, y0, x1, y1)

    def _boxed(self, image: ImageRef, box: Box | None) -> ImageRef:
        if box is None:
            return image
        whole = self.pictures.corpus.root / image.path
        try:
            part = identified(ImageRef(str(whole), box=box))
        except InputFileError as error:
            raise BadRecordError(str(error)) from error
        return replace(part, path=image.path)
