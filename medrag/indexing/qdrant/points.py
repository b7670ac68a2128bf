"""The points that an index should have: which rows, which vectors, and what they amount to."""

import hashlib
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, NamedTuple, Protocol
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from medrag.errors import MedragError
from medrag.indexing.qdrant.options import Options
from medrag.indexing.qdrant.payload import Payload, payload_of
from medrag.indexing.qdrant.terms import Floats, Sparse, of_pairs
from medrag.indexing.qdrant.words import texts, weighed
from medrag.indexing.segment import Segment
from medrag.indexing.storage import Store
from medrag.indexing.vectors import Vectors, channel_folder
from medrag.records import Filter

Rows = NDArray[np.int64]
Ids = NDArray[np.uint8]

# Qdrant takes no more numbers in the vectors of one name of one point.
MOST_FLOATS = 1 << 20
# Numbers that are turned into Python floats at once.
_BATCH_FLOATS = 1 << 18


class Shape(NamedTuple):
    """A named vector: its dimension, whether a passage may have many, and its channel's kind.

    Those of "sparse" and "lexical" channels are over terms; the latter have no dimension, 0.
    """

    d: int
    many: bool
    kind: str = "dense"

    @property
    def sparse(self) -> bool:
        return self.kind != "dense"


class Point(NamedTuple):
    """A passage as Qdrant takes it; its vectors are (d,), (length, d) where many, or terms."""

    id: str
    vectors: dict[str, Floats | Sparse]
    payload: Payload


class Near(NamedTuple):
    """What was found for one question: ids (m, 16) and scores (m,), best first."""

    ids: Ids
    scores: Floats


class Asked(NamedTuple):
    """One search: `vector` is (d,), or (t, d) where passages have many vectors, or terms."""

    vector: Floats | Sparse
    wanted: Filter


class Points(Protocol):
    """Where points are searched."""

    def query(
        self, channel: str, asked: Sequence[Asked], limit: int, options: Options
    ) -> list[Near]:
        """Find the nearest points of each search, `limit` at most."""
        ...


def shapes_of(store: Store, channels: Collection[str]) -> dict[str, Shape]:
    """Say how the vectors of channels are kept; a channel without any passage is left out."""
    shapes = {}
    for name in channels:
        entry = store.channel(name)
        if entry.kind != "dense":
            shapes[name] = Shape(entry.d or 0, many=False, kind=entry.kind)
        elif entry.d:
            blocks = store.vectors(name)
            many = any(len(block.lengths) and block.lengths.max() > 1 for block in blocks)
            shapes[name] = Shape(entry.d, bool(entry.late_interaction or many))
    return shapes


class SegmentPoints:
    """The points of one segment: the live passages with vectors in any of the channels.

    Args:
        averages: of lexical channels, words per passage by field; see `words.Counts`.
    """

    def __init__(
        self,
        *,
        store: Store,
        number: int,
        shapes: Mapping[str, Shape],
        averages: Mapping[str, float],
    ) -> None:
        self.segment: Segment = store.segments[number]
        self.name = store.entries[number].name
        self.shapes = shapes
        self.averages = averages
        self._lexical = [name for name, shape in shapes.items() if shape.kind == "lexical"]
        first = store.firsts[number]
        self._live = store.live[first : first + self.segment.n]

    @cached_property
    def rows(self) -> Rows:
        """Rows within the segment, ascending; all live ones where words are searched."""
        covered = np.full(self.segment.n, bool(self._lexical))
        for vectors in self._vectors.values():
            covered[vectors.rows] = True
        return np.flatnonzero(covered & self._live)

    @property
    def ids(self) -> Ids:
        """(m, 16), of `rows`."""
        return np.asarray(self.segment.ids)[self.rows]

    @property
    def domains(self) -> list[str | None]:
        """Domain of each of `rows`."""
        columns = self.segment.columns
        names = [*columns.values("domain"), None]
        return [names[code] for code in columns.codes("domain")[self.rows]]

    def contents(self, rows: Rows) -> list[int]:
        """Hash what points say, so that one that says the same is not sent again.

        Of words, the texts count that they are in, and not what they weigh.
        """
        return [self._content(row, line) for row, line in self._lines(rows)]

    def batches(self, rows: Rows, most: int) -> Iterator[list[Point]]:
        """Read points of ascending rows, so many at once as bound memory, but `most` at most.

        Raises:
            MedragError: if one has more numbers than Qdrant takes.
        """
        batch: list[Point] = []
        held = 0
        for row, line in self._lines(rows):
            stored = self._stored(row)
            size = sum(values.size for values in stored.values())
            if batch and (len(batch) == most or held + size > _BATCH_FLOATS):
                yield batch
                batch, held = [], 0
            batch.append(self._point(row, stored, line))
            held += size
        if batch:
            yield batch

    def _lines(self, rows: Rows) -> Iterator[tuple[int, bytes]]:
        """Give rows with their passages as JSON; empty where nobody reads those."""
        if self._lexical and len(rows):
            return self.segment.lines(rows)
        return ((row, b"") for row in rows.tolist())

    def _content(self, row: int, line: bytes) -> int:
        held = hashlib.blake2b(digest_size=8)
        said = [payload_of(self.segment.columns, row), texts(line) if self._lexical else {}]
        held.update(json.dumps(said, sort_keys=True).encode())
        for name, values in self._stored(row).items():
            held.update(f"\0{name}\0{len(values)}\0".encode())
            held.update(np.ascontiguousarray(values).tobytes())
        return int.from_bytes(held.digest(), "little") or 1

    def _point(self, row: int, stored: Mapping[str, Floats], line: bytes) -> Point:
        vectors: dict[str, Floats | Sparse] = {}
        for name, values in stored.items():
            shape = self.shapes[name]
            if not shape.sparse and values.size > MOST_FLOATS:
                raise MedragError(self._too_large(row, name, values))
            dense = values if shape.many else values[0]
            vectors[name] = of_pairs(values) if shape.sparse else dense
        if self._lexical:
            vectors |= dict.fromkeys(self._lexical, weighed(line, self.averages))
        kept = {n: v for n, v in vectors.items() if not isinstance(v, Sparse) or len(v.terms)}
        (identifier,) = uuids(self.segment.ids[row : row + 1])
        return Point(identifier, kept, payload_of(self.segment.columns, row))

    def _stored(self, row: int) -> dict[str, Floats]:
        """Read the vectors of a passage; sparse ones are (term, weight) rows."""
        found = {name: each.of_row(row) for name, each in self._vectors.items()}
        return {name: values for name, values in found.items() if values is not None}

    @cached_property
    def _vectors(self) -> dict[str, Vectors]:
        names = sorted(self.shapes.keys() - set(self._lexical))
        folders = {n: channel_folder(self.segment.folder, n) for n in names}
        return {n: Vectors(folder=folder) for n, folder in folders.items() if folder.is_dir()}

    def _too_large(self, row: int, name: str, values: Floats) -> str:
        (passage,) = self.segment.passages_at([row])
        pages = [each.page for each in passage.source.regions if each.page is not None]
        where = f", page {pages[0]}" if pages else ""
        return (
            f"passage {passage.id} ({passage.kind} of {passage.source.document}{where} in corpus "
            f"{passage.source.corpus!r}) has {len(values)} x {values.shape[1]} = {values.size:,} "
            f"numbers in channel {name!r}, but a Qdrant point holds {MOST_FLOATS:,} at most; pool "
            "its vectors (the encoder's pooling option), or use another store for the channel"
        )


class IdMap:
    """Find ids among many: 16 bytes each, sorted by their first eight."""

    def __init__(self, ids: Ids) -> None:
        self.ids = ids
        keys = _keys(ids)
        self._order = np.argsort(keys, kind="stable")
        self._keys = keys[self._order]

    def find(self, ids: Ids) -> Rows:
        """Give the place of each id, -1 where it is none of them."""
        found = np.full(len(ids), -1, dtype=np.int64)
        keys = _keys(ids)
        at = np.searchsorted(self._keys, keys)
        pending = np.arange(len(ids))
        while len(pending):
            pending = pending[at[pending] < len(self._keys)]
            pending = pending[self._keys[at[pending]] == keys[pending]]
            places = self._order[at[pending]]
            same = (self.ids[places] == ids[pending]).all(axis=1)
            found[pending[same]] = places[same]
            # Two ids may begin alike: look at the next one.
            pending = pending[~same]
            at[pending] += 1
        return found


def uuids(ids: Ids) -> list[str]:
    """Write ids as Qdrant takes them."""
    return [str(UUID(bytes=each.tobytes())) for each in ids]


def packed_ids(ids: Sequence[str | UUID]) -> Ids:
    """Write the ids that Qdrant gives as (m, 16) bytes."""
    content = b"".join((i if isinstance(i, UUID) else UUID(i)).bytes for i in ids)
    return np.frombuffer(content, dtype=np.uint8).reshape(-1, 16)


def packed_near(points: Sequence[Any]) -> Near:
    """Write the points that Qdrant found, each with `id` and `score`."""
    scores = np.array([point.score for point in points], dtype=np.float32)
    return Near(packed_ids([point.id for point in points]), scores)


def _keys(ids: Ids) -> NDArray[np.uint64]:
    return np.ascontiguousarray(ids).view(np.uint64).reshape(-1, 2)[:, 0]
