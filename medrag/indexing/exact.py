"""Exact top-k search by inner product over packed vectors, one row mask per question."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from medrag.errors import IndexFormatError
from medrag.extras import require
from medrag.indexing.backends import check_questions
from medrag.indexing.manifest import ChannelEntry
from medrag.indexing.storage import Store
from medrag.records import Embeddings, Filter, ScoredRow

Backend = Literal["numpy", "torch"]

Floats = NDArray[np.float32]
Rows = NDArray[np.int64]

# Bytes of vectors, and scores, that are held at once.
_VALUES_BYTES = 64 << 20
_SCORES = 16 << 20
# Relative rounding error of one single-precision operation.
_EPSILON = 2.0**-23


class Packed(Protocol):
    """Vectors and the rows they are of: rows (m,), lengths (m,), values (sum(lengths), d)."""

    @property
    def rows(self) -> Rows: ...
    @property
    def lengths(self) -> NDArray[np.int32]: ...
    @property
    def values(self) -> Floats: ...


def search_exact(
    blocks: Sequence[Packed],
    questions: Floats,
    k: int,
    masks: Sequence[NDArray[np.bool_]],
    *,
    backend: Backend = "numpy",
    device: str = "cpu",
) -> list[list[ScoredRow]]:
    """Find the k rows whose best vector has the highest inner product with each question.

    Candidates are found in single precision and scored again in double precision, in one order of
    summation, so that every backend and every division into blocks gives the same ranking.

    Args:
        blocks: packed vectors; a row stands in one block only. Read in pieces, so that a block may
            be a memory map larger than memory.
        questions: (m, d).
        masks: for each question the rows that it may see, (n_rows,); rows count through all blocks.
        device: where torch computes.

    Returns:
        For each question at most k rows, best first, equal scores by ascending row.

    Raises:
        ValueError: if k is not positive, shapes do not fit, or a question is not finite.
        IndexFormatError: if a vector of a block is not finite.
    """
    _check(questions, k, masks)
    if len(questions) == 0:
        return []
    best = [_NONE] * len(questions)
    multiply = _product(questions, backend, device)
    for piece in _pieces(blocks, len(questions)):
        scores = _row_scores(piece, multiply)
        for number, mask in enumerate(masks):
            found = _candidates(piece, scores[:, number], questions[number], k, mask)
            best[number] = _merged(best[number], found, k)
    return [
        [ScoredRow(int(r), float(s)) for r, s in zip(top.rows, top.scores, strict=True)]
        for top in best
    ]


class _Top(NamedTuple):
    rows: Rows
    scores: Floats


_NONE = _Top(np.empty(0, np.int64), np.empty(0, np.float32))


class _Piece(NamedTuple):
    rows: Rows
    lengths: NDArray[np.int32]
    values: Floats
    starts: Rows
    longest: float


class _Product(Protocol):
    def __call__(self, values: Floats) -> Floats: ...


def _check(questions: Floats, k: int, masks: Sequence[NDArray[np.bool_]]) -> None:
    if k < 1:
        raise ValueError(f"k must be at least 1, got {k}")
    if questions.ndim != 2 or len(masks) != len(questions):
        raise ValueError(
            f"questions must be (m, d) with one mask each, got {questions.shape} and {len(masks)}"
        )
    if not np.isfinite(questions).all():
        raise ValueError("a question's vector is not finite; its encoder is broken")


def _product(questions: Floats, backend: Backend, device: str) -> _Product:
    if backend == "numpy":
        columns = np.ascontiguousarray(questions.T, dtype=np.float32)
        return lambda values: values @ columns
    if backend != "torch":
        raise ValueError(f"backend must be 'numpy' or 'torch', got {backend!r}")
    torch = require("torch")
    there: Any = torch.from_numpy(np.ascontiguousarray(questions.T, np.float32)).to(device)

    def multiply(values: Floats) -> Floats:
        # A copy: torch wants to own memory that may be written, a memory map may not.
        product: Floats = (torch.from_numpy(np.array(values)).to(device) @ there).cpu().numpy()
        return product

    return multiply


def _pieces(blocks: Sequence[Packed], n_questions: int) -> Iterator[_Piece]:
    """Cut blocks into pieces of whole passages that fit the bounds on memory."""
    for block in blocks:
        if len(block.rows) == 0:
            continue
        starts = np.concatenate(([0], np.cumsum(block.lengths, dtype=np.int64)))
        row_bytes = 4 * block.values.shape[1]
        size = max(1, min(_VALUES_BYTES // row_bytes, _SCORES // n_questions))
        first = 0
        while first < len(block.rows):
            stop = int(np.searchsorted(starts, starts[first] + size, side="right")) - 1
            stop = max(stop, first + 1)
            values = np.asarray(block.values[starts[first] : starts[stop]])
            yield _Piece(
                block.rows[first:stop],
                block.lengths[first:stop],
                values,
                starts[first : stop + 1] - starts[first],
                float(np.sqrt(np.einsum("ij,ij->i", values, values).max(initial=0))),
            )
            first = stop


def _row_scores(piece: _Piece, multiply: _Product) -> Floats:
    """Score each passage by its best vector, (passages, questions)."""
    scores = multiply(piece.values)
    if not np.isfinite(scores).all():
        bad = np.flatnonzero(~np.isfinite(scores).all(axis=1))[0]
        row = piece.rows[np.searchsorted(piece.starts, bad, side="right") - 1]
        raise IndexFormatError(
            f"a vector of row {row} is not finite; the channel is damaged: verify the index, and "
            "build the channel anew"
        )
    if len(scores) == len(piece.rows):
        return scores
    best: Floats = np.maximum.reduceat(scores, piece.starts[:-1], axis=0)
    return best


def _candidates(
    piece: _Piece, scores: Floats, question: Floats, k: int, mask: NDArray[np.bool_]
) -> _Top:
    """Score again, exactly, whatever could be among the best k of a piece."""
    places = np.flatnonzero(mask[piece.rows])
    if len(places) == 0:
        return _NONE
    if len(places) > k:
        seen = scores[places]
        bound = np.partition(seen, len(seen) - k)[len(seen) - k]
        # Twice the bound on the error of an inner product of d terms: one for each of two scores.
        d = piece.values.shape[1]
        error = 2 * d * _EPSILON * piece.longest * float(np.linalg.norm(question))
        places = places[seen >= bound - error]
    return _Top(piece.rows[places], _exact_scores(piece, places, question))


def _exact_scores(piece: _Piece, places: Rows, question: Floats) -> Floats:
    """Score passages in double precision, each summed in the same order, by their best vector."""
    lengths = piece.lengths[places]
    firsts = np.concatenate(([0], np.cumsum(lengths[:-1], dtype=np.int64)))
    within = np.arange(lengths.sum()) - np.repeat(firsts, lengths)
    vectors = piece.values[np.repeat(piece.starts[places], lengths) + within]
    products = np.einsum("ij,j->i", vectors.astype(np.float64), question.astype(np.float64))
    best: Floats = np.maximum.reduceat(products, firsts).astype(np.float32)
    return best


def _merged(one: _Top, two: _Top, k: int) -> _Top:
    rows = np.concatenate((one.rows, two.rows))
    scores = np.concatenate((one.scores, two.scores))
    order = np.lexsort((rows, -scores))[:k]
    return _Top(rows[order], scores[order])


class ExactSearch:
    """Search the vectors of a channel exactly.

    A passage, and a question, of several vectors counts with the best pair of them.
    """

    def __init__(
        self, *, store: Store, name: str, backend: Backend = "numpy", device: str = "cpu"
    ) -> None:
        self.store = store
        self.name = name
        self.backend: Backend = backend
        self.device = device

    def search(
        self, questions: Embeddings, k: int, filters: Sequence[Filter]
    ) -> list[list[ScoredRow]]:
        check_questions(questions, k, self.store.channel(self.name).d, self.name)
        masks = {wanted: self.store.row_mask(wanted) for wanted in set(filters)}
        owners = np.repeat(np.arange(len(filters)), questions.lengths)
        found = search_exact(
            list(self.store.vectors(self.name)),
            questions.values,
            k,
            [masks[filters[int(owner)]] for owner in owners],
            backend=self.backend,
            device=self.device,
        )
        return [
            _best_of([found[each] for each in np.flatnonzero(owners == number)], k)
            for number in range(len(filters))
        ]


def derive(
    *, store: Store, channels: Mapping[str, ChannelEntry], folder: Path, previous: Path | None
) -> bool:
    return False


def problem(*, store: Store, channels: Mapping[str, ChannelEntry], folder: Path) -> str | None:
    return None


def _best_of(rankings: Sequence[Sequence[ScoredRow]], k: int) -> list[ScoredRow]:
    """Join the rankings of a question's vectors: each row with its best score."""
    best: dict[int, float] = {}
    for hit in (hit for ranking in rankings for hit in ranking):
        best[hit.row] = max(hit.score, best.get(hit.row, hit.score))
    ordered = sorted(best.items(), key=lambda pair: (-pair[1], pair[0]))
    return [ScoredRow(row, score) for row, score in ordered[:k]]
