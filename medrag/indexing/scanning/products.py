"""A first pass for many questions: products of int8 codes with int8 codes on the matrix unit."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from medrag.extras import require
from medrag.indexing.scanning.candidates import Candidates, Found, joined, least, slack
from medrag.indexing.scanning.copies import Copy
from medrag.indexing.scanning.library import Floats, Library, Mask, Rows, Shelf
from medrag.indexing.threads import in_threads

# Products that are held at once: they are read again at once, and should still be in the cache.
_PRODUCTS = 1 << 17
# Where a filter lets fewer through, their codes are gathered.
_GATHERED = 0.5

_NONE = np.empty(0, np.int64)
_ALL = np.empty(0, np.bool_)


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
    # Copied, since the library would copy it for each tile. By NumPy: a view of a single row has
    # strides that torch's product of integers misreads.
    columns = torch.from_numpy(coded.T.copy())

    def work(tiles: Iterator[_Tile]) -> list[Candidates]:
        found = Found(len(questions), k)
        for tile in tiles:
            # Two threads that each ask for a product keep both cores busy better than one that
            # asks the library for all, and leaves its threads waiting for the next.
            copy, rows = tile.copy, tile.rows
            products = torch._int_mm(torch.from_numpy(copy.codes[rows]), columns).numpy()  # noqa: SLF001
            facts = copy.scales[rows], copy.errors[rows], copy.lengths[rows]
            chosen = (tile.starts, tile.allowed, tile.listed)
            pick(products, facts, asked, chosen, tile.first, *found.with_room(len(products)))
        return found.candidates()

    tiles = [
        tile
        for shelf, copy, mask in zip(library.shelves, copies, allowed, strict=True)
        for tile in _tiles(shelf, copy, mask, len(questions))
    ]
    return joined(in_threads(work, tiles))


class _Tile(NamedTuple):
    """Passages of a block, side by side or gathered.

    Attributes:
        copy: of the block.
        rows: its vectors.
        starts: where the vectors of each passage begin, and the end; nothing where each has one.
        allowed: which passages count; nothing if all.
        first: place of the first passage.
        listed: places of the passages where they are gathered, from `first` on; else nothing.
    """

    copy: Copy
    rows: slice | Rows
    starts: Rows
    allowed: Mask
    first: int
    listed: Rows


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
            yield _Tile(copy, some, _NONE, _ALL, shelf.first, some)
        return
    for first, stop in shelf.spans(size):
        here: Mask = _ALL if mask is None else mask[first:stop]
        if mask is not None and not here.any():
            continue
        rows, starts = slice(first, stop), _NONE
        if not shelf.single:
            starts = shelf.starts[first : stop + 1]
            rows, starts = slice(starts[0], starts[-1]), starts - starts[0]
        yield _Tile(copy, rows, starts, here, shelf.first + first, _NONE)
