"""Points in a shard of Qdrant Edge: Qdrant's engine in this process, in a folder of the index."""

import shutil
import tempfile
import weakref
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from medrag.errors import IndexFormatError, is_panic
from medrag.extras import Library, require
from medrag.indexing.commands import repair
from medrag.indexing.qdrant.ledger import MARKER, Ledger
from medrag.indexing.qdrant.options import Options, graph_of, search_params
from medrag.indexing.qdrant.payload import payload_filter
from medrag.indexing.qdrant.points import Asked, Ids, Near, Point, Shape, packed_near, uuids
from medrag.indexing.qdrant.terms import Floats, Sparse, written
from medrag.indexing.segment import FOLDER
from medrag.indexing.storage import Store
from medrag.indexing.vectors import Vectors, channel_folder

SHARD = "shard"

# Points of a shard that are compared with the segments when it is checked.
_LOOKED_AT = 64
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
        self._update("delete_points", uuids(ids))

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

    def vectors(self, channel: str, ids: Ids) -> dict[str, Any]:
        """Read what the points of ids have in a channel; points that are not there are left out."""
        with _told(self._folder):
            found = self._shard.retrieve(uuids(ids), with_payload=False, with_vector=True)
        return {str(each.id): (each.vector or {}).get(channel) for each in found}

    def finish(self) -> None:
        """Build what makes searches fast, bring everything to disk, and close."""
        self._shard.optimize()
        self._shard.flush()
        self._shard.close()

    def query(
        self, channel: str, asked: Sequence[Asked], limit: int, options: Options
    ) -> list[Near]:
        # Lists of terms are searched exactly, and slowly if they are told so.
        sparse = any(isinstance(each.vector, Sparse) for each in asked)
        params = None if sparse else search_params(options, self._library)
        requests = [
            self._library.QueryRequest(
                limit=limit,
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
        name: _vector(edge, shape, options[name])
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
            f"other is opened; make it anew: {repair(folder)}"
        )
    # An index that was built anew from nothing may give a folder the name of an old one.
    marker = (folder / MARKER).stat()
    place = (folder.absolute(), marker.st_ino, marker.st_mtime_ns)
    points = _open.get(place) or _loaded(folder)
    _open[place] = points
    return points


def checked_shard(store: Store, channel: str, folder: Path, ledger: Ledger) -> EdgePoints:
    """Open a shard, and refuse one that lost points: Edge opens what is left, and would not tell.

    Of some points, the vectors of a dense channel too are compared with those of the segments.

    Raises:
        IndexFormatError: if it is not as it was put, or cannot be opened.
    """
    points, n = opened(folder), len(ledger.ids)
    if (found := points.count()) != n:
        raise _damaged(folder, f"it holds {found} points instead of {n}")
    some = np.unique(np.linspace(0, n - 1, min(_LOOKED_AT, n)).astype(np.int64))
    there = points.vectors(channel, ledger.ids[some])
    for at, point in zip(some.tolist(), uuids(ledger.ids[some]), strict=True):
        if point not in there or not _is_of_segment(store, channel, ledger, at, there[point]):
            raise _damaged(folder, f"point {point} is not as it was put")
    return points


def _is_of_segment(store: Store, channel: str, ledger: Ledger, at: int, vector: Any) -> bool:
    """Compare the vector of a point with that of its passage; only dense ones may differ."""
    name = ledger.segments[int(ledger.segment_of[at])]
    folder = channel_folder(store.folder / FOLDER / name, channel)
    # Of a segment that was compacted since, or of words.
    if not folder.is_dir():
        return True
    held = Vectors(folder=folder).of_row(int(ledger.rows[at]))
    if vector is None:
        return held is None or not held.any() or ledger.shapes[channel].sparse
    if not isinstance(vector, list) or isinstance(vector[0], list):
        return True
    there: Floats = np.array(vector, dtype=np.float32)
    return held is None or bool(np.allclose(held[0], there, rtol=1e-4, atol=1e-6))


def _vector(edge: Library, shape: Shape, options: Options) -> Any:
    """Say what the vectors of a channel are like."""
    several = edge.MultiVectorConfig(edge.MultiVectorComparator.MaxSim) if shape.many else None
    pinned = edge.Memory.Pinned
    quantization = None
    if options.quantization == "scalar":
        quantization = edge.ScalarQuantizationConfig(type=edge.ScalarType.Int8, memory=pinned)
    elif options.quantization == "binary":
        quantization = edge.BinaryQuantizationConfig(memory=pinned)
    elif options.quantization == "turbo":
        quantization = edge.TurboQuantQuantizationConfig(memory=pinned)
    return edge.EdgeVectorParams(
        size=shape.d,
        distance=edge.Distance.Dot,
        multivector_config=several,
        quantization_config=quantization,
        hnsw_config=edge.HnswIndexConfig(**graph_of(options, many=shape.many)),
    )


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
        raise _damaged(folder, error) from error
    weakref.finalize(points, shutil.rmtree, copied, ignore_errors=True)
    return points


def _points(shard: Path) -> EdgePoints:
    edge = _library()
    with _told(shard.parent):
        return EdgePoints(shard=edge.EdgeShard.load(str(shard)), library=edge, folder=shard.parent)


@contextmanager
def _told(folder: Path) -> Iterator[None]:
    """Say which shard it is that Edge stumbles over, be it by a panic of its own."""
    try:
        yield
    except BaseException as error:
        if not (isinstance(error, Exception) or is_panic(error)):
            raise
        raise _damaged(folder, error) from error


def _damaged(folder: Path, problem: object) -> IndexFormatError:
    return IndexFormatError(
        f"the Qdrant shard {folder / SHARD} is damaged and cannot be opened ({problem}); "
        f"make it anew: {repair(folder)}"
    )


def _library() -> Library:
    return require("qdrant_edge", extra="qdrant")
