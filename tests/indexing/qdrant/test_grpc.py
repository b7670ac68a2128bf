"""Searches over gRPC say what those over REST say."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from qdrant_client import grpc as messages

from medrag.errors import MedragError
from medrag.indexing.exact import ExactSearch
from medrag.indexing.qdrant import QdrantSearch
from medrag.indexing.storage import Store
from medrag.records import Embeddings, Filter
from tests.indexing.qdrant.fake_server import FakeServer
from tests.indexing.qdrant.lines import asked, built, lines


class Service:
    """Answer searches with the points of an exact search, and keep what was asked."""

    def __init__(self, store: Store, made: Any, metadata: dict[str, str]) -> None:
        self.store = store
        self.made = made
        self.metadata = metadata
        self.asked: list[Any] = []
        self.keys: set[str] = set()
        self.code: grpc.StatusCode | None = None

    def answer(self, method: str, request: Any, context: grpc.ServicerContext) -> Any:
        self.keys |= {str(v) for k, v in context.invocation_metadata() if k == "api-key"}
        if self.code is not None:
            context.abort(self.code, "no")
        if method == "CollectionExists":
            return messages.CollectionExistsResponse(result=messages.CollectionExists(exists=True))
        if method == "Get":
            return messages.GetCollectionInfoResponse(result=self._info())
        self.asked.append(request)
        return messages.QueryBatchResponse(
            result=[messages.BatchResult(result=self._found(q)) for q in request.query_points]
        )

    def _info(self) -> Any:
        info = empty_info()
        vectors = info.config.params.vectors_config.params_map.map
        for name, params in self.made["vectors"].items():
            vectors[name].size = params["size"]
            vectors[name].distance = messages.Distance.Dot
        note = info.config.metadata["medrag"].struct_value.fields
        for key, value in self.metadata.items():
            note[key].string_value = value
        return info

    def _found(self, query: Any) -> list[Any]:
        domains = {
            text
            for condition in query.filter.must
            for text in condition.field.match.keywords.strings
        }
        vector = np.array(query.query.nearest.dense.data, dtype=np.float32)
        (ranking,) = ExactSearch(store=self.store, name="words").search(
            asked_vector(vector), query.limit, [Filter(domains=frozenset(domains))]
        )
        passages = self.store.passages_at([hit.row for hit in ranking])
        return [
            messages.ScoredPoint(id=messages.PointId(uuid=p.id), score=hit.score)
            for p, hit in zip(passages, ranking, strict=True)
        ]


def asked_vector(vector: Any) -> Any:
    return Embeddings(vector[None], np.ones(1, dtype=np.int32))


class Recorder:
    """Agree to everything that an upload asks, and keep it."""

    def __init__(self) -> None:
        self.asked: dict[str, list[Any]] = {}

    def answer(self, method: str, request: Any, context: grpc.ServicerContext) -> Any:
        self.asked.setdefault(method, []).append(request)
        if method == "CollectionExists":
            return messages.CollectionExistsResponse(result=messages.CollectionExists(exists=False))
        if method == "Get":
            return messages.GetCollectionInfoResponse(result=empty_info())
        if method == "ListShardKeys":
            return messages.ListShardKeysResponse()
        if method == "CreateShardKey":
            return messages.CreateShardKeyResponse(result=True)
        if method in ("Create", "Update"):
            return messages.CollectionOperationResponse(result=True)
        return messages.PointsOperationResponse(
            result=messages.UpdateResult(status=messages.UpdateStatus.Completed)
        )


def empty_info() -> Any:
    info = messages.CollectionInfo(status=1, segments_count=1)
    graph = info.config.hnsw_config
    graph.m, graph.ef_construct, graph.full_scan_threshold = 16, 100, 10_000
    optimizer = info.config.optimizer_config
    optimizer.deleted_threshold, optimizer.vacuum_min_vector_number = 0.2, 1000
    optimizer.default_segment_number, optimizer.flush_interval_sec = 0, 5
    log = info.config.wal_config
    log.wal_capacity_mb, log.wal_segments_ahead = 32, 0
    info.optimizer_status.ok = True
    return info


_METHODS = {
    "qdrant.Collections": {
        "CollectionExists": messages.CollectionExistsRequest,
        "Create": messages.CreateCollection,
        "CreateShardKey": messages.CreateShardKeyRequest,
        "Get": messages.GetCollectionInfoRequest,
        "ListShardKeys": messages.ListShardKeysRequest,
        "Update": messages.UpdateCollection,
    },
    "qdrant.Points": {
        "CreateFieldIndex": messages.CreateFieldIndexCollection,
        "QueryBatch": messages.QueryBatchPoints,
        "Upsert": messages.UpsertPoints,
    },
}


@contextmanager
def listening(service: Service | Recorder) -> Iterator[int]:
    server = grpc.server(ThreadPoolExecutor(2))
    for name, methods in _METHODS.items():
        handlers = {
            method: grpc.unary_unary_rpc_method_handler(
                lambda request, context, method=method: service.answer(method, request, context),
                request_deserializer=message.FromString,
                response_serializer=lambda answer: answer.SerializeToString(),
            )
            for method, message in methods.items()
        }
        server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(name, handlers)])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield port
    finally:
        server.stop(None).wait()


def test_an_upload_over_grpc_says_the_same_as_over_rest(quick: Path) -> None:
    service = Recorder()
    with listening(service) as port:
        options = {
            "url": f"http://127.0.0.1:{port}",
            "grpc_port": port,
            "prefer_grpc": True,
            "collection": "c",
            "by_domain": True,
            "shards": 2,
            "replicas": 3,
            "quantization": "scalar",
        }
        store = built(quick, {"a.lines": lines(1, 30)}, options)
    (made,) = service.asked["Create"]
    assert made.sharding_method == messages.ShardingMethod.Custom
    assert (made.shard_number, made.replication_factor) == (2, 3)
    vectors = made.vectors_config.params_map.map["words"]
    assert (vectors.size, vectors.on_disk, vectors.hnsw_config.m) == (16, True, 0)
    sent = {
        point.id.uuid: request.shard_key_selector.shard_keys[0].keyword
        for request in service.asked["Upsert"]
        for point in request.points
    }
    assert sent == {p.id: p.source.domain or "medrag:none" for p in store.passages}
    keys = {request.request.shard_key.keyword for request in service.asked["CreateShardKey"]}
    assert keys == set(sent.values())
    *_, last = service.asked["Update"]
    assert last.metadata["medrag"].struct_value.fields["state"].string_value


def test_a_search_over_grpc_is_that_over_rest(
    quick: Path, server: FakeServer, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = built(quick, {"a.lines": lines(1, 60)}, {"url": url, "collection": "c"})
    held = server.held["c"]
    service = Service(store, held.made, held.metadata["medrag"])
    wanted = [Filter(), Filter(domains=frozenset({"radiology"}))]
    questions = asked("left lung", "pleural effusion")
    expected = ExactSearch(store=store, name="words").search(questions, 5, wanted)
    server.requests.clear()
    monkeypatch.setenv("QDRANT_API_KEY", "a-secret-key")
    options: dict[str, Any] = {"url": url, "collection": "c", "prefer_grpc": True}
    with listening(service) as port:
        search = QdrantSearch(
            store=store, name="words", grpc_port=port, read_consistency="quorum", ef=99, **options
        )
        assert search.search(questions, 5, wanted) == expected
        (batch,) = service.asked
        assert [query.using for query in batch.query_points] == ["words", "words"]
        assert batch.query_points[0].params.hnsw_ef == 99
        assert batch.read_consistency.type == messages.ReadConsistencyType.Quorum
        assert service.keys == {"a-secret-key"}
        service.code = grpc.StatusCode.PERMISSION_DENIED
        with pytest.raises(MedragError, match="refuses access to collection 'c'"):
            search.search(questions, 5, wanted)
    assert server.requests == []
