"""The pictures of a benchmark: found in its folder, or written once where its rows hold them."""

import base64
import binascii
import hashlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

from medrag.errors import EvaluationError, UnsafePathError
from medrag.evaluation.benchmarks.card import ImageColumns
from medrag.evaluation.benchmarks.columns import (
    BadRowError,
    Column,
    Row,
    shown,
    text_at,
    text_of,
    value_of,
)
from medrag.images.formats import HEAD, raster_name
from medrag.images.paths import within
from medrag.records import ImageRef

_ENDINGS = {"JPEG": ".jpg", "JPEG2000": ".jp2", "TIFF": ".tif"}
_DATA_URL = re.compile(r"^data:image/[\w.+-]+;base64,")
_SHORTEST_DATA = 60  # characters; a path is rarely that long without a dot or a slash


class MissingImageError(Exception):
    """A row names a picture that is not there."""


class Pictures:
    """Turn the cells of a row into references to picture files.

    A path is looked up once, so that the questions about one picture share its text.
    """

    def __init__(self, *, folder: Path, spec: ImageColumns, extracted: Path | None) -> None:
        self.folder = folder.absolute()
        self.spec = spec
        self.extracted = extracted.absolute() if extracted else None
        self._found: dict[str, str] = {}
        self._names: dict[str, str] = {}

    def of(self, row: Row) -> tuple[ImageRef, ...]:
        """Give the pictures of a row in the order of its columns.

        Raises:
            MissingImageError: if a file is not there.
            BadRowError: if a cell holds no picture, or the row has none but must.
            EvaluationError: if a path leaves the folder, or nothing says where to write pictures.
        """
        axis, index = self._slice(row)
        found = tuple(
            ImageRef(self._file(cell, column), axis=axis, slice=index)
            for column in self.spec.columns
            for cell in _cells(row, column)
        )
        if not found and self.spec.required:
            names = ", ".join(shown(column) for column in self.spec.columns)
            raise BadRowError(f"no picture stands in {names}")
        return found

    def name_of(self, image: ImageRef) -> str:
        """Name a picture as its row does, or by its content where it lay inside the row."""
        return self._names.get(image.path, Path(image.path).name)

    def _slice(self, row: Row) -> tuple[int | None, int | None]:
        if self.spec.axis is None or self.spec.slice is None:
            return None, None
        axis, index = text_at(row, self.spec.axis), text_at(row, self.spec.slice)
        if axis not in ("0", "1", "2") or not index.isdecimal() or len(index) > 5:
            raise BadRowError(f"axis {axis[:20]!r} and slice {index[:20]!r} name no slice")
        return int(axis), int(index)

    def _file(self, cell: Any, column: Column) -> str:
        if isinstance(cell, bytes | bytearray):
            return self._written(bytes(cell), column)
        text = text_of(cell, column)
        if not text:
            raise BadRowError(f"{shown(column)!r} holds no picture")
        if self.spec.encoded != "path" and (self.spec.encoded == "base64" or _is_data(text)):
            return self._written(_decoded(text, column), column)
        if text not in self._found:
            self._found[text] = self._located(text)
            self._names[self._found[text]] = text
        return self._found[text]

    def _located(self, text: str) -> str:
        if text.startswith(("http://", "https://")):
            raise MissingImageError(f"{text} (an address; download the pictures first)")
        for root, place in self._places(text):
            try:
                path = within(root, place)
            except UnsafePathError as error:
                raise EvaluationError(
                    f"a row names the picture {text!r}, which leaves {root}; only pictures below "
                    "the benchmark's folder are read (link a whole folder of pictures, or copy it)"
                ) from error
            try:
                if path.is_file():
                    return str(path)
            except (OSError, ValueError) as error:
                raise BadRowError(f"{text[:60]!r} is no name of a file") from error
        raise MissingImageError(text)

    def _places(self, text: str) -> Iterator[tuple[Path, Path]]:
        """Give a folder that must not be left, and a path in it.

        A folder of pictures that is a link was put there by the user, so what it points to is a
        folder of its own; rows must not leave that one either.
        """
        for folder in self.spec.folders:
            linked = self.folder / folder
            for suffix in self.spec.suffixes:
                if folder != "." and linked.is_symlink():
                    yield linked.resolve(), Path(text + suffix)
                else:
                    yield self.folder, Path(folder) / (text + suffix)

    def _written(self, data: bytes, column: Column) -> str:
        kind = raster_name(data[:HEAD])
        if kind is None:
            raise BadRowError(f"{shown(column)!r} holds {len(data)} bytes that are no picture")
        if self.extracted is None:
            raise EvaluationError(
                f"{self.folder} keeps its pictures inside its tables; say where to write them: "
                "extracted=FOLDER (--extracted FOLDER)"
            )
        digest = hashlib.sha256(data).hexdigest()
        ending = _ENDINGS.get(kind, f".{kind.lower()}")
        path = self.extracted / digest[:2] / f"{digest}{ending}"
        if not path.is_file() or path.stat().st_size != len(data):
            _write(path, data)
        return str(path)


def _write(path: Path, data: bytes) -> None:
    """Write a file that is either whole or not there."""
    unfinished = path.with_name(f".{uuid4().hex}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished.write_bytes(data)
        unfinished.replace(path)
    except OSError as error:
        unfinished.unlink(missing_ok=True)
        raise EvaluationError(f"{path} cannot be written ({error.strerror or error})") from error


def _cells(row: Row, column: Column) -> Iterator[Any]:
    value = value_of(row, column)
    for cell in value if isinstance(value, list | tuple) else [value]:
        # A picture of a Parquet table is {"bytes": ..., "path": ...}, either of which may be null.
        content = (cell.get("bytes") or cell.get("path")) if isinstance(cell, dict) else cell
        if content is not None:
            yield content


def _is_data(text: str) -> bool:
    if _DATA_URL.match(text):
        return True
    return len(text) >= _SHORTEST_DATA and "." not in text[-8:] and " " not in text[:60]


def _decoded(text: str, column: Column) -> bytes:
    try:
        return base64.b64decode(_DATA_URL.sub("", text, count=1), validate=False)
    except (binascii.Error, ValueError) as error:
        raise BadRowError(f"{shown(column)!r} holds broken base64 ({error})") from error
