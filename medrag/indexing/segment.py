"""A segment: an immutable run of passages with their columns, read by row."""

import hashlib
import json
from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from medrag.codec import passage_from_json, skipped_from_json, to_json
from medrag.errors import IndexFormatError
from medrag.indexing.arrays import damaged, gone, mapped
from medrag.indexing.columns import Columns, ColumnsWriter
from medrag.indexing.commands import reread
from medrag.indexing.manifest import FileSum, SegmentEntry
from medrag.records import Passage, Skipped

FOLDER = "segments"
PASSAGES, OFFSETS, IDS, SKIPPED = "passages.jsonl", "offsets.npy", "ids.npy", "skipped.jsonl"


_write = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


@dataclass(frozen=True, slots=True)
class Mark:
    """How far a segment was written, to come back to."""

    row: int
    skipped: int


class SegmentWriter:
    """Write passages and what was skipped, one by one, into a new folder."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        self.folder = folder
        self._passages = (folder / PASSAGES).open("w+b")
        self._skipped = (folder / SKIPPED).open("w+b")
        self._columns = ColumnsWriter()
        self._offsets = array("q", [0])
        self._ids = bytearray()

    @property
    def n(self) -> int:
        return len(self._offsets) - 1

    def add(self, passage: Passage) -> int:
        """Append a passage and give its row.

        Raises:
            ValueError: if its id is no UUID.
            TypeError: if its fields hold what JSON cannot.
        """
        line = line_of(passage)
        identifier = id_bytes(passage.id)
        self._columns.add(self.n, passage)
        self._append(identifier, line)
        return self.n - 1

    def add_line(self, line: bytes) -> int:
        """Append a passage as `Segment.lines` gives it, and give its row."""
        passage = passage_from_json(json.loads(line))
        self._columns.add(self.n, passage)
        self._append(id_bytes(passage.id), line)
        return self.n - 1

    def skip_line(self, line: bytes) -> None:
        """Append what was left out as `Segment.skipped_lines` gives it."""
        self._skipped.write(line)

    def skip(self, skipped: Skipped) -> None:
        self._skipped.write(line_of(skipped))

    def mark(self) -> Mark:
        return Mark(self.n, self._skipped.tell())

    def roll_back(self, mark: Mark) -> None:
        """Forget everything since a mark."""
        del self._offsets[mark.row + 1 :]
        del self._ids[16 * mark.row :]
        self._columns.truncate(mark.row)
        for file, size in ((self._passages, self._offsets[-1]), (self._skipped, mark.skipped)):
            file.truncate(size)
            file.seek(size)

    def ids(self, first: int) -> Iterator[bytes]:
        """List the ids, 16 bytes each, from a row on."""
        for start in range(16 * first, len(self._ids), 16):
            yield bytes(self._ids[start : start + 16])

    def close(self) -> None:
        """Finish the folder."""
        self.discard()
        self._columns.write(self.folder)
        np.save(self.folder / OFFSETS, np.array(self._offsets, dtype=np.int64))
        np.save(self.folder / IDS, np.frombuffer(bytes(self._ids), np.uint8).reshape(-1, 16))

    def discard(self) -> None:
        """Close the files, for the folder to be deleted."""
        self._passages.close()
        self._skipped.close()

    def _append(self, identifier: bytes, line: bytes) -> None:
        self._ids += identifier
        self._passages.write(line)
        self._offsets.append(self._offsets[-1] + len(line))


class Segment:
    """Read the passages of a segment by row. Files are opened when they are needed."""

    def __init__(self, *, folder: Path, n: int) -> None:
        self.folder = folder
        self.n = n
        self.columns = Columns(folder=folder, n=n)

    @cached_property
    def ids(self) -> NDArray[np.uint8]:
        """(n, 16), the bytes of each passage's UUID."""
        ids: NDArray[np.uint8] = mapped(self.folder / IDS)
        if (ids.shape, ids.dtype) != ((self.n, 16), np.dtype(np.uint8)):
            raise IndexFormatError(damaged(self.folder / IDS, f"no ids of {self.n} rows"))
        return ids

    @cached_property
    def offsets(self) -> NDArray[np.int64]:
        """(n + 1,), where each passage's line begins in its file, and the file's end."""
        offsets: NDArray[np.int64] = mapped(self.folder / OFFSETS)
        return offsets

    def passages_at(self, rows: Sequence[int]) -> list[Passage]:
        """Give the passages at rows, in the order asked."""
        passages = []
        with _opened(self.folder / PASSAGES) as file:
            for row in rows:
                start, stop = self._start(row), self._start(row + 1)
                file.seek(start)
                passages.append(self._passage(file.read(stop - start)))
        return passages

    def lines(self, rows: NDArray[np.int64] | None = None) -> Iterator[tuple[int, bytes]]:
        """Read (row, line) in order, of all rows or of ascending ones."""
        with _opened(self.folder / PASSAGES) as file:
            if rows is None:
                yield from enumerate(file)
            elif len(rows):
                first, last = int(rows[0]), int(rows[-1])
                wanted = np.zeros(last + 1, dtype=np.bool_)
                wanted[rows] = True
                file.seek(self._start(first))
                for row, line in enumerate(islice(file, last + 1 - first), start=first):
                    if wanted[row]:
                        yield row, line

    def passages(self, rows: NDArray[np.int64]) -> Iterator[tuple[int, Passage]]:
        """Read (row, passage) in order, of ascending rows."""
        for row, line in self.lines(rows):
            yield row, self._passage(line)

    def _start(self, row: int) -> int:
        """Give where the line of a row begins; that of row n is the end of the file."""
        if row < len(self.offsets) and 0 <= self.offsets[row] <= self._size:
            return int(self.offsets[row])
        raise IndexFormatError(damaged(self.folder / OFFSETS, f"row {row} lies nowhere"))

    @cached_property
    def _size(self) -> int:
        return (self.folder / PASSAGES).stat().st_size

    def _passage(self, line: bytes) -> Passage:
        try:
            return passage_from_json(json.loads(line))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise IndexFormatError(
                f"{self.folder / PASSAGES} is damaged: a line is no passage ({error}); restore "
                f"the file from a copy, or: {reread(self.folder)}"
            ) from error

    def rows_of(self, identifier: bytes) -> list[int]:
        """Find the rows of a passage by the 16 bytes of its id: none, or one, removed or not."""
        wanted = np.frombuffer(identifier, dtype=np.uint64)
        pairs = np.ascontiguousarray(self.ids).view(np.uint64).reshape(-1, 2)
        return [int(row) for row in np.flatnonzero((pairs == wanted).all(axis=1))]

    def close(self) -> None:
        """Let go of what was mapped."""
        for name in ("ids", "offsets"):
            self.__dict__.pop(name, None)
        self.columns = Columns(folder=self.folder, n=self.n)

    def skipped_lines(self) -> Iterator[tuple[bytes, Skipped]]:
        """Read what was left out of this segment, as written and as records."""
        with _opened(self.folder / SKIPPED) as file:
            for line in file:
                yield line, skipped_from_json(json.loads(line))


def segment_folder(index: Path, entry: SegmentEntry) -> Path:
    return index / FOLDER / entry.name


def segment_of(index: Path, entry: SegmentEntry) -> Segment:
    """Open a segment of an index."""
    return Segment(folder=segment_folder(index, entry), n=entry.n)


def line_of(record: Passage | Skipped) -> bytes:
    """Write a record as one line of JSON."""
    return _write(to_json(record)).encode(errors="surrogatepass") + b"\n"


def id_bytes(passage_id: str) -> bytes:
    """Write the id of a passage, a UUID, as 16 bytes.

    Raises:
        ValueError: if it is none.
    """
    try:
        identifier = bytes.fromhex(passage_id.replace("-", ""))
    except ValueError:
        identifier = b""
    if len(identifier) != 16:
        raise ValueError(f"the id of a passage must be a UUID, got {passage_id!r}")
    return identifier


def file_sums(folder: Path) -> dict[str, FileSum]:
    """Hash every file below a folder, by its name relative to the folder, with "/"."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): file_sum(path) for path in paths}


def file_sum(path: Path) -> FileSum:
    with path.open("rb") as file:
        return FileSum(path.stat().st_size, hashlib.file_digest(file, "sha256").hexdigest())


def size_problem(folder: Path, sums: Mapping[str, FileSum]) -> str | None:
    """Say which of the files of a folder is missing or of another size; None if all are whole."""
    for name, known in sums.items():
        path = folder / name
        if not path.is_file():
            return f"{name} is missing" if not path.is_dir() else f"{name} is a folder"
        size = path.stat().st_size
        if size != known.size:
            return f"{name} has {size} bytes instead of {known.size}"
    return None


def damaged_files(folder: Path, sums: Mapping[str, FileSum]) -> Iterator[str]:
    """Read the files of a folder, and say of each that is not as written what is wrong with it.

    Of one without a sum only the size is compared.
    """
    for name, known in sums.items():
        if problem := size_problem(folder, {name: known}):
            yield problem
        elif known.sha256 and known.sha256 != file_sum(folder / name).sha256:
            yield f"{name} has other bytes than were written (its sha256 differs)"


def _opened(path: Path) -> IO[bytes]:
    try:
        return path.open("rb")
    except FileNotFoundError:
        raise IndexFormatError(gone(path)) from None
