"""MaxSim over packed vectors: for each vector of a question its best match, summed.

Passages are estimated with a copy in fewer bits, tile by tile, so that the products of a tile stay
in a cache. The error of an estimate is bounded by what the copy lost (Cauchy-Schwarz, with the
largest error measured in each passage), so that whatever could be among the best is known; that is
scored again in double precision, with the vectors themselves: first those that are estimated best,
then what may reach the least of their scores.

Source:
    MaxSim: Khattab & Zaharia, ColBERT, SIGIR 2020.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from medrag.extras import require
from medrag.indexing.maxsim.packed import Bounds, Copy, CopyKind, Floats, Ints, Packed, copied
from medrag.indexing.scanning.library import cut
from medrag.indexing.threads import in_torch_threads

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
    """Passages of one segment that are asked for: a copy, what it was made of, ascending places.

    Reads that stand side by side have copies of one kind, as have the questions.
    """

    copy: Copy
    values: Floats
    places: Ints


class Estimates(NamedTuple):
    """Scores of passages and how far the true ones may be off: both (passages, questions).

    Those of one question may be (passages,).
    """

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


def estimated(reads: Sequence[Read], questions: Asked) -> Estimates:
    """Score passages with copies, in the order of the reads."""
    from medrag.indexing.maxsim.loops import summed_maxima

    stops, weights = questions.questions.starts[1:], questions.copy.bounds.scales
    bounds = _bounds(reads)
    scores = np.empty((len(bounds.scales), len(stops)))

    def work(tile: _Tile, products: NDArray[Any]) -> None:
        scales = bounds.scales[tile.out]
        scores[tile.out] = summed_maxima(products, tile.starts, scales, weights, stops)

    _each_tile(reads, questions, work)
    return Estimates(scores, errors_of(bounds, questions))


def errors_of(bounds: Bounds, questions: Asked) -> Doubles:
    """Bound how far estimates of passages with a copy may be off, (passages, questions)."""
    firsts = questions.questions.starts[:-1]
    norms, losses = _question_bounds(questions)
    sums = np.add.reduceat(norms, firsts), np.add.reduceat(losses, firsts)
    return _errors(bounds, *sums) + _LEAST * len(norms)


def best(estimates: Estimates, k: int, score: Callable[[Ints, float], Doubles]) -> Scored:
    """Score exactly whatever may be of the best k.

    Args:
        estimates: (n,).
        score: gives the true scores of ascending places; it may give -inf for one below a bar.

    Returns:
        Among them the best k, and all that score as the last of those in single precision.
    """
    guessed, errors = estimates
    n = len(guessed)
    first = np.sort(np.argpartition(-guessed, k - 1)[:k]) if n > k else np.arange(n)
    scores = np.full(n, -np.inf)
    scores[first] = score(first, -np.inf)
    if n > k:
        # Not ">=": where a sum overflowed, nothing is known.
        with np.errstate(over="ignore", invalid="ignore"):
            # What is no more than this is less in single precision, too.
            bar = float(np.nextafter(np.float32(scores[first].min()), np.float32(-np.inf)))
            rest = ~(guessed + errors < bar)
        rest[first] = False
        others = np.flatnonzero(rest)
        scores[others] = score(others, bar)
    places = np.flatnonzero(scores > -np.inf)
    return Scored(places, scores[places])


def single(scores: Doubles) -> Floats:
    """Round scores as those of every channel of vectors are; what is too large is infinite."""
    with np.errstate(over="ignore"):
        return scores.astype(np.float32)


def rescored(reads: Sequence[Read], question: Asked, bar: float = -np.inf) -> Doubles:
    """Score passages in double precision, in the order of the reads.

    The copies say which vectors of a passage may be the best match; only those are read.

    Args:
        question: one.
        bar: what need not be scored if it cannot reach this.

    Returns:
        Scores, which depend on nothing but the vectors of passage and question; or -inf.
    """
    from medrag.indexing.maxsim.loops import refined

    exact = question.questions.values.astype(np.float64)
    weights = question.copy.bounds.scales.astype(np.float64)
    bounds = _bounds(reads)
    scales = bounds.scales.astype(np.float64)
    slack = 2 * (_errors(bounds, *_question_bounds(question)) + _LEAST)
    # One after the other: their product may vanish.
    slack /= scales[:, None]
    slack /= weights
    scores, bars = np.empty(len(scales)), bar / scales

    def work(tile: _Tile, products: NDArray[Any]) -> None:
        firsts = tile.read.copy.starts[tile.places]
        needed = bars[tile.out], weights
        scores[tile.out] = refined(
            tile.read.values, firsts, products, tile.starts, exact, slack[tile.out], needed
        )

    _each_tile(reads, question, work)
    return scores


def _bounds(reads: Sequence[Read]) -> Bounds:
    """Give the bounds of the passages of all reads."""
    none = [np.empty(0, np.float32)] * 3
    each = [none, *([fact[read.places] for fact in read.copy.bounds] for read in reads)]
    return Bounds(*(np.concatenate(facts) for facts in zip(*each, strict=True)))


def _question_bounds(questions: Asked) -> tuple[Doubles, Doubles]:
    """Give, for each vector of the questions, its norm, and what a product of norm 1 may lose."""
    norms = questions.copy.bounds.norms.astype(np.float64)
    errors = questions.copy.bounds.errors.astype(np.float64)
    kind, d = questions.copy.kind, questions.questions.values.shape[1]
    sums = 0.0 if kind == "int8" else d * 2.0**-23
    return norms, errors + (_ROUNDING[kind] + sums) * (norms + errors)


def _errors(bounds: Bounds, norms: Doubles, losses: Doubles) -> Doubles:
    """Bound errors, (passages, m), for norms and losses (m,) of question vectors, or their sums."""
    lost = bounds.errors.astype(np.float64)
    reach = bounds.norms + lost
    errors: Doubles = np.outer(lost, norms) + np.outer(reach, losses)
    # Where a product may overflow on its way, nothing is known.
    errors[np.outer(reach, norms + losses) > _MOST] = np.inf
    return errors


def _each_tile(
    reads: Sequence[Read], questions: Asked, work: Callable[[_Tile, NDArray[Any]], None]
) -> None:
    """Give each tile, and its products with the vectors of the questions, (rows, m)."""
    multiply = _product(questions.copy)
    ends = np.cumsum([0, *(len(read.places) for read in reads)])
    width = len(questions.questions.values)
    tiles = [
        tile
        for read, before in zip(reads, ends.tolist(), strict=False)
        for tile in _tiles(read, before, width)
    ]

    def run(tiles: Iterator[_Tile]) -> None:
        for tile in tiles:
            work(tile, multiply(_gathered(tile.read.copy, tile.places)))

    if questions.copy.kind == "float32":
        # NumPy's product uses all cores itself, and shares its threads badly.
        run(iter(tiles))
    else:
        in_torch_threads(run, tiles)


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
    pieces = [copy.codes[a:b] for a, b in zip(firsts, stops, strict=True)]
    if copy.kind == "float32":
        return np.concatenate(pieces)
    # NumPy would let another thread run, and wait for its own next turn, at every piece.
    torch = require("torch")
    whole = torch.cat([torch.from_numpy(each.view(np.int8)) for each in pieces])
    return np.asarray(whole.numpy().view(copy.codes.dtype))


def _product(asked: Copy) -> Callable[[NDArray[Any]], NDArray[Any]]:
    """Give what multiplies codes, (rows, d), with those of questions, (m, d)."""
    kind, codes = asked.kind, asked.codes
    if kind == "float32":
        columns = np.ascontiguousarray(codes.T)

        def multiply(rows: NDArray[Any]) -> NDArray[Any]:
            with np.errstate(over="ignore", invalid="ignore"):
                return np.asarray(np.matmul(rows, columns))

        return multiply
    torch = require("torch")
    # Written anew: of a single row, a view has strides that torch's product of integers misreads.
    there = as_tensor(codes.T.copy(), kind)
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
