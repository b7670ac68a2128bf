"""Files of many records: JSON lines, a JSON array, CSV and TSV, one record at a time.

A bad line is a value, not an exception: it is numbered, says what is wrong, and reading goes on.
Only a JSON array is held in memory, because it cannot be cut into lines.
"""

import csv
import json
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO, Any

from medrag.errors import InputFileError
from medrag.ingestion.decoding import beginning, decode, printable
from medrag.records import Passage, Skipped, Source

LINE_LIMIT = 8 * 1024 * 1024  # bytes of one line, or characters of one table row
ARRAY_LIMIT = 512 * 1024 * 1024  # bytes of a JSON array
_SAMPLE = 20  # records whose keys tell the columns of JSON lines
_ESCAPED = re.compile("[\udc80-\udcff]")


@dataclass(frozen=True, slots=True)
class Record:
    """One record and its place in the file ("line 3", or "record 3" of a JSON array)."""

    place: str
    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class BadLine:
    """A place that holds no record, and why."""

    place: str
    problem: str


class BadRecordError(Exception):
    """A record that an ingestor cannot use. The message says which column, and what it held."""


def records(path: Path) -> Iterator[Record | BadLine]:
    """Read the records of a file in order; blank lines do not count.

    Raises:
        InputFileError: if the file cannot be opened, is empty, is one JSON value that is no array
            of records, or is a table without usable column names.
    """
    return _SHAPES[shape(path)](path)


def column_names(path: Path) -> list[str]:
    """Name the columns: a table's header, or the keys of the first 20 readable records.

    Raises:
        InputFileError: as `records`.
    """
    if shape(path) == "table":
        with _opened_table(path) as file:
            return _header(path, next(_rows(file, path), None))
    readable = (record for record in records(path) if isinstance(record, Record))
    names = {name: None for record in islice(readable, _SAMPLE) for name in record.values}
    if not names:
        raise InputFileError(path, "holds no readable record; expected one JSON object per line")
    return list(names)


def read_records(
    path: Path, source: Source, passages_of: Callable[[Record], Iterable[Passage | Skipped]]
) -> Iterator[Passage | Skipped]:
    """Turn each record into passages; a bad line or record is skipped, numbered and said.

    `passages_of` raises `BadRecordError` before it yields anything of a record it cannot use.
    """
    for record in records(path):
        if isinstance(record, BadLine):
            yield bad_line(source, record.place, record.problem)
            continue
        try:
            yield from passages_of(record)
        except BadRecordError as error:
            yield bad_line(source, record.place, str(error))


def bad_line(source: Source, place: str, problem: str) -> Skipped:
    return Skipped(source, "bad_line", f"{place}: {problem}", failed=True)


def text_of(record: Record, column: str | None) -> str:
    """Read a cell as text without control characters; "" where it is absent, null or blank.

    Raises:
        BadRecordError: if it holds a list or an object.
    """
    if column is None:
        return ""
    value = record.values.get(column)
    if isinstance(value, str):
        return printable(value).strip()
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return str(value)
    raise BadRecordError(f"{column!r} holds {_named(value)}, expected a text")


def texts_of(record: Record, column: str | None) -> list[str]:
    """Read a cell that holds a text, or a list of texts; blank ones are left out.

    Raises:
        BadRecordError: if it holds anything else.
    """
    value = record.values.get(column) if column is not None else None
    if not isinstance(value, list):
        text = text_of(record, column)
        return [text] if text else []
    if not all(isinstance(each, str | int | float) for each in value):
        raise BadRecordError(f"{column!r} holds a list of other things than texts")
    return [text for text in (printable(str(each)).strip() for each in value) if text]


def shape(path: Path) -> str:
    """Tell "lines", "array" or "table", by the name and the first character.

    Raises:
        InputFileError: if the file cannot be read or is empty.
    """
    head = beginning(path)
    if not head:
        raise InputFileError(path, "empty; nothing to read")
    suffix = path.suffix.lower()
    if suffix in (".csv", ".tsv", ".tab"):
        return "table"
    if suffix in (".jsonl", ".ndjson"):
        return "lines"
    if head.startswith("["):
        return "array"
    return "lines" if head.startswith("{") else "table"


def delimiter_of(path: Path, header: str) -> str:
    """Choose tab, comma or semicolon: by the name, else the one that the header holds most."""
    if path.suffix.lower() in (".tsv", ".tab"):
        return "\t"
    return max(",;\t", key=header.count)


def _named(value: object) -> str:
    return "a list" if isinstance(value, list) else "an object"


def _json_lines(path: Path) -> Iterator[Record | BadLine]:
    with path.open("rb") as file:
        if file.read(2) in (b"\xff\xfe", b"\xfe\xff"):
            raise InputFileError(path, "JSON lines in UTF-16; save the file as UTF-8")
        file.seek(0)
        for number, line in _limited_lines(file):
            place = f"line {number}"
            if line is None:
                yield BadLine(place, f"longer than {LINE_LIMIT // 2**20} MiB")
            elif not line.isspace():
                yield _json_record(place, line.removeprefix(b"\xef\xbb\xbf"))


def _limited_lines(file: IO[bytes]) -> Iterator[tuple[int, bytes | None]]:
    """Number the lines from 1; None for one over the limit, which is never held whole."""
    number = 0
    while line := file.readline(LINE_LIMIT):
        number += 1
        if len(line) < LINE_LIMIT or line.endswith(b"\n"):
            yield number, line
            continue
        while line and not line.endswith(b"\n"):
            line = file.readline(LINE_LIMIT)
        yield number, None


def _null(_: str) -> None:
    # NaN and Infinity are no JSON, but tables written by others hold them for "absent".
    return None


_decode_json = json.JSONDecoder(parse_constant=_null).decode


def _json_record(place: str, line: bytes) -> Record | BadLine:
    try:
        values = _decode_json(line.decode("utf-8"))
    except UnicodeDecodeError as error:
        return BadLine(place, f"not UTF-8 at byte {error.start + 1}; save the file as UTF-8")
    except json.JSONDecodeError as error:
        return BadLine(place, f"not JSON: {error.msg} at character {error.pos + 1}")
    except (ValueError, RecursionError) as error:
        return BadLine(place, f"not JSON that can be read: {error}")
    return _checked_record(place, values)


def _checked_record(place: str, values: object) -> Record | BadLine:
    if not isinstance(values, dict):
        shown = type(values).__name__
        return BadLine(place, f"holds a JSON {shown}, expected an object with named values")
    return Record(place, values)


def _json_array(path: Path) -> Iterator[Record | BadLine]:
    if path.stat().st_size > ARRAY_LIMIT:
        raise InputFileError(
            path,
            f"a JSON array of more than {ARRAY_LIMIT // 2**20} MiB; write one object per line "
            "(.jsonl), which needs no memory",
        )
    text = decode(path.read_bytes()).text
    try:
        values = _decode_json(text)
    except json.JSONDecodeError as error:
        raise InputFileError(
            path, f"broken JSON: {error.msg}", place=f"line {error.lineno}"
        ) from error
    except (ValueError, RecursionError) as error:
        raise InputFileError(path, f"JSON that cannot be read: {error}") from error
    for number, value in enumerate(values, start=1):
        yield _checked_record(f"record {number}", value)


def _opened_table(path: Path) -> IO[str]:
    with path.open("rb") as file:
        encoding = decode(file.read(4), cut=True).encoding
    if encoding.startswith("utf-16"):
        return path.open(encoding="utf-16", errors="replace", newline="")
    return path.open(encoding="utf-8-sig", errors="surrogateescape", newline="")


def _table(path: Path) -> Iterator[Record | BadLine]:
    with _opened_table(path) as file:
        rows = _rows(file, path)
        names = _header(path, next(rows, None))
        for number, row in rows:
            place = f"line {number}"
            if isinstance(row, str):
                yield BadLine(place, row)
            elif len(row) != len(names):
                yield BadLine(place, f"has {len(row)} cells, but the header names {len(names)}")
            elif bad := next((cell for cell in row if _ESCAPED.search(cell)), None):
                yield BadLine(place, f"not UTF-8 in {_ESCAPED.sub('?', bad)[:40]!r}")
            elif any("\0" in cell for cell in row):
                yield BadLine(place, "holds a NUL character; the file may be damaged")
            else:
                yield Record(place, dict(zip(names, row, strict=True)))


def _header(path: Path, first: tuple[int, list[str] | str] | None) -> list[str]:
    if first is None or isinstance(first[1], str):
        problem = "empty" if first is None else first[1]
        raise InputFileError(path, f"no line of column names: {problem}", place="line 1")
    names = [_ESCAPED.sub("?", name).strip() for name in first[1]]
    twice = sorted({name for name in names if name and names.count(name) > 1})
    if twice:
        raise InputFileError(
            path, f"names the column {twice[0]!r} twice; rename one of them", place="line 1"
        )
    return names


def _rows(file: IO[str], path: Path) -> Iterator[tuple[int, list[str] | str]]:
    """Give the number of a row's first line with its cells, or with what is wrong."""
    # The limit of the csv module is one for the process; it is only ever raised.
    csv.field_size_limit(max(csv.field_size_limit(), LINE_LIMIT))
    feed = _Feed(file)
    delimiter = delimiter_of(path, feed.peek())
    reader = csv.reader(feed, delimiter=delimiter)
    while True:
        feed.begin()
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield feed.begun, f"cannot be read as a table row ({error})"
            feed.retry()
            continue
        except _LongLineError:
            yield feed.begun, f"longer than {LINE_LIMIT // 2**20} MiB: is a quote left open?"
            reader = csv.reader(feed, delimiter=delimiter)
            feed.retry()
            continue
        if feed.starved:
            yield feed.begun, "a quote is opened and never closed"
            feed.retry()
        elif row and any(row):
            yield feed.begun, row


class _LongLineError(Exception):
    """A row outgrew the limit."""


class _Feed:
    """Hand lines to the csv module; after a bad row, go on at the line after its first one."""

    def __init__(self, file: IO[str]) -> None:
        self.file = file
        self.waiting: deque[str] = deque()
        self.row: list[str] = []
        self.size = 0
        self.last = 0  # number of the last line handed out
        self.begun = 1
        self.starved = False

    def peek(self) -> str:
        line = self.file.readline(LINE_LIMIT)
        if line:
            self.waiting.append(line)
        return line

    def begin(self) -> None:
        self.row, self.size, self.starved = [], 0, False
        self.begun = self.last + 1

    def retry(self) -> None:
        self.waiting.extendleft(reversed(self.row[1:]))
        self.last -= len(self.row) - 1

    def __iter__(self) -> "_Feed":
        return self

    def __next__(self) -> str:
        line = self.waiting.popleft() if self.waiting else self.file.readline(LINE_LIMIT)
        if not line:
            self.starved = bool(self.row)
            raise StopIteration
        self.last += 1
        self.row.append(line)
        self.size += len(line)
        if self.size >= LINE_LIMIT:
            self._skip_rest(line)
            raise _LongLineError
        return line

    def _skip_rest(self, line: str) -> None:
        while line and not line.endswith(("\n", "\r")):
            line = self.file.readline(LINE_LIMIT)


_SHAPES: Mapping[str, Callable[[Path], Iterator[Record | BadLine]]] = {
    "lines": _json_lines,
    "array": _json_array,
    "table": _table,
}
