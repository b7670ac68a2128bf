"""A channel of weighted terms, such as SPLADE makes: inverted lists, searched exactly."""

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from medrag.errors import IndexFormatError
from medrag.extras import require
from medrag.indexing.commands import reread
from medrag.indexing.dense import check_encoder
from medrag.indexing.ranking import top
from medrag.indexing.storage import Store
from medrag.protocols import SparseEncoder
from medrag.records import Filter, Question, ScoredRow, SparseEmbeddings


class TermSearch(Protocol):
    """Search the sparse vectors of one channel by their inner product, as `SparseChannel` says."""

    def search(
        self, questions: SparseEmbeddings, k: int, filters: Sequence[Filter]
    ) -> list[list[ScoredRow]]:
        """Rank rows for each question.

        Raises:
            ValueError: if k is not positive, or questions are not finite or of another vocabulary.
        """
        ...


class SparseChannel:
    """Rank passages by the inner product of their sparse vector with that of the question's text.

    A passage that shares no term with the question, or scores no more than one that shares none, is
    no hit. `vectors` searches: inverted lists in memory, if None.

    Raises:
        KeyError: if the store has no channel of that name.
        IndexFormatError: if another encoder made its vectors, or they are damaged.

    Source:
        Formal, Piwowarski & Clinchant, "SPLADE", SIGIR 2021, for vectors of that kind.
    """

    def __init__(
        self,
        *,
        store: Store,
        name: str,
        encoder: SparseEncoder,
        vectors: TermSearch | None = None,
    ) -> None:
        check_encoder(store.channel(name).encoder, encoder.name, name, store.folder)
        self.store = store
        self.encoder = encoder
        self.vectors = vectors or InvertedLists(store=store, name=name)

    def search(
        self, questions: Sequence[Question], k: int, filters: Sequence[Filter]
    ) -> list[list[ScoredRow]]:
        if k < 1:
            raise ValueError(f"k must be at least 1, got {k}")
        usable = [number for number, question in enumerate(questions) if question.text.strip()]
        rankings: list[list[ScoredRow]] = [[] for _ in questions]
        if not usable:
            return rankings
        asked = self.encoder.encode_questions([questions[number] for number in usable], "text")
        found = self.vectors.search(asked, k, [filters[number] for number in usable])
        for number, ranking in zip(usable, found, strict=True):
            rankings[number] = ranking
        return rankings


class InvertedLists:
    """Search the sparse vectors of a channel exactly.

    The lists are made in memory at once, in 8 bytes for each term of each passage; sums are of
    double precision, so that the score of a passage depends on nothing but its vector and the
    question's.
    """

    def __init__(self, *, store: Store, name: str) -> None:
        self.store = store
        self.name = name
        self.d = store.channel(name).d or 0
        self._lists = _inverted(store, name, self.d)

    def search(
        self, questions: SparseEmbeddings, k: int, filters: Sequence[Filter]
    ) -> list[list[ScoredRow]]:
        check_terms(questions, k, self.d, self.name)
        if not self.d:
            return [[] for _ in filters]
        masks = {wanted: self.store.row_mask(wanted) for wanted in set(filters)}
        stops = np.cumsum(questions.lengths)
        rankings = []
        for stop, length, wanted in zip(stops, questions.lengths, filters, strict=True):
            here = slice(stop - length, stop)
            terms, weights = questions.terms[here], questions.weights[here]
            scores = self._lists.scores(terms, weights, self.store.n_rows)
            rows = np.flatnonzero((scores > 0) & masks[wanted])
            rankings.append(top(rows, scores[rows], k))
        return rankings


def check_terms(asked: SparseEmbeddings, k: int, d: int, name: str) -> None:
    """Refuse questions of another vocabulary, or whose weights would poison every score.

    Args:
        d: terms of the channel's vocabulary; 0 where it holds nothing.

    Raises:
        ValueError: if so, or if k is not positive.
    """
    if k < 1:
        raise ValueError(f"k must be at least 1, got {k}")
    if d and asked.d != d:
        raise ValueError(
            f"channel {name!r} holds vectors over {d} terms, but the question's is over "
            f"{asked.d}; it was encoded by another encoder"
        )
    if not np.isfinite(asked.weights).all():
        raise ValueError("a question's vector is not finite; its encoder is broken")


class _Inverted(NamedTuple):
    """The passages of each term: those of term t stand at [starts[t], starts[t + 1])."""

    starts: NDArray[np.int64]
    rows: NDArray[np.int32]
    weights: NDArray[np.float32]

    def scores(
        self, terms: NDArray[np.int32], weights: NDArray[np.float32], n_rows: int
    ) -> NDArray[np.float32]:
        """Score every row, (n_rows,)."""
        scores = np.zeros(n_rows, dtype=np.float64)
        # Not numbers of Python: those times single precision is single precision.
        for term, weight in zip(terms.tolist(), weights.astype(np.float64), strict=True):
            held = slice(self.starts[term], self.starts[term + 1])
            # A row stands but once in the list of a term, so that no sum is lost here.
            scores[self.rows[held]] += weight * self.weights[held]
        return scores.astype(np.float32)


def _inverted(store: Store, name: str, d: int) -> _Inverted:
    """Turn the (term, weight) pairs of every passage into the passages of every term."""
    sparse = require("scipy.sparse")
    blocks = store.vectors(name)
    pairs = [np.asarray(block.values).reshape(-1, 2) for block in blocks]
    terms = np.concatenate(
        [np.empty(0, np.int32), *(each[:, 0].astype(np.int32) for each in pairs)]
    )
    weights = np.concatenate([np.empty(0, np.float32), *(each[:, 1] for each in pairs)])
    rows = np.concatenate(
        [np.empty(0, np.int32), *(np.repeat(b.rows, b.lengths).astype(np.int32) for b in blocks)]
    )
    if len(terms) and not (0 <= terms.min() <= terms.max() < d and np.isfinite(weights).all()):
        raise IndexFormatError(
            f"the vectors of channel {name!r} of {store.folder} are not terms below {d} with their "
            f"weights; the channel is damaged: {reread(store.folder)}"
        )
    # A passage without terms is kept as a term of no weight.
    said = weights != 0
    made: Any = sparse.coo_array(
        (weights[said], (rows[said], terms[said])), shape=(store.n_rows, max(d, 1))
    ).tocsc()
    return _Inverted(made.indptr.astype(np.int64), made.indices, made.data)
