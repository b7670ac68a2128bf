"""Search the points of one channel, and score what was found from the segments."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from medrag.errors import IndexFormatError
from medrag.indexing.backends import check_questions
from medrag.indexing.commands import repair
from medrag.indexing.lexical import Word
from medrag.indexing.qdrant.edge import checked_shard
from medrag.indexing.qdrant.ledger import Ledger, counts_of, read_ledger
from medrag.indexing.qdrant.options import (
    EDGE,
    MEMORY,
    Consistency,
    Options,
    Quantization,
    check_options,
)
from medrag.indexing.qdrant.payload import allows
from medrag.indexing.qdrant.points import Asked, IdMap, Near, Points, Rows, shapes_of
from medrag.indexing.qdrant.rescoring import Rescoring, SearchApart
from medrag.indexing.qdrant.terms import Floats, Sparse, summed
from medrag.indexing.qdrant.uploading import checked_collection, in_memory
from medrag.indexing.qdrant.words import asked
from medrag.indexing.ranking import best_of, top
from medrag.indexing.sparse import check_terms
from medrag.indexing.storage import Store
from medrag.records import Embeddings, Filter, ScoredRow, SparseEmbeddings

# Asked for beyond what is wanted, since some may be of removed passages, and scores may tie.
_SPARE = 16
# Where more candidates than this tie, which of them are returned is Qdrant's choice.
_MOST = 1 << 16
# Of scores that are Qdrant's own: their last bits depend on how it keeps its points.
_DECIMALS = 3


class QdrantSearch:
    """Search the vectors of a channel with Qdrant, and score candidates from the segments.

    Channels of an encoder, dense and sparse, use `search`; the lexical one `search_words`, whose
    scores are Qdrant's own, and which finds new passages once their build is finished.

    Rankings are those of the exact search where `exact` is true or Qdrant has no graph (fewer than
    some ten thousand passages, passages of many vectors); otherwise HNSW may miss some.

    `url` names a server, whose key stands in the variable QDRANT_API_KEY only; without it the
    points lie in a shard of Qdrant Edge below the index (`location: edge`), or are put into memory
    at the first search (`location: ":memory:"`). `timeout` is in seconds; `parallel` is how many
    requests upload at a time.

    Of a server only: `collection` (by default named after the index), `prefer_grpc` and
    `grpc_port`, `by_domain` (own shards for each domain, so that a filter on domains asks only
    theirs), `shards`, `replicas` and `write_consistency` (of the collection), `read_consistency`
    (of each search).

    `quantization` searches codes ("scalar": 8 bits, "binary": 1 bit, "turbo": 4 bits) and scores
    `oversampling` times as many again; `hnsw` gives m (0: no graph), ef_construct,
    full_scan_threshold, payload_m; `ef` is how far a search looks; `exact` looks everywhere.

    Raises:
        ValueError: if options exclude each other, or one is out of its range.
        IndexFormatError: if what was derived is missing, not medrag's, or does not fit (at the
            first search).
        MedragError: if the server cannot be reached or refuses (at the first search).
    """

    def __init__(
        self,
        *,
        store: Store,
        name: str,
        url: str | None = None,
        location: str = EDGE,
        collection: str | None = None,
        prefer_grpc: bool = False,
        grpc_port: int = 6334,
        timeout: int = 30,
        parallel: int = 2,
        by_domain: bool = False,
        shards: int | None = None,
        replicas: int | None = None,
        write_consistency: int | None = None,
        read_consistency: int | Consistency | None = None,
        quantization: Quantization | None = None,
        oversampling: float = 3.0,
        hnsw: Mapping[str, int] | None = None,
        ef: int | None = None,
        exact: bool = False,
    ) -> None:
        self.store = store
        self.name = name
        self.options = Options(
            url=url,
            location=location,
            collection=collection,
            prefer_grpc=prefer_grpc,
            grpc_port=grpc_port,
            timeout=timeout,
            parallel=parallel,
            by_domain=by_domain,
            shards=shards,
            replicas=replicas,
            write_consistency=write_consistency,
            read_consistency=read_consistency,
            quantization=quantization,
            oversampling=oversampling,
            hnsw=hnsw,
            ef=ef,
            exact=exact,
        )
        check_options(self.options, store.channel(name).kind)

    def search(
        self, questions: Embeddings | SparseEmbeddings, k: int, filters: Sequence[Filter]
    ) -> list[list[ScoredRow]]:
        """Rank rows by the vectors of questions; see `backends.VectorSearch`."""
        d = self.store.channel(self.name).d
        if isinstance(questions, SparseEmbeddings):
            check_terms(questions, k, d or 0, self.name)
        else:
            check_questions(questions, k, d, self.name)
        if len(filters) == 0:
            return []
        owners, searches = self._searches(questions, filters)
        later = self._uncovered.search(questions, k, filters) if self._uncovered else ()
        return self._merged(owners, searches, k, len(filters), later)

    def search_words(
        self, questions: Sequence[Sequence[Word]], k: int, filters: Sequence[Filter]
    ) -> list[list[ScoredRow]]:
        """Rank rows by the BM25 of words; see `lexical.WordSearch`."""
        counts = self._ledger.counts
        if counts is None or not questions:
            return [[] for _ in questions]
        each = zip(questions, filters, strict=True)
        searches = [Asked(asked(words, counts), wanted) for words, wanted in each]
        return self._merged(range(len(searches)), searches, k, len(searches), ())

    @property
    def languages(self) -> Sequence[str]:
        """Languages of the passages, in alphabetical order."""
        return sorted({n for s in self.store.segments for n in s.columns.values("language")})

    def _searches(
        self, questions: Embeddings | SparseEmbeddings, filters: Sequence[Filter]
    ) -> tuple[list[int], list[Asked]]:
        """Cut questions into what Qdrant scores at once, and say whose each is.

        The best pair of vectors is found one vector of the question at a time; MaxSim needs all.
        """
        parts: Sequence[Floats | Sparse]
        owners = list(range(len(filters)))
        if isinstance(questions, SparseEmbeddings):
            parts = list(_split(questions))
        elif self.store.channel(self.name).late_interaction:
            parts = np.split(questions.values, np.cumsum(questions.lengths)[:-1])
        else:
            shape = self._ledger.shapes.get(self.name)
            parts = list(questions.values[:, None] if shape and shape.many else questions.values)
            owners = np.repeat(np.arange(len(filters)), questions.lengths).tolist()
        return owners, [Asked(v, filters[o]) for o, v in zip(owners, parts, strict=True)]

    def _merged(
        self,
        owners: Sequence[int],
        searches: Sequence[Asked],
        k: int,
        n: int,
        later: Sequence[list[ScoredRow]],
    ) -> list[list[ScoredRow]]:
        """Rank, for each of n questions, what its searches find and what was found beside them."""
        found: list[list[list[ScoredRow]]] = [[] for _ in range(n)]
        for owner, ranking in zip(owners, self._searched(searches, k), strict=True):
            found[owner].append(ranking)
        for owner, ranking in enumerate(later):
            found[owner].append(ranking)
        return [best_of(each, k) for each in found]

    def _searched(self, searches: Sequence[Asked], k: int) -> list[list[ScoredRow]]:
        """Ask for more until k good rows are known, and none that was left out can be better."""
        rankings: list[list[ScoredRow]] = [[] for _ in searches]
        if self.name not in self._ledger.shapes:
            return rankings
        # Of more than there are, Qdrant would make room for all.
        k = max(1, min(k, self.store.n_rows))
        limit = 2 * k + _SPARE
        # A question without terms finds nothing.
        pending = [number for number, each in enumerate(searches) if not _is_empty(each.vector)]
        while pending:
            asking = [searches[number] for number in pending]
            found = self._points.query(self.name, asking, limit, self.options)
            again = []
            for number, near in zip(pending, found, strict=True):
                rankings[number], whole = self._scored(searches[number], near, k)
                if not whole and len(near.ids) >= limit and limit < max(_MOST, k):
                    again.append(number)
            pending, limit = again, 4 * limit
        return rankings

    def _scored(self, search: Asked, near: Near, k: int) -> tuple[list[ScoredRow], bool]:
        """Score what was found again; tell whether what was not found can be none of the best k."""
        rows, found = self._rows_of(near)
        allowed = self._allowed(rows, search.wanted)
        rows, found = rows[allowed], found[allowed]
        if len(rows) == 0:
            return [], False
        scores: NDArray[np.floating] = found.astype(np.float64).round(_DECIMALS)
        error = 10.0**-_DECIMALS
        if self._rescoring is not None:
            scores, error = self._rescoring.scores(rows, search.vector)
        if isinstance(search.vector, Sparse):
            # As in inverted lists, what scores no more than nothing is no hit.
            rows, scores = rows[scores > 0], scores[scores > 0]
        ranking = top(rows, scores, k)
        whole = len(ranking) == k and ranking[-1].score > float(near.scores.min()) + error
        return ranking, whole

    def _rows_of(self, near: Near) -> tuple[Rows, Floats]:
        """Find the live rows of points that the channel has here, with Qdrant's scores; ascending.

        A point that lies in two shards while it moves from one to the other counts once.
        """
        places = self._ids.find(near.ids)
        rows, at = np.unique(self._live[places[places >= 0]], return_index=True)
        found = near.scores[places >= 0][at]
        if self._rescoring is not None:
            here = self._rescoring.has(rows)
            rows, found = rows[here], found[here]
        return rows, found

    def _allowed(self, rows: Rows, wanted: Filter) -> NDArray[np.bool_]:
        """Tell which rows a filter lets through: a server may hold what was true once."""
        if wanted == Filter():
            return np.ones(len(rows), dtype=np.bool_)
        places = [self.store.place_of(row) for row in rows.tolist()]
        segments = self.store.segments
        kept = [allows(segments[at.segment].columns, at.row, wanted) for at in places]
        return np.array(kept, dtype=np.bool_)

    @cached_property
    def _ledger(self) -> Ledger:
        if self.options.place == MEMORY:
            shapes = shapes_of(self.store, [self.name])
            segments = tuple(entry.name for entry in self.store.entries)
            counts = counts_of(self.store, shapes, None)
            return Ledger(MEMORY, shapes=shapes, segments=segments, counts=counts)
        ledger = read_ledger(self._folder)
        if ledger.place != self.options.place:
            raise IndexFormatError(
                f"{self._folder} was made for {ledger.place!r}, but {self.options.place!r} is "
                f"asked for; make it anew: {repair(self._folder)}"
            )
        return ledger

    @cached_property
    def _points(self) -> Points:
        if self.options.place == MEMORY:
            return in_memory(self.store, self._ledger, self.name, self.options)
        if self.options.url:
            return checked_collection(self.store, self._ledger, self.options)
        return checked_shard(self.store, self.name, self._folder, self._ledger)

    @property
    def _folder(self) -> Path:
        return self.store.derived(self.name)

    @cached_property
    def _rescoring(self) -> Rescoring | None:
        """Score anew what is kept as vectors in the segments, which words are not."""
        lexical = self.store.channel(self.name).kind == "lexical"
        return None if lexical else Rescoring(store=self.store, name=self.name)

    @cached_property
    def _live(self) -> Rows:
        return np.flatnonzero(self.store.live)

    @cached_property
    def _ids(self) -> IdMap:
        """The ids of the live rows, in their order."""
        held = [np.asarray(segment.ids) for segment in self.store.segments]
        return IdMap(np.concatenate([np.empty((0, 16), np.uint8), *held])[self._live])

    @cached_property
    def _uncovered(self) -> SearchApart | None:
        """Search the segments that were built after the points; None if there are none.

        Those of a lexical channel are not searched.
        """
        covered = set(self._ledger.segments)
        missing = [n for n, each in enumerate(self.store.entries) if each.name not in covered]
        return SearchApart(store=self.store, name=self.name, segments=missing) if missing else None


def _is_empty(vector: Floats | Sparse) -> bool:
    return len(vector.terms if isinstance(vector, Sparse) else vector) == 0


def _split(questions: SparseEmbeddings) -> Iterator[Sparse]:
    """Give the terms of each question."""
    stops = np.cumsum(questions.lengths)
    for stop, length in zip(stops.tolist(), questions.lengths.tolist(), strict=True):
        here = slice(stop - length, stop)
        terms, weights = questions.terms[here], questions.weights[here]
        yield summed(terms.astype(np.int64), weights.astype(np.float64))
