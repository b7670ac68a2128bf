"""Exact search beside FAISS, NumPy, Qdrant's local mode and Qdrant Edge.

    python -m tests.benchmarks.exact [--rows 200000] [--d 512] [--local-rows 20000] [--no-edge]

Clustered unit vectors, k = 10, all in one process, in turns. Ours is the public class on an index
on the disk; every contestant that is exact must give the same ten rows. Qdrant's local mode takes
minutes to fill: it gets `--local-rows`, and its times are scaled up to all rows, as a plain loop
over the rows is what it runs. A filter keeps one row in seven.
"""

import argparse
import tempfile
import time
import uuid
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from medrag.extras import require
from medrag.indexing.exact import ExactSearch
from medrag.indexing.manifest import ChannelEntry, Manifest, SegmentEntry
from medrag.indexing.segment import FOLDER, SegmentWriter, file_sums
from medrag.indexing.storage import Store
from medrag.indexing.vectors import channel_folder
from medrag.records import Embeddings, Filter, Passage, Source
from tests.benchmarks.measuring import (
    Row,
    interleaved,
    machine,
    product_rate,
    ratio,
    read_rate,
    table,
)

K = 10
SHELVES = 7
Floats = NDArray[np.float32]
Ids = list[list[int]]
SEVENTH = Filter(domains=frozenset({"domain0"}))


class Setup(NamedTuple):
    vectors: Floats
    questions: Floats
    store: Store


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--d", type=int, default=512)
    parser.add_argument("--local-rows", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--no-edge", action="store_true", help="leave Qdrant Edge out")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        vectors = clustered(given.rows, given.d)
        questions = near(vectors, 64)
        setup = Setup(vectors, questions, written_store(Path(folder) / "index", vectors))
        rows = [*first_query(setup), *one_query(setup, given), *many_queries(setup, given)]
        rows += filtered(setup, given)
        if not given.no_edge:
            rows += edge(setup, given, Path(folder))
    print(table(rows))
    print(f"\n{given.rows:,} x {given.d}, k = {K}; {machine()}")


def clustered(n: int, d: int) -> Floats:
    """Make unit vectors around a centre per 200 of them, at a cosine of about 0.55 to it."""
    rng = np.random.default_rng(0)
    centres = rng.standard_normal((max(1, n // 200), d), dtype=np.float32)
    vectors = centres[rng.integers(0, len(centres), n)]
    vectors += 1.5 * rng.standard_normal((n, d), dtype=np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors


def near(vectors: Floats, m: int) -> Floats:
    """Make questions that have neighbours, but are none of the vectors."""
    rng = np.random.default_rng(1)
    d = vectors.shape[1]
    asked = vectors[rng.integers(0, len(vectors), m)]
    asked = asked + rng.standard_normal((m, d), dtype=np.float32) / np.float32(np.sqrt(d))
    asked /= np.linalg.norm(asked, axis=1, keepdims=True)
    return np.asarray(asked, dtype=np.float32)


def written_store(folder: Path, vectors: Floats) -> Store:
    """Write an index of one segment: passages of seven domains in turn, and their vectors."""
    root = folder / FOLDER / "000001-benchmark"
    writer = SegmentWriter(root)
    sources = [Source("c", "d.txt", "0" * 64, domain=f"domain{i}") for i in range(SHELVES)]
    for row in range(len(vectors)):
        identifier = str(uuid.UUID(int=row))
        writer.add(Passage(identifier, "text", f"passage {row}", sources[row % SHELVES]))
    writer.close()
    held = channel_folder(root, "text")
    held.mkdir()
    np.save(held / "values.npy", vectors)
    np.save(held / "rows.npy", np.arange(len(vectors), dtype=np.int32))
    np.save(held / "lengths.npy", np.ones(len(vectors), dtype=np.int32))
    segment = SegmentEntry(root.name, 1, len(vectors), (), file_sums(root))
    entry = ChannelEntry({"kind": "dense"}, "benchmark", d=vectors.shape[1])
    return Store(folder=folder, manifest=Manifest(segments=(segment,), channels={"text": entry}))


def ours(search: ExactSearch, questions: Floats, wanted: Filter | None = None) -> Ids:
    asked = Embeddings(questions, np.ones(len(questions), dtype=np.int32))
    found = search.search(asked, K, [wanted or Filter()] * len(questions))
    return [[hit.row for hit in ranking] for ranking in found]


def first_query(setup: Setup) -> list[Row]:
    """Time the first search, which makes the copy that is scanned, and loads or compiles loops."""
    rows = []
    for scan in ("float32", "int8"):
        start = time.perf_counter()
        ours(ExactSearch(store=setup.store, name="text", scan=scan), setup.questions[:1])  # type: ignore[arg-type]
        rows.append(Row("first search", f"medrag {scan}", [time.perf_counter() - start]))
    return rows


def one_query(setup: Setup, given: argparse.Namespace) -> list[Row]:
    question = setup.questions[:1]
    search = {scan: _search(setup, scan) for scan in ("auto", "bfloat16", "float32", "bits")}
    flat = faiss_flat(setup.vectors)
    contestants: dict[str, Callable[[], Any]] = {
        **{f"medrag {scan}": partial(ours, each, question) for scan, each in search.items()},
        "FAISS IndexFlatIP": partial(flat, question),
        "NumPy": partial(by_numpy, setup.vectors, question),
    }
    local = qdrant_local(setup.vectors[: given.local_rows])
    contestants["Qdrant local"] = partial(local, question)
    _check_same(setup, search, flat)
    times = interleaved(contestants, rounds=given.rounds, most_seconds=3)
    _scale(times, "Qdrant local", len(setup.vectors) / given.local_rows)
    shares = _read_shares(setup, times, {"auto": 1, "bfloat16": 2, "float32": 4, "bits": 1 / 8})
    notes = {"medrag bits": _bits_recall(setup, search["bits"]), "Qdrant local": _scaled(given)}
    goals = {"FAISS IndexFlatIP": 2.5, "Qdrant local": 30.0}
    return _rows("1 query", times, "medrag auto", goals, shares, notes)


def many_queries(setup: Setup, given: argparse.Namespace) -> list[Row]:
    search = {scan: _search(setup, scan) for scan in ("auto", "bfloat16")}
    flat = faiss_flat(setup.vectors)
    contestants: dict[str, Callable[[], Any]] = {
        **{f"medrag {s}": partial(ours, each, setup.questions) for s, each in search.items()},
        "FAISS, threshold 20": partial(flat, setup.questions, threshold=20),
        "FAISS, default": partial(flat, setup.questions),
        "NumPy": partial(by_numpy, setup.vectors, setup.questions),
    }
    _check_same(setup, search, flat)
    times = interleaved(contestants, rounds=given.rounds, most_seconds=6)
    work = 2 * setup.vectors.size * len(setup.questions)
    limits = {"medrag auto": product_rate("int8"), "medrag bfloat16": product_rate("bfloat16")}
    shares = {}
    for name, limit in limits.items():
        rate = work / min(times[name])
        shares[name] = rate / limit, f"{rate / 1e9:,.0f} of {limit / 1e9:,.0f} GFLOP/s"
    goals = {"FAISS, threshold 20": 2.0, "FAISS, default": 15.0}
    return _rows(f"{len(setup.questions)} queries", times, "medrag auto", goals, shares, {})


def filtered(setup: Setup, given: argparse.Namespace) -> list[Row]:
    question = setup.questions[:1]
    search = {scan: _search(setup, scan) for scan in ("auto", "float32")}
    local = qdrant_local(setup.vectors[: given.local_rows])
    expected = [SHELVES * row for row in by_numpy(setup.vectors[::SHELVES], question)[0]]
    for each in search.values():
        _equal(ours(each, question, SEVENTH), [expected], "filter")
    contestants: dict[str, Callable[[], Any]] = {
        **{f"medrag {s}": partial(ours, each, question, SEVENTH) for s, each in search.items()},
        "Qdrant local": partial(local, question, filtered=True),
    }
    times = interleaved(contestants, rounds=given.rounds, most_seconds=3)
    _scale(times, "Qdrant local", len(setup.vectors) / given.local_rows)
    shares = _read_shares(setup, times, {"auto": 1 / SHELVES, "float32": 4 / SHELVES})
    notes = {"Qdrant local": _scaled(given)}
    return _rows(
        "1 query, 1 row in 7", times, "medrag auto", {"Qdrant local": 300.0}, shares, notes
    )


def edge(setup: Setup, given: argparse.Namespace, folder: Path) -> list[Row]:
    """Time Qdrant Edge as it is after upserts, and again after it built its graph."""
    question, search = setup.questions[:1], _search(setup, "auto")
    shard = EdgeShard(folder / "edge", setup.vectors)
    rows = []
    for state in ("before optimize", "HNSW"):
        if state == "HNSW":
            shard.optimize()
        name = f"Qdrant Edge, {state}"
        for what, wanted in (("1 query", None), ("1 query, 1 row in 7", SEVENTH)):
            contestants: dict[str, Callable[[], Any]] = {
                "medrag auto": partial(ours, search, question, wanted),
                name: partial(shard.search, question[0], filtered=wanted is not None),
            }
            times = interleaved(contestants, rounds=2 * given.rounds, warm=3, most_seconds=3)
            goal = {name: 0.5} if wanted else {}
            recall = _edge_recall(setup, search, shard, wanted)
            rows += _rows(what, times, "medrag auto", goal, {}, {name: f"recall@10 {recall:.3f}"})
    return rows


def faiss_flat(vectors: Floats) -> Callable[..., Ids]:
    faiss = require("faiss")
    index = faiss.IndexFlatIP(vectors.shape[1])
    index.add(vectors)
    default = faiss.cvar.distance_compute_blas_threshold

    def search(questions: Floats, *, threshold: int | None = None) -> Ids:
        faiss.cvar.distance_compute_blas_threshold = threshold or default
        try:
            return [[int(row) for row in each] for each in index.search(questions, K)[1]]
        finally:
            faiss.cvar.distance_compute_blas_threshold = default

    return search


def by_numpy(vectors: Floats, questions: Floats) -> Ids:
    scores = vectors @ questions.T
    best = np.argpartition(scores, -K, axis=0)[-K:]
    order = np.argsort(-np.take_along_axis(scores, best, axis=0), axis=0, kind="stable")
    return [[int(row) for row in each] for each in np.take_along_axis(best, order, axis=0).T]


def qdrant_local(vectors: Floats) -> Callable[..., None]:
    client_module, models = require("qdrant_client"), require("qdrant_client.models")
    client = client_module.QdrantClient(":memory:")
    params = models.VectorParams(size=vectors.shape[1], distance=models.Distance.DOT)
    client.create_collection("all", vectors_config=params)
    payload = [{"domain": f"domain{row % SHELVES}"} for row in range(len(vectors))]
    client.upload_collection("all", vectors=vectors, payload=payload, ids=range(len(vectors)))
    match = models.FieldCondition(key="domain", match=models.MatchValue(value="domain0"))
    wanted = models.Filter(must=[match])

    def search(questions: Floats, *, filtered: bool = False) -> None:
        for question in questions:
            client.query_points(
                "all", query=question, limit=K, query_filter=wanted if filtered else None
            )

    return search


class EdgeShard:
    """Qdrant Edge with one dense vector per point, and an index on the field of the filter."""

    def __init__(self, folder: Path, vectors: Floats) -> None:
        edge = require("qdrant_edge")
        folder.mkdir()
        params = edge.EdgeVectorParams(size=vectors.shape[1], distance=edge.Distance.Dot)
        self.edge = edge
        self.shard = edge.EdgeShard.create(str(folder), edge.EdgeConfig(vectors={"": params}))
        for start in range(0, len(vectors), 2000):
            points = [
                edge.Point(row, vectors[row].tolist(), {"domain": f"domain{row % SHELVES}"})
                for row in range(start, min(start + 2000, len(vectors)))
            ]
            self.shard.update(edge.UpdateOperation.upsert_points(points))
        self.shard.update(
            edge.UpdateOperation.create_field_index("domain", edge.PayloadSchemaType.Keyword)
        )

    def optimize(self) -> None:
        self.shard.optimize()

    def search(self, question: Floats, *, filtered: bool) -> list[int]:
        edge = self.edge
        match = edge.FieldCondition(key="domain", match=edge.MatchValue("domain0"))
        request = edge.SearchRequest(
            query=edge.Query.Nearest(question.tolist()),
            limit=K,
            filter=edge.Filter(must=[match]) if filtered else None,
        )
        return [point.id for point in self.shard.search(request)]


def _search(setup: Setup, scan: str) -> ExactSearch:
    return ExactSearch(store=setup.store, name="text", scan=scan)  # type: ignore[arg-type]


def _check_same(setup: Setup, search: dict[str, ExactSearch], flat: Callable[..., Ids]) -> None:
    """Hold what claims to be exact against FAISS, whose sums are in single precision."""
    expected = flat(setup.questions, threshold=20)
    for scan, each in search.items():
        if scan != "bits":
            _equal(ours(each, setup.questions), expected, scan)


def _equal(found: Ids, expected: Ids, what: str) -> None:
    if found != expected:
        different = sum(one != two for one, two in zip(found, expected, strict=True))
        raise AssertionError(f"{what}: {different} of {len(found)} rankings differ")


def _bits_recall(setup: Setup, search: ExactSearch) -> str:
    right = ours(_search(setup, "auto"), setup.questions)
    return f"recall@10 {_recall(ours(search, setup.questions), right):.3f}"


def _edge_recall(
    setup: Setup, search: ExactSearch, shard: EdgeShard, wanted: Filter | None
) -> float:
    right = ours(search, setup.questions, wanted)
    found = [shard.search(each, filtered=wanted is not None) for each in setup.questions]
    return _recall(found, right)


def _recall(found: Ids, right: Ids) -> float:
    shared = (len({*one} & {*two}) for one, two in zip(found, right, strict=True))
    return sum(shared) / sum(map(len, right))


def _scale(times: dict[str, list[float]], name: str, factor: float) -> None:
    times[name] = [factor * seconds for seconds in times[name]]


def _scaled(given: argparse.Namespace) -> str:
    return f"measured with {given.local_rows:,} rows, times {given.rows / given.local_rows:g}"


def _read_shares(
    setup: Setup, times: dict[str, list[float]], widths: dict[str, float]
) -> dict[str, tuple[float, str]]:
    """Set the bytes that a scan reads per second against what can be read of as many bytes."""
    shares = {}
    for scan, width in widths.items():
        size = int(width * setup.vectors.size)
        limit = read_rate(size=max(size, 4 << 20))
        rate = size / min(times[f"medrag {scan}"])
        shares[f"medrag {scan}"] = rate / limit, f"{rate / 1e9:.1f} of {limit / 1e9:.1f} GB/s"
    return shares


def _rows(
    what: str,
    times: dict[str, list[float]],
    best: str,
    goals: dict[str, float],
    shares: dict[str, tuple[float, str]],
    notes: dict[str, str],
) -> Sequence[Row]:
    return [
        Row(
            what,
            name,
            seconds,
            None if name == best else ratio(times, best, name),
            goals.get(name),
            *shares.get(name, (None, "")),
            notes.get(name, ""),
        )
        for name, seconds in times.items()
    ]


if __name__ == "__main__":
    main()
