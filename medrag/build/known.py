"""Vectors that the index has already of passages that did not change with their file."""

from dataclasses import dataclass, replace
from pathlib import Path

from medrag.indexing.segment import Segment, line_of
from medrag.indexing.vectors import Floats, Vectors, channel_folder
from medrag.records import Passage


@dataclass(frozen=True, slots=True)
class OldRows:
    """The rows [first, stop) of a segment that hold the passages of a file as it was."""

    segment: Path
    n: int
    first: int
    stop: int


class KnownVectors:
    """Look up the vectors of passages of one file, as it was, by all that they say and show."""

    def __init__(self, old: OldRows) -> None:
        self._segment = Segment(folder=old.segment, n=old.n)
        ids = self._segment.ids[old.first : old.stop]
        self._rows = {each.tobytes(): row for row, each in enumerate(ids, start=old.first)}
        self._vectors: dict[str, Vectors | None] = {}

    def of(self, channel: str, identifier: bytes, passage: Passage) -> Floats | None:
        """Give the vectors of a passage in a channel; None if it is new or differs in anything."""
        row = self._rows.get(identifier)
        if row is None or any(image.sha256 is None for image in passage.images):
            return None
        (old,) = self._segment.passages_at([row])
        if _content(old) != _content(passage):
            return None
        vectors = self._channel(channel)
        return None if vectors is None else vectors.of_row(row)

    def _channel(self, name: str) -> Vectors | None:
        """Open the vectors of a channel; None if the segment has none of it yet."""
        if name not in self._vectors:
            folder = channel_folder(self._segment.folder, name)
            self._vectors[name] = Vectors(folder=folder) if folder.is_dir() else None
        return self._vectors[name]


def _content(passage: Passage) -> bytes:
    """Write down a passage without the hash of its file, which changes with any byte of it."""
    return line_of(replace(passage, source=replace(passage.source, sha256="")))
