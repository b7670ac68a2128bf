"""The passages of a run, read one by one from their file."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

from medrag.codec import record_from_json
from medrag.errors import EvaluationError
from medrag.evaluation.runs.files import BROKEN, naming, whole_lines
from medrag.records import Passage

# Passages that are kept in memory while answers are read: some 20 MB of a textbook's.
_KEPT = 10_000


class PassageGoneError(EvaluationError):
    """An answer names a passage that does not stand in the file of passages."""


class WrittenPassages(Mapping[str, Passage]):
    """The passages of a run by id, read from their file when they are asked for.

    Only where each stands is held, and those used last. Use it as a context manager. Without a
    file there are none.

    Raises:
        EvaluationError: if a line is no passage; names it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._places: dict[str, int] = {}
        self._known: dict[str, Passage] = {}
        self._stream: BinaryIO | None = None

    def __enter__(self) -> "WrittenPassages":
        self._places = _places(self.path)
        if self.path.is_file():
            with naming(self.path, "read"):
                self._stream = self.path.open("rb")
        return self

    def __exit__(self, *_: object) -> None:
        if self._stream is not None:
            self._stream.close()

    def __getitem__(self, name: str) -> Passage:
        if name not in self._known:
            if self._stream is None:
                raise KeyError(name)
            if len(self._known) >= _KEPT:
                self._known.clear()
            self._known[name] = self._read(self._stream, self._places[name])
        return self._known[name]

    def __len__(self) -> int:
        return len(self._places)

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def _read(self, stream: BinaryIO, place: int) -> Passage:
        try:
            with naming(self.path, "read"):
                stream.seek(place)
                line = stream.readline()
            return record_from_json(Passage, json.loads(line))
        except BROKEN as error:
            raise _no_passage(self.path, self._number(place), error) from error

    def _number(self, place: int) -> int:
        return 1 + sum(start < place for start in self._places.values())


def _places(path: Path) -> dict[str, int]:
    """Find where the line of each passage begins, in bytes; none if there is no file."""
    places: dict[str, int] = {}
    start = 0
    for number, line in whole_lines(path) if path.is_file() else ():
        try:
            name = json.loads(line)["id"]
            if not isinstance(name, str):
                raise TypeError("id: expected a text")
        except BROKEN as error:
            raise _no_passage(path, number, error) from error
        if name in places:
            raise EvaluationError(
                f"{path}, line {number}: passage {name!r} stands there twice; delete one of the "
                "two lines"
            )
        places[name] = start
        start += len(line)
    return places


def _no_passage(path: Path, number: int, error: Exception) -> EvaluationError:
    return EvaluationError(
        f"{path}, line {number}: no passage ({error}); bring the line back as it was written, or "
        "run again into a new folder"
    )
