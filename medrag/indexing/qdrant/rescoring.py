"""Scores of given rows from the vectors of the segments, in double precision."""

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from medrag.indexing.qdrant.terms import Sparse, products
from medrag.indexing.storage import Store
from medrag.indexing.vectors import Vectors, channel_folder

Floats = NDArray[np.float32]
Rows = NDArray[np.int64]


class Rescoring:
    """Score rows anew: by their best pair of vectors, by MaxSim, or by the terms they share."""

    def __init__(self, *, store: Store, name: str) -> None:
        self.store = store
        self.name = name
        self.late_interaction = store.channel(name).late_interaction

    def scores(self, rows: Rows, question: Floats | Sparse) -> tuple[Floats, float]:
        """Score rows that the channel has vectors of.

        Args:
            rows: (m,), at least one.
            question: (n, d), or terms, at least one.

        Returns:
            Scores (m,), and a bound on the error of the same in single precision.
        """
        vectors, lengths = self._gathered(rows)
        if isinstance(question, Sparse):
            sums, sizes = products(vectors, lengths, question)
            error = len(question.terms) * 2.0**-22 * float(sizes.max())
            return sums.astype(np.float32), error
        return self._of_vectors(vectors, lengths, question)

    def has(self, rows: Rows) -> NDArray[np.bool_]:
        """Tell which rows the channel has vectors of."""
        found = np.zeros(len(rows), dtype=np.bool_)
        for number, here in self._by_segment(rows):
            vectors = self._vectors[number]
            if vectors is not None and len(vectors.rows):
                local = rows[here] - self.store.firsts[number]
                places = np.minimum(np.searchsorted(vectors.rows, local), len(vectors.rows) - 1)
                found[here] = vectors.rows[places] == local
        return found

    def _of_vectors(
        self, vectors: Floats, lengths: NDArray[np.int64], question: Floats
    ) -> tuple[Floats, float]:
        wide = vectors.astype(np.float64)
        asked = question.astype(np.float64)
        if self.late_interaction:
            products = asked @ wide.T
        else:
            # Not a matrix product: the order of its sums depends on the shape, and equal vectors
            # are to have equal scores.
            products = np.stack([np.einsum("ij,j->i", wide, each) for each in asked])
        starts = np.concatenate(([0], np.cumsum(lengths[:-1], dtype=np.int64)))
        best = np.maximum.reduceat(products, starts, axis=1)
        scores = best.sum(axis=0) if self.late_interaction else best.max(axis=0)
        longest = float(np.sqrt(np.einsum("ij,ij->i", wide, wide).max()))
        norms = float(np.linalg.norm(asked, axis=1).sum())
        return scores.astype(np.float32), vectors.shape[1] * 2.0**-22 * longest * norms

    def _gathered(self, rows: Rows) -> tuple[Floats, NDArray[np.int64]]:
        """Read the vectors of rows, packed in their order."""
        parts: dict[int, Floats] = {}
        for number, here in self._by_segment(rows):
            if (vectors := self._vectors[number]) is not None:
                local = rows[here] - self.store.firsts[number]
                for at, place in zip(here, np.searchsorted(vectors.rows, local), strict=True):
                    start, stop = vectors.starts[place : place + 2]
                    parts[int(at)] = vectors.values[start:stop]
        ordered = [parts[at] for at in range(len(rows))]
        return np.concatenate(ordered), np.array([len(each) for each in ordered], dtype=np.int64)

    def _by_segment(self, rows: Rows) -> list[tuple[int, Rows]]:
        numbers = np.searchsorted(self.store.firsts, rows, side="right") - 1
        return [(int(n), np.flatnonzero(numbers == n)) for n in np.unique(numbers)]

    @cached_property
    def _vectors(self) -> list[Vectors | None]:
        folders = [channel_folder(each.folder, self.name) for each in self.store.segments]
        return [Vectors(folder=folder) if folder.is_dir() else None for folder in folders]
