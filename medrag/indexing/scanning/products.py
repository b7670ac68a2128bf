"""A first pass for many questions: products of int8 codes with int8 codes on the matrix unit."""

from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from medrag.extras import require
from medrag.indexing.scanning.candidates import Candidates, joined, least, slack
from medrag.indexing.scanning.copies import Copy
from medrag.indexing.scanning.found import Found
from medrag.indexing.scanning.library import Floats, Library, Mask, Rows, Shelf
from medrag.indexing.scanning.threads import in_threads, n_cores

# Products that are held at once: they are read again at once, and should still be in the cache.
_PRODUCTS = 1 << 17
# Where a filter lets fewer through, their codes are gathered.
_GATHERED = 0.5

_NONE = np.empty(0, np.int64)
_ALL = np.empty(0, np.bool_)


@cache
def multiplies_int8() -> bool:
    """Tell whether this processor multiplies int8 in hardware. Imports torch."""
    cpu = require("torch").cpu
    return bool(cpu._is_vnni_supported() or cpu._is_amx_tile_supported())  # noqa: SLF001


def by_products(
    library: Library,
    copies: Sequence[Copy],
    questions: Floats,
    k: int,
    allowed: Sequence[Mask | None],
) -> list[Rows]:
    """Give the places that could be among the best k, for each question.

    More of them than a scan with the questions themselves gives, for what their codes lack.
    """
    from medrag.indexing.scanning.kernels import pick

    torch = require("torch")
    coded, asked = _coded(questions)
    columns = torch.from_numpy(coded).T

    def work(tiles: Iterator[_Tile]) -> list[Candidates]:
        found = Found(len(questions), k)
        for tile in tiles:
            # Two threads that each ask for a product keep both cores busy better than one that
            # asks the library for all, and leaves its threads waiting for the next.
            codes = torch.from_numpy(tile.copy.codes[tile.rows])
            products = torch._int_mm(codes, columns).numpy()  # noqa: SLF001
            found.make_room(tile.n)
            chosen = (tile.ends, tile.allowed, tile.listed)
            pick(products, _facts(tile), asked, chosen, 0, tile.n, tile.first, *found.arrays)
        return found.candidates()

    tiles = [
        tile
        for shelf, copy, mask in zip(library.shelves, copies, allowed, strict=True)
        for tile in _tiles(shelf, copy, mask, len(questions))
    ]
    return joined(in_threads(work, tiles, n_cores()), k)


class _Tile(NamedTuple):
    """Passages of a block, side by side or gathered.

    Attributes:
        copy: of the block.
        rows: its vectors.
        ends: where the vectors of each passage begin, and the end; nothing where each has one.
        allowed: which passages count; nothing if all.
        first: place of the first passage.
        listed: places of the passages where they are gathered, from `first` on; else nothing.
        n: passages.
    """

    copy: Copy
    rows: slice | Rows
    ends: Rows
    allowed: Mask
    first: int
    listed: Rows
    n: int


def _coded(questions: Floats) -> tuple[NDArray[np.int8], Any]:
    """Give questions as int8 codes; their scales, lengths, what the codes lack, and underflow."""
    d = questions.shape[1]
    wide = questions.astype(np.float64)
    scales = (np.abs(questions).max(axis=1, initial=0) / 127).astype(np.float32)
    codes = np.rint(wide / np.where(scales == 0, 1, scales)[:, None]).astype(np.int8)
    lost = np.linalg.norm(wide - codes * scales[:, None].astype(np.float64), axis=1)
    lost *= 1 + slack(d)
    lengths = np.linalg.norm(wide, axis=1) * (1 + slack(d)) + lost
    floats = (scales, lengths.astype(np.float32), lost.astype(np.float32))
    return codes, (*floats, np.float32(least(d)))


def _tiles(shelf: Shelf, copy: Copy, mask: Mask | None, n_questions: int) -> Iterator[_Tile]:
    size = max(256, _PRODUCTS // n_questions)
    if mask is not None and shelf.single and mask.mean() < _GATHERED:
        chosen = np.flatnonzero(mask)
        for start in range(0, len(chosen), size):
            some = chosen[start : start + size]
            yield _Tile(copy, some, _NONE, _ALL, shelf.first, some, len(some))
        return
    first = 0
    while first < len(shelf):
        stop = first + size
        if not shelf.single:
            behind = np.searchsorted(shelf.starts, shelf.starts[first] + size, side="right")
            stop = max(int(behind) - 1, first + 1)
        stop = min(stop, len(shelf))
        here: Mask = _ALL if mask is None else mask[first:stop]
        if mask is None or here.any():
            yield _whole_tile(shelf, copy, first, stop, here)
        first = stop


def _whole_tile(shelf: Shelf, copy: Copy, first: int, stop: int, allowed: Mask) -> _Tile:
    ends = _NONE if shelf.single else shelf.starts[first : stop + 1] - shelf.starts[first]
    begin, end = (first, stop) if shelf.single else shelf.starts[[first, stop]].tolist()
    place = shelf.first + first
    return _Tile(copy, slice(begin, end), ends, allowed, place, _NONE, stop - first)


def _facts(tile: _Tile) -> tuple[Floats, Floats, Floats]:
    """Give scales, errors and lengths of the vectors of a tile."""
    copy, rows = tile.copy, tile.rows
    return copy.scales[rows], copy.errors[rows], copy.lengths[rows]
