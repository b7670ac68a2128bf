"""A Qdrant server for tests: it records REST requests, and answers them out of memory.

Shard keys, which qdrant-client's memory lacks, are collections of their own here; what a server
would refuse about them is refused.
"""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

from qdrant_client import QdrantClient, models

_WHOLE = ""


class Request(NamedTuple):
    method: str
    path: str
    query: dict[str, list[str]]
    body: Any


class Refused(Exception):  # noqa: N818 - what the server says no to
    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


class Held:
    """One collection: how it was made, and what each shard key holds."""

    def __init__(self, made: dict[str, Any]) -> None:
        self.made = made
        self.by_key = made.get("sharding_method") == "custom"
        self.metadata: dict[str, Any] = made.get("metadata") or {}
        self.fields: dict[str, str] = {}
        self.keys: list[str] = [] if self.by_key else [_WHOLE]


class FakeServer:
    """What was asked is in `requests`; `key`, if set, is the only one that is let in."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.keys_seen: set[str | None] = set()
        self.key: str | None = None
        self.held: dict[str, Held] = {}
        # Statuses to fail with, before anything is answered.
        self.failures: list[int] = []
        self._memory = QdrantClient(":memory:")
        self._lock = threading.Lock()

    def of(self, method: str, end: str) -> list[Request]:
        """List the requests of a method whose path ends so."""
        return [r for r in self.requests if r.method == method and r.path.endswith(end)]

    def points(self, name: str) -> dict[str, dict[str, Any]]:
        """Give the payloads of all points by shard key and id."""
        found = {}
        for key in self.held[name].keys:
            records, _ = self._memory.scroll(_place(name, key), limit=10_000)
            found[key] = {str(record.id): record.payload for record in records}
        return found

    def forget(self, name: str) -> None:
        for key in self.held.pop(name).keys:
            self._memory.delete_collection(_place(name, key))

    def answer(self, request: Request, key: str | None) -> Any:
        with self._lock:
            self.requests.append(request)
            self.keys_seen.add(key)
            if self.key is not None and key != self.key:
                raise Refused(403, "Forbidden")
            if self.failures:
                raise Refused(self.failures.pop(0), "not now")
            _, _, name, *rest = request.path.split("/")
            return self._answer(request, name, "/".join(rest))

    def _answer(self, request: Request, name: str, what: str) -> Any:
        if what == "exists":
            return {"exists": name in self.held}
        if what == "" and request.method == "PUT":
            return self._create(name, request.body)
        if name not in self.held:
            raise Refused(404, f"Collection `{name}` doesn't exist!")
        held = self.held[name]
        if what == "" and request.method == "DELETE":
            self.forget(name)
            return True
        if what == "" and request.method == "PATCH":
            held.metadata.update(request.body.get("metadata") or {})
            return True
        if what == "":
            return _info(held)
        if what == "index":
            held.fields[request.body["field_name"]] = request.body["field_schema"]
            return _DONE
        if what == "shards":
            return self._shards(request, name, held)
        return self._points(name, held, what, request.body)

    def _create(self, name: str, made: dict[str, Any]) -> bool:
        if name in self.held:
            raise Refused(409, f"Collection `{name}` already exists!")
        self.held[name] = Held(made)
        for key in self.held[name].keys:
            self._open(name, key)
        return True

    def _open(self, name: str, key: str) -> None:
        vectors = {
            channel: models.VectorParams(**params)
            for channel, params in (self.held[name].made.get("vectors") or {}).items()
        }
        sparse = {
            channel: models.SparseVectorParams()
            for channel in self.held[name].made.get("sparse_vectors") or {}
        }
        self._memory.create_collection(
            _place(name, key), vectors_config=vectors, sparse_vectors_config=sparse
        )

    def _shards(self, request: Request, name: str, held: Held) -> Any:
        if request.method == "GET":
            return {"shard_keys": [{"key": key} for key in held.keys]}
        key = request.body["shard_key"]
        if not held.by_key or key in held.keys:
            raise Refused(400, f"cannot make shard key {key}")
        held.keys.append(key)
        self._open(name, key)
        return True

    def _points(self, name: str, held: Held, what: str, body: Any) -> Any:
        if what == "points/query/batch":
            return [self._queried(name, held, each) for each in body["searches"]]
        places = [_place(name, key) for key in self._chosen(held, body.get("shard_key"), what)]
        if what == "points":
            points = [models.PointStruct(**each) for each in body["points"]]
            for place in places:
                self._memory.upsert(place, points)
            return _DONE
        if what == "points/delete":
            for place in places:
                self._memory.delete(place, models.PointIdsList(points=body["points"]))
            return _DONE
        if what == "points/count":
            return {"count": sum(self._memory.count(place).count for place in places)}
        if what == "points/scroll":
            return self._scrolled(places, body)
        raise Refused(404, what)

    def _chosen(self, held: Held, selector: Any, what: str) -> list[str]:
        if selector is None:
            if held.by_key and what in ("points", "points/delete"):
                raise Refused(400, "Shard key not specified")
            return held.keys
        keys = selector if isinstance(selector, list) else [selector]
        unknown = [key for key in keys if key not in held.keys]
        if unknown or not held.by_key:
            raise Refused(404, f"Shard key {unknown} not found")
        return keys

    def _scrolled(self, places: list[str], body: Any) -> Any:
        records = [r for place in places for r in self._memory.scroll(place, limit=10_000)[0]]
        ids = sorted(str(record.id) for record in records)
        start = ids.index(body["offset"]) if body.get("offset") else 0
        page = ids[start : start + body["limit"]]
        rest = ids[start + body["limit"] :]
        return {"points": [{"id": i} for i in page], "next_page_offset": rest[0] if rest else None}

    def _queried(self, name: str, held: Held, body: Any) -> Any:
        keys = self._chosen(held, body.pop("shard_key", None), "points/query")
        body.pop("params", None)
        found = []
        for key in keys:
            (answer,) = self._memory.query_batch_points(
                _place(name, key), [models.QueryRequest(**body)]
            )
            found += answer.points
        found.sort(key=lambda point: -point.score)
        return {
            "points": [{"id": p.id, "version": 0, "score": p.score} for p in found[: body["limit"]]]
        }


_DONE = {"operation_id": 0, "status": "completed"}


def _place(name: str, key: str) -> str:
    # A shard key may hold what the name of a collection may not.
    return f"{name}@{key.encode().hex()}"


def _info(held: Held) -> dict[str, Any]:
    hnsw = {"m": 16, "ef_construct": 100, "full_scan_threshold": 10_000}
    optimizer = {
        "deleted_threshold": 0.2,
        "vacuum_min_vector_number": 1000,
        "default_segment_number": 0,
        "flush_interval_sec": 5,
    }
    return {
        "status": "green",
        "optimizer_status": "ok",
        "segments_count": 1,
        "config": {
            "params": {key: held.made.get(key) for key in ("vectors", "sparse_vectors")},
            "hnsw_config": hnsw,
            "optimizer_config": optimizer,
            "metadata": held.metadata or None,
        },
        "payload_schema": {
            field: {"data_type": kind, "points": 0} for field, kind in held.fields.items()
        },
    }


@contextmanager
def serving(server: FakeServer, port: int = 0) -> Iterator[str]:
    """Answer on a port of this machine, and give the url."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *arguments: object) -> None:
            pass

        def _serve(self) -> None:
            content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            parts = urlsplit(self.path)
            body = json.loads(content) if content else None
            request = Request(self.command, parts.path, parse_qs(parts.query), body)
            try:
                status, result = 200, server.answer(request, self.headers.get("api-key"))
                told: Any = {"result": result, "status": "ok", "time": 0.0}
            except Refused as error:
                status, told = error.status, {"status": {"error": str(error)}, "time": 0.0}
            said = json.dumps(told).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        do_GET = do_PUT = do_POST = do_PATCH = do_DELETE = _serve  # noqa: N815

    http = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    http.daemon_threads = True
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{http.server_address[1]}"
    finally:
        http.shutdown()
        thread.join()
        http.server_close()
