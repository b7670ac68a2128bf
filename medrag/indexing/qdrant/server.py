"""Points in a collection of a Qdrant server, or of qdrant-client's memory."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from medrag.errors import IndexFormatError
from medrag.extras import Library, require
from medrag.indexing.qdrant.connecting import connected, patiently, told
from medrag.indexing.qdrant.options import MEMORY, Options, graph_of, search_params
from medrag.indexing.qdrant.payload import payload_filter
from medrag.indexing.qdrant.points import (
    Asked,
    Ids,
    Near,
    Point,
    Shape,
    packed_ids,
    packed_near,
    uuids,
)
from medrag.indexing.qdrant.terms import Sparse, written
from medrag.records import Filter

# Points per request, and per page of a listing.
BATCH, _PAGE = 256, 1000
_NOTE = "medrag"
# What may be asked again though nobody knows whether it was done.
_REPEATABLE = frozenset({"upsert", "delete", "query_batch_points"})


class Note(NamedTuple):
    """What a collection says of itself.

    `owner` is the index that it is of, `made` how it was made, `state` what it holds, or "" while
    that changes.
    """

    owner: str
    made: str
    state: str


class Collection:
    """One collection, by name, of the index in the folder `index`.

    Where each domain has shards of its own, `domains` are those that have any, and whatever is put
    or dropped names the key of its shards; elsewhere keys are None.

    Raises (every method):
        IndexFormatError: if the server has no such collection.
        MedragError: if it cannot be reached, refuses the key, or fails otherwise.
    """

    def __init__(
        self, *, name: str, options: Options, index: Path, domains: frozenset[str] = frozenset()
    ) -> None:
        self.name = name
        self.index = index
        self.options = options
        self.domains = domains
        self._client = connected(options)
        self._models = require("qdrant_client.models")

    @property
    def note(self) -> Note | None:
        """Read what the collection says of itself; None if there is no collection.

        Raises:
            IndexFormatError: if medrag did not make it.
        """
        if not self._call("collection_exists"):
            return None
        held = self._call("get_collection").config.metadata or {}
        try:
            return Note(**held[_NOTE])
        except (KeyError, TypeError) as error:
            raise IndexFormatError(
                f"collection {self.name!r} of {self.options.url} was not made by medrag (its "
                "metadata does not say so; a server before 1.16 keeps none), and is left alone; "
                "give the store another collection"
            ) from error

    def say(self, note: Note) -> None:
        """Write what the collection says of itself."""
        self._call("update_collection", metadata={_NOTE: note._asdict()})

    def dimensions(self) -> dict[str, int]:
        """Read the dimension of each named vector, 0 for those over terms."""
        params = self._call("get_collection").config.params
        dense = {name: int(each.size) for name, each in (params.vectors or {}).items()}
        return {**dense, **dict.fromkeys(params.sparse_vectors or {}, 0)}

    def create(
        self, shapes: Mapping[str, Shape], options: Mapping[str, Options], note: Note
    ) -> None:
        """Make the collection anew, empty, without graphs until `build_graphs`."""
        models, mine = self._models, self.options
        vectors = {
            name: _vector(models, shape, options[name])
            for name, shape in shapes.items()
            if not shape.sparse
        }
        sparse = {n: models.SparseVectorParams() for n, shape in shapes.items() if shape.sparse}
        if self._call("collection_exists"):
            self._call("delete_collection")
        self._call(
            "create_collection",
            vectors_config=vectors,
            sparse_vectors_config=sparse or None,
            shard_number=mine.shards,
            sharding_method=models.ShardingMethod.CUSTOM if mine.by_domain else None,
            replication_factor=mine.replicas,
            write_consistency_factor=mine.write_consistency,
            metadata={_NOTE: note._asdict()},
        )

    def build_graphs(self, shapes: Mapping[str, Shape], options: Mapping[str, Options]) -> None:
        """Let the server build, in the background, the graphs that `create` left out."""
        models = self._models
        dense = {name: shape for name, shape in shapes.items() if not shape.sparse}
        graphs = {name: graph_of(options[name], many=each.many) for name, each in dense.items()}
        vectors = {
            name: models.VectorParamsDiff(hnsw_config=models.HnswConfigDiff(**graph))
            for name, graph in graphs.items()
            if graph["m"]
        }
        if vectors:
            self._call("update_collection", vectors_config=vectors)

    def index_payload(self, fields: Mapping[str, bool]) -> None:
        """Make filters on fields fast; see `payload.fields_of`."""
        schema = self._models.PayloadSchemaType
        there = self._call("get_collection").payload_schema or {}
        for key, number in fields.items():
            if key not in there:
                kind = schema.INTEGER if number else schema.KEYWORD
                self._call("create_payload_index", key, field_schema=kind)

    def open_shards(self, keys: Iterable[str]) -> None:
        """Make the shards of keys that have none yet."""
        for key in sorted(set(keys) - self._keys()):
            self._call(
                "create_shard_key",
                key,
                shards_number=self.options.shards,
                replication_factor=self.options.replicas,
            )

    def put(self, batches: Iterable[tuple[str | None, list[Point]]]) -> None:
        """Add points, or replace those of equal ids, in several requests at a time.

        Args:
            batches: each with the key of its shards.
        """

        def sent(key: str | None, batch: list[Point]) -> None:
            points = [
                self._models.PointStruct(
                    id=p.id,
                    vector={n: written(self._models, v) for n, v in p.vectors.items()},
                    payload=p.payload,
                )
                for p in batch
            ]
            self._call("upsert", points, wait=True, shard_key_selector=key)

        _side_by_side(sent, batches, self.options.parallel)

    def drop(self, ids: Ids, key: str | None) -> None:
        """Remove points from the shards of a key."""
        named = uuids(ids)
        for start in range(0, len(named), _PAGE):
            chosen = self._models.PointIdsList(points=named[start : start + _PAGE])
            self._call("delete", chosen, wait=True, shard_key_selector=key)

    def ids(self) -> Iterator[tuple[str | None, Ids]]:
        """List the ids of all points, page by page, with the key of the shards they lie in."""
        keys: Sequence[str | None] = sorted(self._keys()) if self.options.by_domain else [None]
        for key in keys:
            page = partial(
                self._call, "scroll", limit=_PAGE, with_payload=False, shard_key_selector=key
            )
            records, offset = page()
            yield key, packed_ids([record.id for record in records])
            while offset is not None:
                records, offset = page(offset=offset)
                yield key, packed_ids([record.id for record in records])

    def count(self) -> int:
        return int(self._call("count", exact=True).count)

    def query(
        self, channel: str, asked: Sequence[Asked], limit: int, options: Options
    ) -> list[Near]:
        keys = [self._routed(each.wanted) for each in asked]
        # A domain that no point is of has no shards to ask.
        sent = [number for number, key in enumerate(keys) if key != []]
        found = [packed_near([])] * len(asked)
        if not sent:
            return found
        requests = [self._request(channel, asked[n], limit, options, keys[n]) for n in sent]
        consistency = self.options.read_consistency
        if isinstance(consistency, str):
            consistency = self._models.ReadConsistencyType(consistency)
        answers = self._call("query_batch_points", requests, consistency=consistency)
        for number, answer in zip(sent, answers, strict=True):
            found[number] = packed_near(answer.points)
        return found

    def _request(
        self, channel: str, asked: Asked, limit: int, options: Options, keys: list[str] | None
    ) -> Any:
        models = self._models
        # Memory and lists of terms are searched exactly; the one warns if it is told how, the
        # other is slow then.
        exact = options.place == MEMORY or isinstance(asked.vector, Sparse)
        return models.QueryRequest(
            query=written(models, asked.vector),
            using=channel,
            filter=payload_filter(asked.wanted, models),
            params=None if exact else search_params(options, models),
            limit=limit,
            shard_key=keys,
        )

    def _routed(self, wanted: Filter) -> list[str] | None:
        """Name the shards that a filter's domains lie in; None for all."""
        if not self.options.by_domain or not wanted.domains:
            return None
        return sorted(wanted.domains & self.domains)

    def _keys(self) -> set[str]:
        listed = self._call("list_shard_keys").shard_keys or ()
        return {str(each.key) for each in listed}

    def _call(self, method: str, *arguments: Any, **named: Any) -> Any:
        """Call a method of the client for this collection, and say what its errors mean."""
        call = partial(getattr(self._client, method), self.name, *arguments, **named)
        with told(self.options, self.name, self.index):
            return patiently(call) if method in _REPEATABLE else call()


def _vector(models: Library, shape: Shape, options: Options) -> Any:
    """Say what the vectors of a channel are like, and leave their graph for later."""
    several = quantization = None
    if shape.many:
        comparator = models.MultiVectorComparator.MAX_SIM
        several = models.MultiVectorConfig(comparator=comparator)
    if options.quantization == "scalar":
        kind = models.ScalarQuantizationConfig(type=models.ScalarType.INT8, always_ram=True)
        quantization = models.ScalarQuantization(scalar=kind)
    elif options.quantization == "binary":
        kind = models.BinaryQuantizationConfig(always_ram=True)
        quantization = models.BinaryQuantization(binary=kind)
    elif options.quantization == "turbo":
        kind = models.TurboQuantQuantizationConfig(always_ram=True)
        quantization = models.TurboQuantization(turbo=kind)
    graph = {**graph_of(options, many=shape.many), "m": 0}
    return models.VectorParams(
        size=shape.d,
        distance=models.Distance.DOT,
        multivector_config=several,
        hnsw_config=models.HnswConfigDiff(**graph),
        quantization_config=quantization,
        # Codes are searched in memory, and the vectors themselves only looked at for a few.
        on_disk=True if options.quantization else None,
    )


def _side_by_side(
    call: Callable[[str | None, list[Point]], None],
    batches: Iterable[tuple[str | None, list[Point]]],
    parallel: int,
) -> None:
    """Call for each batch in several threads, without reading far ahead."""
    # Threads, not the processes of `upload_points`: those import the caller's script again.
    with ThreadPoolExecutor(parallel) as pool:
        running: deque[Future[None]] = deque()
        for key, batch in batches:
            running.append(pool.submit(call, key, batch))
            if len(running) > parallel:
                running.popleft().result()
        for each in running:
            each.result()
