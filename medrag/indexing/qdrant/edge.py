"""Points in a shard of Qdrant Edge: Qdrant's engine in this process, in a folder of the index."""

import shutil
import tempfile
import weakref
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np

from medrag.errors import IndexFormatError, is_panic
from medrag.extras import Library, require
from medrag.indexing.qdrant.ledger import MARKER, remake
from medrag.indexing.qdrant.options import Options
from medrag.indexing.qdrant.payload import payload_filter
from medrag.indexing.qdrant.points import Asked, Floats, Ids, Near, Point, Shape, packed_near
from medrag.indexing.qdrant.shaping import edge_search, edge_vector, written
from medrag.indexing.qdrant.terms import Sparse

SHARD = "shard"

# Several channels of an index share one open shard.
_open: "weakref.WeakValueDictionary[tuple[Path, int, int], EdgePoints]" = (
    weakref.WeakValueDictionary()
)


class EdgePoints:
    """An open shard. One writer, and any number of processes that read, may have it open."""

    def __init__(self, *, shard: Any, library: Library, folder: Path) -> None:
        self._shard = shard
        self._library = library
        self._folder = folder

    def put(self, points: Sequence[Point]) -> None:
        """Add points, or replace those of equal ids."""
        made = [
            self._library.Point(
                p.id, {n: written(self._library, v) for n, v in p.vectors.items()}, p.payload
            )
            for p in points
        ]
        self._update("upsert_points", made)

    def drop(self, ids: Ids) -> None:
        self._update("delete_points", [str(UUID(bytes=each.tobytes())) for each in ids])

    def index_payload(self, fields: Mapping[str, bool]) -> None:
        """Make filters on fields fast; see `payload.fields_of`."""
        there = self._shard.info().payload_schema
        schema = self._library.PayloadSchemaType
        for key, number in fields.items():
            if key not in there:
                kind = schema.Integer if number else schema.Keyword
                self._update("create_field_index", key, kind)

    def count(self) -> int:
        with _told(self._folder):
            return int(self._shard.count(self._library.CountRequest()))

    def vectors(self, channel: str, ids: Ids) -> dict[bytes, Floats | None]:
        """Read the points of ids, and their dense vectors of a channel; those that are there."""
        asked = [str(UUID(bytes=each.tobytes())) for each in ids]
        with _told(self._folder):
            found = self._shard.retrieve(asked, with_payload=False, with_vector=True)
        vectors = {UUID(str(each.id)).bytes: (each.vector or {}).get(channel) for each in found}
        return {i: _dense(vector) for i, vector in vectors.items()}

    def finish(self) -> None:
        """Build what makes searches fast, bring everything to disk, and close."""
        self._shard.optimize()
        self._shard.flush()
        self._shard.close()

    def query(self, channel: str, asked: Sequence[Asked], options: Options) -> list[Near]:
        # Lists of terms are searched exactly, and slowly if they are told so.
        sparse = any(isinstance(each.vector, Sparse) for each in asked)
        params = None if sparse else edge_search(self._library, options)
        requests = [
            self._library.QueryRequest(
                limit=each.limit,
                query=self._library.Query.Nearest(written(self._library, each.vector), channel),
                filter=payload_filter(each.wanted, self._library),
                params=params,
            )
            for each in asked
        ]
        with _told(self._folder):
            answers = self._shard.query_batch(self._library.QueryBatchRequest(requests))
        return [packed_near(answer) for answer in answers]

    def _update(self, name: str, *arguments: Any) -> None:
        self._shard.update(getattr(self._library.UpdateOperation, name)(*arguments))


def created(
    folder: Path, shapes: Mapping[str, Shape], options: Mapping[str, Options]
) -> EdgePoints:
    """Make an empty shard for named vectors, each with the options of its channel."""
    edge = _library()
    folder.mkdir(parents=True)
    vectors = {
        name: edge_vector(edge, shape, options[name])
        for name, shape in shapes.items()
        if not shape.sparse
    }
    sparse = {n: edge.EdgeSparseVectorParams() for n, shape in shapes.items() if shape.sparse}
    # Without a log of its own: a shard counts when it is finished, and is made anew if it never is.
    config = edge.EdgeConfig(vectors=vectors, sparse_vectors=sparse, wal_enabled=False)
    shard = edge.EdgeShard.create(str(folder), config)
    return EdgePoints(shard=shard, library=edge, folder=folder.parent)


def continued(previous: Path, folder: Path) -> EdgePoints:
    """Copy a finished shard, to change the copy."""
    shutil.copytree(previous, folder)
    return _points(folder)


def opened(folder: Path) -> EdgePoints:
    """Open the shard below a folder that `derive` made.

    Edge writes in a shard that it merely opens; where it may not, it is given a copy in a
    temporary folder.

    Raises:
        IndexFormatError: if there is none, medrag did not make it, or it is damaged.
    """
    if not (folder / MARKER).is_file() or not (folder / SHARD).is_dir():
        raise IndexFormatError(
            f"{folder} is no Qdrant shard that medrag made (it lacks {MARKER} or {SHARD}), and no "
            f"other is opened; make it anew: {remake(folder)}"
        )
    # An index that was built anew from nothing may give a folder the name of an old one.
    marker = (folder / MARKER).stat()
    place = (folder.absolute(), marker.st_ino, marker.st_mtime_ns)
    points = _open.get(place) or _loaded(folder)
    _open[place] = points
    return points


def _loaded(folder: Path) -> EdgePoints:
    try:
        return _points(folder / SHARD)
    except IndexFormatError as error:
        if not any(text in str(error) for text in ("os error 30", "os error 13")):
            raise
    copied = Path(tempfile.mkdtemp(prefix="medrag-qdrant-"))
    try:
        shutil.copytree(folder / SHARD, copied / SHARD, copy_function=shutil.copyfile)
        points = _points(copied / SHARD)
    except (OSError, IndexFormatError) as error:
        shutil.rmtree(copied, ignore_errors=True)
        raise damaged(folder, error) from error
    weakref.finalize(points, shutil.rmtree, copied, ignore_errors=True)
    return points


def _points(shard: Path) -> EdgePoints:
    edge = _library()
    with _told(shard.parent):
        return EdgePoints(shard=edge.EdgeShard.load(str(shard)), library=edge, folder=shard.parent)


def damaged(folder: Path, problem: object) -> IndexFormatError:
    return IndexFormatError(
        f"the Qdrant shard {folder / SHARD} is damaged and cannot be opened ({problem}); "
        f"make it anew: {remake(folder)}"
    )


@contextmanager
def _told(folder: Path) -> Iterator[None]:
    """Say which shard it is that Edge stumbles over, be it by a panic of its own."""
    try:
        yield
    except BaseException as error:
        if not (isinstance(error, Exception) or is_panic(error)):
            raise
        raise damaged(folder, error) from error


def _dense(vector: Any) -> Floats | None:
    """Give a dense vector; None for a sparse one, one of many, and none."""
    if not isinstance(vector, list) or not vector or isinstance(vector[0], list):
        return None
    return np.array(vector, dtype=np.float32)


def _library() -> Library:
    return require("qdrant_edge", extra="qdrant")
