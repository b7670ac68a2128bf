"""Search some segments of an index exactly, as if there were no others."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medrag.indexing.dense import searched_in_place
from medrag.indexing.sparse import InvertedLists
from medrag.indexing.storage import Store
from medrag.records import Embeddings, Filter, ScoredRow, SparseEmbeddings


class SearchApart:
    """Search some segments of a store exactly, where they lie; rows are those of the store."""

    def __init__(self, *, store: Store, name: str, segments: Sequence[int]) -> None:
        manifest = store.manifest
        entry = replace(manifest.channels[name], derived={})
        entry = replace(entry, spec={k: v for k, v in entry.spec.items() if k != "store"})
        part = replace(
            manifest,
            segments=tuple(store.entries[each] for each in segments),
            channels={name: entry},
        )
        apart = Store(folder=store.folder, manifest=part)
        self._search: Any = (
            InvertedLists(store=apart, name=name)
            if entry.kind == "sparse"
            else searched_in_place(apart, name)
        )
        shifts = [
            np.full(store.entries[each].n, store.firsts[each] - first)
            for each, first in zip(segments, apart.firsts, strict=False)
        ]
        self._shift: NDArray[np.int64] = np.concatenate(shifts)

    def search(
        self, questions: Embeddings | SparseEmbeddings, k: int, filters: Sequence[Filter]
    ) -> list[list[ScoredRow]]:
        return [
            [ScoredRow(hit.row + int(self._shift[hit.row]), hit.score) for hit in ranking]
            for ranking in self._search.search(questions, k, filters)
        ]
