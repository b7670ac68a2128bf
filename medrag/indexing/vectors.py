"""The vectors of one channel in one segment: packed, mapped, with the rows they are of.

A channel lies in its own folder of the segment, so that it can be added to a finished one. A sparse
vector is kept as rows of two numbers, a term and its weight: terms are below 2**24, so that single
precision holds them exactly. One without terms is the row (0, 0).
"""

import time
from array import array
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from medrag.errors import MedragError
from medrag.indexing.arrays import ArrayFile, mapped
from medrag.indexing.manifest import SegmentEntry
from medrag.protocols import Encoder, SparseEncoder
from medrag.records import Embeddings, Passage, SparseEmbeddings

ROWS, LENGTHS, VALUES = "rows.npy", "lengths.npy", "values.npy"

# Passages given to an encoder at once: enough for it to put those of like length together; their
# vectors are held in memory, of pages as well, but not their pictures.
BATCH = 128
# Vectors that are copied or checked at once.
_BLOCK = 1 << 16

Floats = NDArray[np.float32]


def channel_folder(segment: Path, channel: str) -> Path:
    return segment / f"channel-{channel}"


def has_channel(segment: SegmentEntry, channel: str) -> bool:
    """Tell whether a segment has the vectors of a channel, be it of no passage."""
    return channel_folder(Path(), channel).joinpath(VALUES).as_posix() in segment.sums


class Vectors:
    """The vectors of a channel in a segment.

    `rows` (m,) int32 ascending, `lengths` (m,) int32, `values` (sum(lengths), d) float32.
    """

    def __init__(self, *, folder: Path) -> None:
        self.folder = folder

    @cached_property
    def rows(self) -> NDArray[np.int32]:
        rows: NDArray[np.int32] = mapped(self.folder / ROWS)
        return rows

    @cached_property
    def lengths(self) -> NDArray[np.int32]:
        lengths: NDArray[np.int32] = mapped(self.folder / LENGTHS)
        return lengths

    @cached_property
    def values(self) -> Floats:
        values: Floats = mapped(self.folder / VALUES)
        return values

    @cached_property
    def starts(self) -> NDArray[np.int64]:
        """(m + 1,), where the vectors of each passage begin, and the end."""
        return np.concatenate(([0], np.cumsum(self.lengths, dtype=np.int64)))

    def misfit(self, n: int) -> str | None:
        """Say what about rows, lengths and values cannot be of a segment of `n` rows."""
        kinds = [str(each.dtype) for each in (self.rows, self.lengths, self.values)]
        if kinds != ["int32", "int32", "float32"]:
            return "numbers of other types than were written"
        if len(self.rows) != len(self.lengths):
            return f"{len(self.rows)} rows and {len(self.lengths)} lengths"
        if self.lengths.min(initial=1) < 1 or self.starts[-1] != len(self.values):
            return f"{len(self.values)} vectors instead of {self.starts[-1]}"
        ends = (self.rows[:1].min(initial=0), self.rows[-1:].max(initial=0))
        if np.diff(self.rows).min(initial=1) < 1 or ends[0] < 0 or ends[1] >= max(n, 1):
            return "rows do not ascend within the segment"
        return None

    def of_row(self, row: int) -> Floats | None:
        """Give the vectors of one passage, (length, d), or None if the channel lacks it."""
        place = int(np.searchsorted(self.rows, row))
        if place == len(self.rows) or self.rows[place] != row:
            return None
        return np.asarray(self.values[self.starts[place] : self.starts[place + 1]])


def join_vectors(parts: Sequence[tuple[Path, NDArray[np.int64]]], target: Path) -> None:
    """Copy vectors of a channel into one new folder.

    Args:
        parts: folders, each with the new row of every old one, -1 for a row to leave out. New rows
            ascend through all of them.
    """
    target.mkdir(parents=True)
    olds = [Vectors(folder=folder) for folder, _ in parts]
    values = ArrayFile(target / VALUES, dtype="<f4", row=olds[0].values.shape[1:])
    rows, lengths = [], []
    for old, (_, places) in zip(olds, parts, strict=True):
        moved = places[old.rows]
        kept = np.repeat(moved >= 0, old.lengths)
        for number, block in enumerate(blocks(old.values)):
            values.append(block[kept[number * _BLOCK :][: len(block)]])
        rows.append(moved[moved >= 0])
        lengths.append(old.lengths[moved >= 0])
    values.close()
    np.save(target / ROWS, np.concatenate(rows).astype(np.int32))
    np.save(target / LENGTHS, np.concatenate(lengths))


def blocks(values: Floats) -> Iterator[Floats]:
    """Cut mapped vectors into pieces that fit in memory."""
    for start in range(0, len(values), _BLOCK):
        yield values[start : start + _BLOCK]


class _Waiting(NamedTuple):
    row: int
    passage: Passage
    known: Floats | None


class VectorsWriter:
    """Encode passages in batches into the folder of a channel.

    `encoded` is called after each batch with its passages, seconds, and bytes of vectors.
    """

    def __init__(
        self,
        *,
        folder: Path,
        encoder: Encoder | SparseEncoder,
        encoded: Callable[[Sequence[Passage], float, int], None] = lambda *_: None,
    ) -> None:
        folder.mkdir(parents=True)
        self.folder = folder
        self.encoder = encoder
        self.encoded = encoded
        self._rows = array("i")
        self._lengths = array("i")
        self._values: ArrayFile | None = None
        self._waiting: list[_Waiting] = []

    @property
    def n(self) -> int:
        """Passages taken so far."""
        return len(self._rows) + len(self._waiting)

    def add(self, row: int, passage: Passage, known: Floats | None = None) -> None:
        """Take a passage that the encoder encodes, with absolute paths of its images.

        Rows ascend. `known` are vectors that this encoder gave for it before, (length, d).
        """
        self._waiting.append(_Waiting(row, passage, known))
        if len(self._waiting) >= BATCH:
            self._encode()

    def truncate(self, row: int) -> None:
        """Forget every passage from a row on."""
        self._waiting = [each for each in self._waiting if each.row < row]
        while self._rows and self._rows[-1] >= row:
            self._rows.pop()
            self._lengths.pop()
        if self._values is not None:
            self._values.truncate(sum(self._lengths))

    def close(self) -> int:
        """Encode what waits, finish the files, and give the dimension."""
        self._encode()
        none = self.encoder.encode_passages([])
        (self._values or self._opened(as_rows(none).shape[1])).close()
        np.save(self.folder / ROWS, np.array(self._rows, dtype=np.int32))
        np.save(self.folder / LENGTHS, np.array(self._lengths, dtype=np.int32))
        return none.d if isinstance(none, SparseEmbeddings) else int(none.values.shape[1])

    def discard(self) -> None:
        """Close the files, for the folder to be deleted."""
        if self._values is not None:
            self._values.discard()

    def _encode(self) -> None:
        waiting, self._waiting = self._waiting, []
        if not waiting:
            return
        unknown = [each.passage for each in waiting if each.known is None]
        fresh = iter(self._encoded(unknown) if unknown else ())
        for each in waiting:
            values = next(fresh) if each.known is None else each.known
            self._rows.append(each.row)
            self._lengths.append(len(values))
            (self._values or self._opened(values.shape[1])).append(values)

    def _encoded(self, passages: list[Passage]) -> list[Floats]:
        start = time.perf_counter()
        embeddings = self.encoder.encode_passages(passages)
        seconds = time.perf_counter() - start
        sparse = isinstance(embeddings, SparseEmbeddings)
        lengths = np.maximum(embeddings.lengths, 1) if sparse else np.asarray(embeddings.lengths)
        if len(lengths) != len(passages) or lengths.min() < 1:
            raise ValueError(
                f"{self.encoder.name} gave {len(lengths)} lengths for {len(passages)} passages, "
                "each of which must have at least one vector"
            )
        rows = as_rows(embeddings)
        values = np.split(rows, np.cumsum(lengths)[:-1])
        for passage, each in zip(passages, values, strict=True):
            self._check(passage, each, sparse=sparse)
        self.encoded(passages, seconds, rows.nbytes)
        return values

    def _check(self, passage: Passage, values: Floats, *, sparse: bool) -> None:
        """Refuse a vector that would poison every search."""
        if not np.isfinite(values).all():
            problem = "a vector that is not finite"
        elif not sparse and not values.any(axis=1).all():
            problem = "a vector of zeros, which is like nothing"
        else:
            return
        source = passage.source
        raise MedragError(
            f"{self.encoder.name} gave {problem} for passage {passage.id} ({passage.kind} of "
            f"{source.document} in corpus {source.corpus!r}); nothing of its file was indexed. Is "
            "its picture or text broken? Leave the file out, or use another encoder"
        )

    def _opened(self, d: int) -> ArrayFile:
        self._values = ArrayFile(self.folder / VALUES, dtype="<f4", row=(d,))
        return self._values


def as_rows(embeddings: Embeddings | SparseEmbeddings) -> Floats:
    """Give the rows that are kept of vectors, in the order of their inputs."""
    if isinstance(embeddings, Embeddings):
        return embeddings.values
    pairs = np.stack((embeddings.terms.astype(np.float32), embeddings.weights), axis=1)
    # Where an input without terms would stand, the row (0, 0) goes in.
    starts = np.cumsum(embeddings.lengths) - embeddings.lengths
    return np.insert(pairs, starts[embeddings.lengths == 0], 0.0, axis=0)
