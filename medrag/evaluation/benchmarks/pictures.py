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
    is_null,
    said,
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


class OutsideError(Exception):
    """A row names a picture outside of the benchmark's folder. The message says which."""


class Pictures:
    """Turn the cells of a row into references to picture files.

    A path is looked up once, so that the questions about one picture share its text.
    """

    def __init__(self, *, folder: Path, spec: ImageColumns, extracted: Path | None) -> None:
        self.folder = folder.absolute()
        self.spec = spec
        self.extracted = extracted.absolute() if extracted else None
        self._found: dict[tuple[Path, str], str] = {}
        self._names: dict[str, str] = {}
        self._checked: set[Path] = set()

    def of(self, row: Row, beside: Path) -> tuple[ImageRef, ...]:
        """Give the pictures of a row in the order of its columns.

        Args:
            beside: the folder that the row's file lies in. Pictures are looked for in the
                benchmark's folder first, then in this one and those between the two.

        Raises:
            MissingImageError: if a file is not there.
            OutsideError: if a path leaves the folder.
            BadRowError: if a cell holds no picture, or the row has none but must.
            EvaluationError: if a folder of the card is a link out of the benchmark's, a folder
                cannot be read, or nothing says where to write pictures.
        """
        axis, index = self._slice(row)
        found = tuple(
            ImageRef(self._file(cell, column, beside.absolute()), axis=axis, slice=index)
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

    def _file(self, cell: Any, column: Column, beside: Path) -> str:
        if isinstance(cell, bytes | bytearray):
            return self._written(bytes(cell), column)
        text = text_of(cell, column)
        if not text:
            raise BadRowError(f"{shown(column)!r} holds no picture")
        if self.spec.encoded != "path" and (self.spec.encoded == "base64" or _is_data(text)):
            return self._written(_decoded(text, column), column)
        if (beside, text) not in self._found:
            self._found[beside, text] = self._located(text, beside)
            self._names[self._found[beside, text]] = text
        return self._found[beside, text]

    def _located(self, text: str, beside: Path) -> str:
        if text.startswith(("http://", "https://")):
            raise MissingImageError(f"{text} (an address; download the pictures first)")
        outside: Path | None = None
        for root, place in self._places(text, beside):
            try:
                path = within(root, place)
            except UnsafePathError:
                outside = outside or root
                continue
            if _is_file(path):
                return str(path)
        if outside is not None:
            raise OutsideError(
                f"the row names the picture {text!r}, which leaves {outside}; only pictures below "
                "the benchmark's folder are read (link a whole folder of pictures, or copy it)"
            )
        raise MissingImageError(text)

    def _places(self, text: str, beside: Path) -> Iterator[tuple[Path, Path]]:
        """Give a folder that must not be left, and a path in it.

        A folder of pictures that is a link was put there by the user, so what it points to is a
        folder of its own; rows must not leave that one either.
        """
        for base in self._bases(beside):
            for folder in self.spec.folders:
                linked = base / folder
                is_link = folder != "." and linked.is_symlink()
                if not is_link:
                    self._check_folder(linked, folder)
                for suffix in self.spec.suffixes:
                    if is_link:
                        yield linked.resolve(), Path(text + suffix)
                    else:
                        inner = base.relative_to(self.folder)
                        yield self.folder, inner / folder / (text + suffix)

    def _bases(self, beside: Path) -> Iterator[Path]:
        """Give the benchmark's folder, then those from the file's own one up to it."""
        yield self.folder
        if beside.is_relative_to(self.folder):
            for each in (beside, *beside.parents):
                if each == self.folder:
                    return
                yield each

    def _check_folder(self, place: Path, folder: str) -> None:
        if place in self._checked:
            return
        try:
            within(self.folder, place.relative_to(self.folder))
        except UnsafePathError as error:
            raise EvaluationError(
                f"the card looks for pictures in {folder!r}, but {place} leaves {self.folder}; "
                "link the last of these folders itself, or copy it"
            ) from error
        self._checked.add(place)

    def _written(self, data: bytes, column: Column) -> str:
        kind = raster_name(data[:HEAD])
        if kind is None:
            raise BadRowError(f"{shown(column)!r} holds {len(data)} bytes that are no picture")
        if self.extracted is None:
            raise EvaluationError(
                f"{self.folder} keeps its pictures inside its tables; say where to write them "
                "(extracted)"
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


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except PermissionError as error:
        raise EvaluationError(f"{path} cannot be read ({error.strerror}); allow it") from error
    except (OSError, ValueError) as error:
        raise BadRowError(f"{path.name[:60]!r} is no name of a file") from error


def _cells(row: Row, column: Column) -> Iterator[Any]:
    value = value_of(row, column)
    for cell in value if isinstance(value, list | tuple) else [value]:
        content = _content(cell, column)
        if content is not None:
            yield content


def _content(cell: Any, column: Column) -> Any:
    """Give the path or the bytes of a cell; None where it is empty.

    A picture of a Parquet table is {"bytes": ..., "path": ...}, either of which may be null.
    """
    content = (cell.get("bytes") or cell.get("path")) if isinstance(cell, dict) else cell
    is_other = isinstance(content, bool | float | dict | list | tuple) and not is_null(content)
    if is_other or (
        content is None and isinstance(cell, dict) and any(map(_is_there, cell.values()))
    ):
        raise BadRowError(f"{shown(column)!r} holds {said(cell)}, which is no picture and no path")
    return content


def _is_there(value: Any) -> bool:
    return not is_null(value)


def _is_data(text: str) -> bool:
    if _DATA_URL.match(text):
        return True
    return len(text) >= _SHORTEST_DATA and "." not in text[-8:] and " " not in text[:60]


def _decoded(text: str, column: Column) -> bytes:
    try:
        return base64.b64decode(_DATA_URL.sub("", text, count=1), validate=False)
    except (binascii.Error, ValueError) as error:
        raise BadRowError(f"{shown(column)!r} holds broken base64 ({error})") from error
