"""Vectors in segments without files, their FAISS index, and how rankings are compared."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np

from medrag.indexing.faiss import FaissSearch, derive
from medrag.indexing.manifest import ChannelEntry
from medrag.indexing.storage import Block
from medrag.records import Embeddings, Filter, ScoredRow
from tests.indexing.vector_library import packed, plainly

Floats = np.ndarray[Any, np.dtype[np.float32]]
FILTERS = [Filter(), Filter(kinds=frozenset({"report"})), Filter(kinds=frozenset({"case"}))]


class Segments:
    """A store without files: vectors by segment, every third row a report, some rows removed."""

    def __init__(
        self,
        folder: Path,
        parts: Mapping[str, Sequence[Floats]],
        store: Mapping[str, Any],
        *,
        removed: Sequence[int] = (),
    ) -> None:
        self.folder = folder
        self.parts = parts
        self.entries = [SimpleNamespace(name=name) for name in parts]
        vectors = [each for part in parts.values() for each in part]
        d = vectors[0].shape[1] if vectors else None
        self.entry = ChannelEntry({"kind": "dense", "store": store}, encoder="made", d=d)
        self.live = ~np.isin(np.arange(len(vectors)), removed)

    @property
    def at(self) -> Path:
        return self.folder / "derived" / "faiss-000001"

    def channel(self, name: str) -> ChannelEntry:
        return self.entry

    def derived(self, name: str) -> Path:
        return self.at

    def vectors(self, name: str) -> list[Block]:
        blocks, first = [], 0
        for part in self.parts.values():
            if part:
                lengths = np.array([len(each) for each in part], np.int32)
                blocks.append(Block(first + np.arange(len(part)), lengths, np.concatenate(part)))
            first += len(part)
        return blocks

    def place_of(self, row: int) -> SimpleNamespace:
        ends = np.cumsum([len(part) for part in self.parts.values()])
        return SimpleNamespace(segment=int(np.searchsorted(ends, row, side="right")))

    def row_mask(self, wanted: Filter) -> Any:
        if not wanted.kinds:
            return self.live.copy()
        third = np.arange(len(self.live)) % 3 == 0
        return self.live & third if "report" in wanted.kinds else self.live & False

    def derive(self, previous: Path | None = None) -> "Segments":
        self.at.mkdir(parents=True)
        made: Any = self
        derive(store=made, channels={"made": self.entry}, folder=self.at, previous=previous)
        return self

    def search(self, **options: Any) -> FaissSearch:
        made: Any = self
        return FaissSearch(store=made, name="made", **{**self.entry.spec["store"], **options})

    def plainly(self, asked: Embeddings, k: int, wanted: Sequence[Filter]) -> Any:
        made: Any = self
        return plainly(made, asked, k, wanted)


class Case(NamedTuple):
    store: Segments
    asked: Embeddings


def some(folder: Path, factory: str, *, n: int = 400, d: int = 12, seed: int = 0) -> Case:
    draw = np.random.default_rng(seed)
    vectors = [unit(draw.standard_normal((1 + i % 2, d))) for i in range(n)]
    parts = {"a": vectors[: n // 2], "b": [], "c": vectors[n // 2 :]}
    store = Segments(folder, parts, {"factory": factory}, removed=[0, 3, 5]).derive()
    return Case(store, packed([unit(draw.standard_normal((1, d))) for _ in range(6)], d))


def unit(values: Any) -> Any:
    return (values / np.linalg.norm(values, axis=1, keepdims=True)).astype(np.float32)


def rows(found: Sequence[Sequence[ScoredRow]]) -> list[list[int]]:
    return [[hit.row for hit in ranking] for ranking in found]


def check(found: Any, expected: Any) -> None:
    assert rows(found) == rows(expected)
    for one, two in zip(found, expected, strict=True):
        np.testing.assert_allclose([h.score for h in one], [h.score for h in two], atol=1e-3)
