"""Points in a collection of a Qdrant server, or of qdrant-client's memory."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any, NamedTuple
from uuid import UUID

from medrag.errors import IndexFormatError
from medrag.extras import Library, require
from medrag.indexing.qdrant.connecting import connected, patiently, told
from medrag.indexing.qdrant.options import MEMORY, Options
from medrag.indexing.qdrant.payload import payload_filter
from medrag.indexing.qdrant.points import Asked, Ids, Near, Point, Shape, packed_ids, packed_near
from medrag.indexing.qdrant.shaping import client_search, client_vector, hnsw_of, written
from medrag.indexing.qdrant.terms import Sparse
from medrag.records import Filter

# Points per request, and per page of a listing.
BATCH, _PAGE = 256, 1000
# The shards of points without a domain.
NO_DOMAIN = "medrag:none"
_NOTE = "medrag"


class Note(NamedTuple):
    """What a collection says of itself.

    `owner` is the index that it is of, `made` how it was made, `state` what it holds, or "" while
    that changes.
    """

    owner: str
    made: str
    state: str


class Collection:
    """One collection, by name."""

    def __init__(self, *, name: str, options: Options, client: Library | None = None) -> None:
        self.name = name
        self.options = options
        # Those that have shards of their own, if any has.
        self.domains: frozenset[str] = frozenset()
        self._client = client or connected(options)
        self._models = require("qdrant_client.models")

    @property
    def note(self) -> Note | None:
        """Read what the collection says of itself; None if there is no collection.

        Raises:
            IndexFormatError: if medrag did not make it.
        """
        with told(self.options, self.name):
            if not self._client.collection_exists(self.name):
                return None
            held = self._client.get_collection(self.name).config.metadata or {}
        try:
            return Note(**held[_NOTE])
        except (KeyError, TypeError) as error:
            raise IndexFormatError(
                f"collection {self.name!r} of {self.options.url} was not made by medrag (its "
                "metadata does not say so; a server before 1.16 keeps none), and is left alone; "
                "give the store another collection"
            ) from error

    def dimensions(self) -> dict[str, int]:
        """Read the dimension of each named vector, 0 for those over terms."""
        with told(self.options, self.name):
            params = self._client.get_collection(self.name).config.params
        dense = {name: int(each.size) for name, each in (params.vectors or {}).items()}
        return {**dense, **dict.fromkeys(params.sparse_vectors or {}, 0)}

    def create(
        self, shapes: Mapping[str, Shape], options: Mapping[str, Options], note: Note
    ) -> None:
        """Make the collection anew, empty, without graphs until `finish`."""
        models, mine = self._models, self.options
        vectors = {
            name: client_vector(models, shape, options[name], bulk=mine.place != MEMORY)
            for name, shape in shapes.items()
            if not shape.sparse
        }
        sparse = {n: models.SparseVectorParams() for n, shape in shapes.items() if shape.sparse}
        with told(mine, self.name):
            if self._client.collection_exists(self.name):
                self._client.delete_collection(self.name)
            self._client.create_collection(
                self.name,
                vectors_config=vectors,
                sparse_vectors_config=sparse or None,
                shard_number=mine.shards,
                sharding_method=models.ShardingMethod.CUSTOM if mine.by_domain else None,
                replication_factor=mine.replicas,
                write_consistency_factor=mine.write_consistency,
                metadata={_NOTE: note._asdict()},
            )

    def index_payload(self, fields: Mapping[str, bool]) -> None:
        """Make filters on fields fast; see `payload.fields_of`."""
        schema = self._models.PayloadSchemaType
        with told(self.options, self.name):
            there = self._client.get_collection(self.name).payload_schema or {}
            for key, number in fields.items():
                if key not in there:
                    kind = schema.INTEGER if number else schema.KEYWORD
                    self._client.create_payload_index(self.name, key, field_schema=kind)

    def open_domains(self, domains: Iterable[str | None]) -> None:
        """Make the shards of domains that have none yet; nothing unless `by_domain`."""
        if not self.options.by_domain:
            return
        with told(self.options, self.name):
            keys = {key_of(domain) for domain in domains} - self.shard_keys()
            for key in sorted(keys):
                self._client.create_shard_key(
                    self.name,
                    key,
                    shards_number=self.options.shards,
                    replication_factor=self.options.replicas,
                )

    def shard_keys(self) -> set[str]:
        with told(self.options, self.name):
            listed = self._client.list_shard_keys(self.name).shard_keys or ()
        return {str(each.key) for each in listed}

    def put(self, batches: Iterable[tuple[str | None, list[Point]]]) -> None:
        """Add points, or replace those of equal ids, in several requests at a time.

        Args:
            batches: each of one domain.
        """

        def sent(domain: str | None, batch: list[Point]) -> None:
            points = [
                self._models.PointStruct(
                    id=p.id,
                    vector={n: written(self._models, v) for n, v in p.vectors.items()},
                    payload=p.payload,
                )
                for p in batch
            ]
            selector = self._selector(domain)
            patiently(
                lambda: self._client.upsert(
                    self.name, points, wait=True, shard_key_selector=selector
                )
            )

        with told(self.options, self.name):
            _side_by_side(sent, batches, self.options.parallel)

    def drop(self, ids: Ids, domain: str | None) -> None:
        """Remove points of one domain; without `by_domain` of any."""
        named = [str(UUID(bytes=each.tobytes())) for each in ids]
        selector = self._selector(domain)
        with told(self.options, self.name):
            for start in range(0, len(named), _PAGE):
                chosen = self._models.PointIdsList(points=named[start : start + _PAGE])
                delete = partial(self._client.delete, self.name, chosen, wait=True)
                patiently(partial(delete, shard_key_selector=selector))

    def ids(self) -> Iterator[tuple[str | None, Ids]]:
        """List the ids of all points, page by page, with the shard key that they lie in."""
        keys: Sequence[str | None] = sorted(self.shard_keys()) if self.options.by_domain else [None]
        for key in keys:
            offset: Any = None
            while True:
                with told(self.options, self.name):
                    records, offset = self._client.scroll(
                        self.name,
                        limit=_PAGE,
                        offset=offset,
                        with_payload=False,
                        shard_key_selector=key,
                    )
                yield key, packed_ids([record.id for record in records])
                if offset is None:
                    break

    def drop_from(self, key: str | None, ids: Ids) -> None:
        """Remove points of the shards of a key."""
        self.drop(ids, None if key == NO_DOMAIN else key)

    def say(self, note: Note) -> None:
        """Write what the collection says of itself."""
        with told(self.options, self.name):
            self._client.update_collection(self.name, metadata={_NOTE: note._asdict()})

    def build_graphs(self, shapes: Mapping[str, Shape], options: Mapping[str, Options]) -> None:
        """Let the server build, in the background, the graphs that `create` left out."""
        models = self._models
        wanted = {n: hnsw_of(s, options[n]) for n, s in shapes.items() if not s.sparse}
        vectors = {
            name: models.VectorParamsDiff(hnsw_config=models.HnswConfigDiff(**each))
            for name, each in wanted.items()
            if each["m"]
        }
        if vectors:
            with told(self.options, self.name):
                self._client.update_collection(self.name, vectors_config=vectors)

    def count(self) -> int:
        with told(self.options, self.name):
            return int(self._client.count(self.name, exact=True).count)

    def query(self, channel: str, asked: Sequence[Asked], options: Options) -> list[Near]:
        keys = [self._routed(each.wanted) for each in asked]
        # A domain that no point is of has no shards to ask.
        sent = [number for number, key in enumerate(keys) if key != []]
        requests = [self._request(channel, asked[n], options, keys[n]) for n in sent]
        found = [packed_near([])] * len(asked)
        consistency = self.options.read_consistency
        if isinstance(consistency, str):
            consistency = self._models.ReadConsistencyType(consistency)
        with told(self.options, self.name):
            answers = patiently(
                lambda: (
                    self._client.query_batch_points(self.name, requests, consistency=consistency)
                    if requests
                    else []
                )
            )
        for number, answer in zip(sent, answers, strict=True):
            found[number] = packed_near(answer.points)
        return found

    def _request(self, channel: str, asked: Asked, options: Options, keys: list[str] | None) -> Any:
        models = self._models
        # Memory and lists of terms are searched exactly; the one warns if it is told how, the
        # other is slow then.
        exact = options.place == MEMORY or isinstance(asked.vector, Sparse)
        return models.QueryRequest(
            query=written(models, asked.vector),
            using=channel,
            filter=payload_filter(asked.wanted, models),
            params=None if exact else client_search(models, options),
            limit=asked.limit,
            shard_key=keys,
        )

    def _routed(self, wanted: Filter) -> list[str] | None:
        """Name the shards that a filter's domains lie in; None for all."""
        if not self.options.by_domain or not wanted.domains:
            return None
        return sorted(wanted.domains & self.domains)

    def _selector(self, domain: str | None) -> str | None:
        return key_of(domain) if self.options.by_domain else None


def key_of(domain: str | None) -> str:
    return NO_DOMAIN if domain is None else domain


def _side_by_side(
    call: Callable[[str | None, list[Point]], None],
    batches: Iterable[tuple[str | None, list[Point]]],
    parallel: int,
) -> None:
    """Call for each batch in several threads, without reading far ahead."""
    # Threads, not the processes of `upload_points`: those import the caller's script again.
    with ThreadPoolExecutor(parallel) as pool:
        running: deque[Future[None]] = deque()
        for domain, batch in batches:
            running.append(pool.submit(call, domain, batch))
            if len(running) > parallel:
                running.popleft().result()
        for each in running:
            each.result()
