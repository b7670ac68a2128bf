"""MaxSim over packed vectors: for each vector of a question its best match, summed.

Passages are estimated with a copy in fewer bits, tile by tile, so that the products of a tile stay
in a cache. The error of an estimate is bounded by what the copy lost (Cauchy-Schwarz, with the
largest error measured in each passage), so that whatever could be among the best is known; that is
scored again in double precision, with the vectors themselves: first those that are estimated best,
then what may reach the least of their scores.

Source:
    MaxSim: Khattab & Zaharia, ColBERT, SIGIR 2020.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from medrag.extras import require
from medrag.indexing.maxsim.loops import refined, summed_maxima
from medrag.indexing.maxsim.packed import Bounds, Copy, CopyKind, Floats, Ints, Packed, copied, cut
from medrag.indexing.maxsim.workers import shared

Doubles = NDArray[np.float64]

# Bytes of codes and products that one thread holds at once; should stay in its cache.
_TILE_BYTES = 5 << 18
# The same for products that use all cores themselves.
_WIDE_TILE_BYTES = 16 << 20
# Above the relative rounding error of what multiplies and scales codes, beside that of sums. Halves
# may be rounded between the parts of a sum, too.
_ROUNDING: dict[CopyKind, float] = {
    "int8": 2.0**-20,
    "float16": 2.0**-9,
    "bfloat16": 2.0**-6,
    "float32": 2.0**-20,
}
# Covers products that are too small for single precision; above the most, they are too large.
_LEAST, _MOST = 1e-30, 1e37


class Asked(NamedTuple):
    """Questions, and their codes of the kind of a copy, each vector with its own scale."""

    questions: Packed
    copy: Copy


class Read(NamedTuple):
    """Passages of one segment that are asked for: a copy, what it was made of, ascending places."""

    copy: Copy
    values: Floats
    places: Ints


class Estimates(NamedTuple):
    """Scores of passages, both (passages, questions), and how far the true ones may be off."""

    scores: Doubles
    errors: Doubles


class Scored(NamedTuple):
    """Ascending places of passages, and their true scores, both (n,)."""

    places: Ints
    scores: Doubles


class _Tile(NamedTuple):
    """Passages of one read: (n,) their places, and (n + 1,) where each begins among the products.

    `out` is where they stand among the passages of all reads.
    """

    read: Read
    places: Ints
    starts: Ints
    out: slice


def asked(questions: Packed, kind: CopyKind) -> Asked:
    """Prepare questions, each of at least one vector."""
    alone = Packed(questions.values, np.arange(len(questions.values) + 1))
    return Asked(questions, copied(alone, kind))


def estimated(reads: Sequence[Read], questions: Packed) -> Estimates:
    """Score passages with copies, in the order of the reads."""
    codes = _codes(reads, questions)
    scores = np.empty((sum(len(read.places) for read in reads), len(questions.starts) - 1))
    stops = questions.starts[1:]

    def work(tile: _Tile, codes: Asked, products: NDArray[Any]) -> None:
        scales = tile.read.copy.bounds.scales[tile.places]
        weights = codes.copy.bounds.scales
        scores[tile.out] = summed_maxima(products, tile.starts, scales, weights, stops)

    _each_tile(reads, codes, work)
    bounds = [errors_of(read.copy.bounds, read.places, codes[read.copy.kind]) for read in reads]
    return Estimates(scores, np.concatenate([np.empty((0, len(stops))), *bounds]))


def errors_of(bounds: Bounds, places: Ints, questions: Asked) -> Doubles:
    """Bound how far estimates with a copy may be off, (passages, questions)."""
    firsts = questions.questions.starts[:-1]
    norms, losses = _question_bounds(questions)
    sums = np.add.reduceat(norms, firsts), np.add.reduceat(losses, firsts)
    return _errors(bounds, places, *sums) + _LEAST * len(norms)


def best(estimates: Doubles, errors: Doubles, k: int, score: Callable[[Ints], Doubles]) -> Scored:
    """Score exactly whatever may be of the best k.

    Args:
        estimates: (n,), and how far the true scores may be from them.
        score: gives the true scores of ascending places.

    Returns:
        Among them the best k, and all that score as the last of those.
    """
    if len(estimates) <= k:
        places = np.arange(len(estimates))
        return Scored(places, score(places))
    first = np.sort(np.argpartition(-estimates, k - 1)[:k])
    scores = score(first)
    # Not ">=": where a sum overflowed, nothing is known.
    with np.errstate(invalid="ignore"):
        rest = ~(estimates + errors < scores.min())
    rest[first] = False
    others = np.flatnonzero(rest)
    places = np.concatenate((first, others))
    order = np.argsort(places)
    return Scored(places[order], np.concatenate((scores, score(others)))[order])


def rescored(reads: Sequence[Read], question: Packed) -> Doubles:
    """Score passages in double precision, in the order of the reads.

    The copies say which vectors of a passage may be the best match; only those are read.

    Args:
        question: one.

    Returns:
        Scores, which depend on nothing but the vectors of passage and question.
    """
    scores = np.empty(sum(len(read.places) for read in reads))
    exact = question.values.astype(np.float64)

    def work(tile: _Tile, codes: Asked, products: NDArray[Any]) -> None:
        copy = tile.read.copy
        slack = 2 * (_errors(copy.bounds, tile.places, *_question_bounds(codes)) + _LEAST)
        # One after the other: their product may vanish.
        slack /= copy.bounds.scales[tile.places, None]
        slack /= codes.copy.bounds.scales
        scores[tile.out] = refined(
            tile.read.values, copy.starts[tile.places], products, tile.starts, exact, slack
        )

    _each_tile(reads, _codes(reads, question), work)
    return scores


def _question_bounds(questions: Asked) -> tuple[Doubles, Doubles]:
    """Give, for each vector of the questions, its norm, and what a product of norm 1 may lose."""
    norms = questions.copy.bounds.norms.astype(np.float64)
    errors = questions.copy.bounds.errors.astype(np.float64)
    kind, d = questions.copy.kind, questions.questions.values.shape[1]
    sums = 0.0 if kind == "int8" else d * 2.0**-23
    return norms, errors + (_ROUNDING[kind] + sums) * (norms + errors)


def _errors(bounds: Bounds, places: Ints, norms: Doubles, losses: Doubles) -> Doubles:
    """Bound errors, (passages, m), for norms and losses (m,) of question vectors, or their sums."""
    lost = bounds.errors[places].astype(np.float64)
    reach = bounds.norms[places] + lost
    errors: Doubles = np.outer(lost, norms) + np.outer(reach, losses)
    # Where a product may overflow on its way, nothing is known.
    errors[np.outer(reach, norms + losses) > _MOST] = np.inf
    return errors


def _codes(reads: Sequence[Read], questions: Packed) -> dict[CopyKind, Asked]:
    """Prepare questions for each kind of copy that is read."""
    return {kind: asked(questions, kind) for kind in {read.copy.kind for read in reads}}


def _each_tile(
    reads: Sequence[Read],
    codes: Mapping[CopyKind, Asked],
    work: Callable[[_Tile, Asked, NDArray[Any]], None],
) -> None:
    """Give each tile, the questions in its codes, and the products of both, (rows, m)."""
    products = {kind: _product(kind, each.copy.codes) for kind, each in codes.items()}
    tiles: list[_Tile] = []
    n = 0
    for read in reads:
        tiles += _tiles(read, n, len(codes[read.copy.kind].questions.values))
        n += len(read.places)

    def run(tile: _Tile) -> None:
        kind = tile.read.copy.kind
        work(tile, codes[kind], products[kind](_gathered(tile.read.copy, tile.places)))

    # NumPy's product uses all cores itself, and shares its threads badly.
    for tile in tiles:
        if tile.read.copy.kind == "float32":
            run(tile)
    narrow = [tile for tile in tiles if tile.read.copy.kind != "float32"]
    shared(len(narrow), lambda number: run(narrow[number]), torch=True)


def _tiles(read: Read, before: int, width: int) -> Iterator[_Tile]:
    """Cut a read so that codes, and products with `width` vectors, stay small."""
    places, copy = read.places, read.copy
    lengths = (copy.starts[1:] - copy.starts[:-1])[places]
    starts = np.concatenate(([0], np.cumsum(lengths)))
    row_bytes = copy.codes.shape[1] * copy.codes.dtype.itemsize + 4 * width
    budget = _WIDE_TILE_BYTES if copy.kind == "float32" else _TILE_BYTES
    for first, stop in cut(starts, max(1, budget // row_bytes)):
        within = starts[first : stop + 1] - starts[first]
        yield _Tile(read, places[first:stop], within, slice(before + first, before + stop))


def _gathered(copy: Copy, places: Ints) -> NDArray[Any]:
    """Give the codes of passages; those of neighbours where they lie."""
    if places[-1] - places[0] == len(places) - 1:
        return copy.codes[copy.starts[places[0]] : copy.starts[places[-1] + 1]]
    breaks = np.flatnonzero(np.diff(places) != 1) + 1
    firsts = copy.starts[places[np.concatenate(([0], breaks))]]
    stops = copy.starts[places[np.concatenate((breaks - 1, [len(places) - 1]))] + 1]
    return np.concatenate([copy.codes[a:b] for a, b in zip(firsts, stops, strict=True)])


def _product(kind: CopyKind, codes: NDArray[Any]) -> Callable[[NDArray[Any]], NDArray[Any]]:
    """Give what multiplies codes, (rows, d), with those of questions, (m, d)."""
    if kind == "float32":
        columns = np.ascontiguousarray(codes.T)

        def multiply(rows: NDArray[Any]) -> NDArray[Any]:
            with np.errstate(over="ignore", invalid="ignore"):
                return np.asarray(np.matmul(rows, columns))

        return multiply
    torch = require("torch")
    there = as_tensor(codes, kind).t().contiguous()
    if kind == "int8":
        # The one product of integers that torch has; it has no public name.
        integers = torch._int_mm  # noqa: SLF001
        return lambda rows: np.asarray(integers(as_tensor(rows, kind), there).numpy())
    return lambda rows: np.asarray((as_tensor(rows, kind) @ there).float().numpy())


def as_tensor(codes: NDArray[Any], kind: CopyKind) -> Any:
    """Give codes to torch, without copying; they must be writable, or torch warns."""
    torch = require("torch")
    if kind == "bfloat16":
        return torch.from_numpy(codes.view(np.int16)).view(torch.bfloat16)
    return torch.from_numpy(codes)
