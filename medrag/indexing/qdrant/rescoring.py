"""Scores from the segments: of rows that Qdrant found, and of passages that it has not yet."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medrag.indexing.dense import searched_in_place
from medrag.indexing.maxsim import scoring
from medrag.indexing.maxsim.packed import copied, packed
from medrag.indexing.qdrant.terms import Floats, Sparse
from medrag.indexing.scanning.candidates import slack
from medrag.indexing.scanning.library import Library, best_vectors
from medrag.indexing.sparse import InvertedLists
from medrag.indexing.storage import Store
from medrag.records import Embeddings, Filter, ScoredRow, SparseEmbeddings

Rows = NDArray[np.int64]
Lengths = NDArray[np.int32]


class Rescoring:
    """Score rows in double precision: by best pair, by MaxSim, or by the terms they share."""

    def __init__(self, *, store: Store, name: str) -> None:
        self.late_interaction = store.channel(name).late_interaction
        self._library = Library(store.vectors(name))
        shelves = self._library.shelves
        self._rows: Rows = np.concatenate([np.empty(0, np.int64), *(s.rows for s in shelves)])

    def has(self, rows: Rows) -> NDArray[np.bool_]:
        """Tell which rows the channel has vectors of."""
        places = np.searchsorted(self._rows, rows)
        found = places < len(self._rows)
        found[found] = self._rows[places[found]] == rows[found]
        return found

    def scores(self, rows: Rows, question: Floats | Sparse) -> tuple[Floats, float]:
        """Score rows that the channel has vectors of.

        Args:
            rows: (m,) ascending, at least one.
            question: (d,) or (1, d); (t, d) for MaxSim; or terms, at least one.

        Returns:
            Scores (m,), and a bound on the error of the same in single precision.
        """
        parts = self._library.split(np.searchsorted(self._rows, rows))
        held = list(zip(self._library.shelves, parts, strict=True))
        vectors = np.concatenate([shelf.gathered(places) for shelf, places in held])
        lengths = np.concatenate([shelf.lengths[places] for shelf, places in held])
        if isinstance(question, Sparse):
            return _of_terms(vectors, lengths, question)
        asked = np.atleast_2d(question).astype(np.float64)
        longest = np.einsum("ij,ij->i", vectors, vectors, dtype=np.float64).max() ** 0.5
        terms = vectors.shape[1] + len(asked)
        error = slack(terms) * longest * float(np.linalg.norm(asked, axis=1).sum())
        if self.late_interaction:
            return _max_sims(vectors, lengths, np.asarray(question, np.float32)), error
        return best_vectors(vectors, lengths, asked[0]), error


class SearchApart:
    """Search some segments of a store exactly, where they lie; rows are those of the store."""

    def __init__(self, *, store: Store, name: str, segments: Sequence[int]) -> None:
        entry = replace(store.channel(name), derived={})
        entries = tuple(store.entries[number] for number in segments)
        part = replace(store.manifest, segments=entries, channels={name: entry})
        self._part = Store(folder=store.folder, manifest=part)
        self._firsts = [store.firsts[number] for number in segments]
        self._search: Any = (
            InvertedLists(store=self._part, name=name)
            if entry.kind == "sparse"
            else searched_in_place(self._part, name)
        )

    def search(
        self, questions: Embeddings | SparseEmbeddings, k: int, filters: Sequence[Filter]
    ) -> list[list[ScoredRow]]:
        rankings = self._search.search(questions, k, filters)
        return [[ScoredRow(self._row(row), score) for row, score in each] for each in rankings]

    def _row(self, row: int) -> int:
        place = self._part.place_of(row)
        return self._firsts[place.segment] + place.row


def _max_sims(vectors: Floats, lengths: Lengths, question: Floats) -> Floats:
    """Sum, over the vectors of a question, each one's best match in a passage."""
    copy = copied(packed(vectors, lengths), "float32")
    asked = scoring.asked(packed(question, np.array([len(question)])), "float32")
    read = scoring.Read(copy, vectors, np.arange(len(lengths)))
    return scoring.single(scoring.rescored([read], asked))


def _of_terms(pairs: Floats, lengths: Lengths, asked: Sparse) -> tuple[Floats, float]:
    """Multiply the (term, weight) rows of passages with a question."""
    terms = pairs[:, 0].astype(np.int64)
    at = np.minimum(np.searchsorted(asked.terms, terms), len(asked.terms) - 1)
    shared = asked.terms[at] == terms
    each = pairs[shared, 1].astype(np.float64) * asked.weights[at[shared]]
    owners = np.repeat(np.arange(len(lengths)), lengths)[shared]
    # In the order of terms, as inverted lists add them.
    sums = np.bincount(owners, weights=each, minlength=len(lengths))
    # Absolute values bound the rounding.
    sizes = np.bincount(owners, weights=np.abs(each), minlength=len(lengths))
    return sums.astype(np.float32), len(asked.terms) * 2.0**-22 * float(sizes.max())
