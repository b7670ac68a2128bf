"""Qdrant beside the exact search: points per second into it, milliseconds per question out of it.

    python -m tests.benchmarks.qdrant [--rows 100000] [--d 512]

Vectors lie in clusters, as embeddings do, and are of unit length. Every contestant searches the
same index, through its own class; `recall` is the share of the exact top 10 that it finds.
"""

import argparse
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medrag.build import ChannelPlan
from medrag.indexing.backends import VectorSearch
from medrag.indexing.exact import ExactSearch
from medrag.indexing.qdrant import QdrantSearch, derive
from medrag.indexing.storage import Store, open_store
from medrag.protocols import Side
from medrag.records import Embeddings, Filter, Passage, Question
from tests.benchmarks.measuring import Row, interleaved, machine, ratio, read_rate, table
from tests.indexing.library import build_lines

K = 10
QUESTIONS = 20
# Keeps one passage in seven.
SEVENTH = Filter(domains=frozenset({"domain 3"}))


class Given:
    """Give the vector that the text of a passage numbers."""

    name = "given"
    normalised = True

    def __init__(self, values: NDArray[np.float32]) -> None:
        self.values = values

    def encodes(self, passage: Passage) -> bool:
        return True

    def encode_passages(self, passages: Sequence[Passage]) -> Embeddings:
        rows = [int(each.text) for each in passages]
        return Embeddings(self.values[rows], np.ones(len(rows), dtype=np.int32))

    def encode_questions(self, questions: Sequence[Question], side: Side) -> Embeddings:
        raise NotImplementedError


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--d", type=int, default=512)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        print(report(Path(folder), asked.rows, asked.d))


def report(folder: Path, n: int, d: int) -> str:
    """Measure and write two tables."""
    values = clustered(n, d, seed=0)
    store = indexed(folder, values)
    uploads = [f"| {name} | {rate:,.0f} |" for name, rate in uploaded(store, folder)]
    searches = {
        "exact": ExactSearch(store=store, name="given"),
        "qdrant edge, HNSW": shard(store, folder / "hnsw"),
        "qdrant edge, exact": shard(store, folder / "hnsw", exact=True),
        "qdrant in memory": QdrantSearch(store=store, name="given", location=":memory:"),
    }
    near = clustered(QUESTIONS, d, seed=1, n_centres=n)
    rows = [
        row
        for what, wanted in (("1 question", Filter()), ("1 question, 1 in 7 rows", SEVENTH))
        for row in compared(what, searches, near, wanted, 4 * n * d)
    ]
    return "\n".join(
        [
            f"{n:,} x {d}, top {K}; {machine()}",
            "",
            "| into | points/s, until it can be searched |",
            "|---|---|",
            *uploads,
            "",
            table(rows),
        ]
    )


def clustered(n: int, d: int, *, seed: int, n_centres: int = 0) -> NDArray[np.float32]:
    """Draw unit vectors around common centres; `n_centres` names the library that they fit."""
    centres = np.random.default_rng(99).standard_normal((max(1, (n_centres or n) // 100), d))
    random = np.random.default_rng(seed)
    values = centres[random.integers(len(centres), size=n)] + random.standard_normal((n, d))
    values /= np.linalg.norm(values, axis=1, keepdims=True)
    return values.astype(np.float32)


def indexed(folder: Path, values: NDArray[np.float32]) -> Store:
    spec: dict[str, Any] = {"kind": "dense", "encoder": {"kind": "given"}, "store": "exact"}
    lines = [{"text": str(row), "domain": f"domain {row % 7}"} for row in range(len(values))]
    plan = {"given": ChannelPlan(spec, partial(Given, values))}
    build_lines(folder / "index", folder / "in", {"a.lines": lines}, channels=plan)
    return open_store(folder / "index")


def uploaded(store: Store, folder: Path) -> list[tuple[str, float]]:
    """Fill each place, and give the points per second of it."""
    rates = []
    for name, options in (("edge, HNSW", {}), ("edge, no graph", {"hnsw": {"m": 0}})):
        place = folder / ("no graph" if options else "hnsw")
        place.mkdir()
        start = time.perf_counter()
        derive(store=store, channels=channels(store, options), folder=place, previous=None)
        rates.append((name, len(store.passages) / (time.perf_counter() - start)))
    start = time.perf_counter()
    memory = QdrantSearch(store=store, name="given", location=":memory:")
    memory.search(question(store, np.ones(store.channel("given").d or 1)), 1, [Filter()])
    rates.append(("memory", len(store.passages) / (time.perf_counter() - start)))
    return rates


def channels(store: Store, options: dict[str, Any]) -> dict[str, Any]:
    entry = store.channel("given")
    return {"given": replace(entry, spec={**entry.spec, "store": {"kind": "qdrant", **options}})}


def shard(store: Store, folder: Path, **options: Any) -> QdrantSearch:
    """Open a shard that lies outside the index."""

    class Elsewhere(Store):
        def derived(self, channel: str) -> Path:
            return folder

    elsewhere = Elsewhere(folder=store.folder, manifest=store.manifest)
    return QdrantSearch(store=elsewhere, name="given", **options)


def question(store: Store, values: NDArray[Any]) -> Embeddings:
    packed = np.asarray(values, dtype=np.float32).reshape(-1, store.channel("given").d or 1)
    return Embeddings(packed, np.ones(len(packed), dtype=np.int32))


def compared(
    what: str,
    searches: dict[str, VectorSearch],
    near: NDArray[np.float32],
    wanted: Filter,
    scanned: int,
) -> list[Row]:
    """Time one question at a time, in turns, and compare the top 10 with the exact one."""
    asked = [Embeddings(each[None], np.ones(1, dtype=np.int32)) for each in near]
    expected = [searches["exact"].search(each, K, [wanted])[0] for each in asked]
    recalls = {}
    for name, search in searches.items():
        some = asked[:3] if "memory" in name else asked
        found = [search.search(each, K, [wanted])[0] for each in some]
        recalls[name] = recall(found, expected)
        if name != "qdrant edge, HNSW" and recalls[name] != 1:
            raise ValueError(f"{name} finds another top {K} than the exact search")
    turns = {name: _turn(search, asked, wanted) for name, search in searches.items()}
    times = interleaved(turns, rounds=15, most_seconds=8)
    limit = read_rate()
    return [
        Row(
            what,
            name,
            times[name],
            None if name == "exact" else ratio(times, "exact", name),
            share=_share(name, wanted, scanned / limit / float(np.median(times[name]))),
            limit=f"reading all vectors at {limit / 1e9:.0f} GB/s",
            note=f"recall@{K} {recalls[name]:.3f}",
        )
        for name in searches
    ]


def _share(name: str, wanted: Filter, share: float) -> float | None:
    """Keep the share where every vector must be read."""
    return None if "HNSW" in name or wanted != Filter() else share


def recall(found: Sequence[Any], expected: Sequence[Any]) -> float:
    same = [len(dict(a).keys() & dict(b).keys()) for a, b in zip(found, expected, strict=False)]
    return sum(same) / sum(len(each) for each in expected[: len(found)])


def _turn(search: VectorSearch, asked: Sequence[Embeddings], wanted: Filter) -> Any:
    turns = iter(range(10**9))

    def turn() -> None:
        search.search(asked[next(turns) % len(asked)], K, [wanted])

    return turn


if __name__ == "__main__":
    main()
