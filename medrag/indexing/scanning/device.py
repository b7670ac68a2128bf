"""Scan copies with torch: on GPUs, where they stay, or on the processor.

Scores are made tile by tile and only the best of each tile are kept, so that they never fill the
memory. How many are kept is a guess; where it was too low for the best k to be certain among them,
more are kept in another pass.
"""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medrag.extras import require
from medrag.indexing.scanning.candidates import Candidates, joined, least, slack
from medrag.indexing.scanning.copies import Copy
from medrag.indexing.scanning.library import Floats, Library, Mask, Rows, Shelf
from medrag.indexing.threads import in_threads

# Scores of a tile, on a GPU and on the processor.
_SCORES, _SCORES_HERE = 1 << 26, 1 << 20
# Kept at first for each question, beside four times k.
_KEPT = 64
# The best of so many scores stands for them in a first round of choosing.
_GROUP = 32
# Where a filter lets fewer through, their codes are gathered.
_GATHERED = 0.1

# How far a product may be off, as a factor of both lengths, by the type of what comes out: rounded
# once on the processor, and on a GPU also where its parts are added up, or inputs become TF32.
_ROUNDED = {
    "cpu": {"bfloat16": 2.0**-8, "float16": 2.0**-10, "float32": 0.0},
    "cuda": {"bfloat16": 2.0**-7, "float16": 2.0**-9, "float32": 2.0**-9},
}
# Bytes of vectors that are on their way to a device at once.
_MOVED_BYTES = 64 << 20


class DeviceScan:
    """Find candidates in copies of the blocks of a library, on one or more devices.

    Each device holds an equal share of every block. Without copies it holds the vectors.
    """

    def __init__(
        self, library: Library, copies: Sequence[Copy] | None, devices: Sequence[str]
    ) -> None:
        self.library = library
        self.shards: list[list[_Part]] = [[] for _ in devices]
        for at, shelf in enumerate(library.shelves):
            for shard, device in enumerate(devices):
                first, stop = (len(shelf) * i // len(devices) for i in (shard, shard + 1))
                if first < stop:
                    copy = None if copies is None else copies[at]
                    self.shards[shard].append(_placed(shelf, copy, first, stop, device))

    def candidates(self, questions: Floats, k: int, mask: Mask) -> list[Rows]:
        """Give the places that could be among the best k, for each question."""
        allowed = {id(shelf): shelf.allowed(mask) for shelf in self.library.shelves}
        work = partial(_of_shards, np.ascontiguousarray(questions, np.float32), k, allowed)
        return joined(in_threads(work, [shard for shard in self.shards if shard]))


@dataclass(frozen=True, slots=True)
class _Part:
    """Passages [first, stop) of a block, on a device."""

    shelf: Shelf
    first: int
    stop: int
    codes: Any
    scales: Any
    errors: Any
    lengths: Any


@dataclass(frozen=True, slots=True)
class _Asked:
    """Questions on a device: (m, d), in the type of the codes, and (m, 1) facts about them."""

    values: Any
    scales: Any
    lengths: Any
    errors: Any
    least: float


def _placed(shelf: Shelf, copy: Copy | None, first: int, stop: int, device: str) -> _Part:
    torch = require("torch")
    begin, end = (int(shelf.starts[at]) for at in (first, stop))
    d = shelf.values.shape[1]
    if copy is None:
        codes, lengths = _moved(shelf.values, begin, end, device), np.empty(end - begin)
        for start, values in _pieces(shelf.values, begin, end):
            shelf.check(start, values)
            here = slice(start - begin, start - begin + len(values))
            lengths[here] = np.linalg.norm(values.astype(np.float64), axis=1) * (1 + slack(d))
        facts: list[NDArray[Any]] = [np.ones_like(lengths), slack(d) * lengths, lengths]
    else:
        codes = _moved(copy.codes, begin, end, device)
        facts = [each[begin:end] for each in (copy.scales, copy.errors, copy.lengths)]
        if copy.codes.dtype == np.uint16:
            codes = codes.view(torch.bfloat16)
    there = [torch.from_numpy(np.array(each, np.float32)).to(device) for each in facts]
    return _Part(shelf, first, stop, codes, *there)


def _moved(values: NDArray[Any], begin: int, end: int, device: str) -> Any:
    """Bring rows [begin, end) to a device, a piece at a time."""
    torch = require("torch")
    dtype = torch.from_numpy(np.empty(0, values.dtype)).dtype
    there = torch.empty((end - begin, values.shape[1]), dtype=dtype, device=device)
    for start, piece in _pieces(values, begin, end):
        # A copy: torch wants memory that may be written, and a memory map may not.
        there[start - begin : start - begin + len(piece)] = torch.from_numpy(np.array(piece))
    return there


def _pieces(values: NDArray[Any], begin: int, end: int) -> Iterator[tuple[int, NDArray[Any]]]:
    step = max(1, _MOVED_BYTES // (values.itemsize * values.shape[1]))
    for start in range(begin, end, step):
        yield start, np.asarray(values[start : min(start + step, end)])


def _of_shards(
    questions: Floats, k: int, allowed: dict[int, Mask | None], shards: Iterator[list[_Part]]
) -> list[Candidates]:
    torch = require("torch")
    found = [Candidates(k) for _ in questions]
    with torch.inference_mode():
        for parts in shards:
            left = np.arange(len(questions))
            n = sum(part.stop - part.first for part in parts)
            kept = min(n, 4 * k + _KEPT)
            while len(left):
                tops = _tops(parts, questions[left], kept, allowed)
                certain = np.array(
                    [kept == n or _certain(top, k, kept) for top in zip(*tops, strict=True)]
                )
                for j in np.flatnonzero(certain):
                    places, upper, lower = (each[j] for each in tops)
                    real = places >= 0
                    found[left[j]].take(places[real], upper[real], lower[real])
                left, kept = left[~certain], min(n, 4 * kept)
    return found


def _certain(top: tuple[Rows, Floats, Floats], k: int, kept: int) -> bool:
    """Tell whether none of those that were not kept can be among the best k."""
    places, upper, lower = top
    if len(places) < kept or places.min() < 0:
        return True
    return bool(upper.min() < np.partition(lower, len(lower) - k)[len(lower) - k])


def _tops(
    parts: Sequence[_Part], questions: Floats, kept: int, allowed: dict[int, Mask | None]
) -> tuple[Rows, Floats, Floats]:
    """Give places, upper and lower ends, (m, kept) each, of the highest upper ends; -1 is none."""
    torch = require("torch")
    asked = _asked(questions, parts[0].codes)
    best: Any = None
    for part in parts:
        for places, upper, lower in _scored(part, asked, allowed[id(part.shelf)]):
            upper, at = _highest(upper, kept)
            lower, places = lower.gather(1, at), places[at]
            if best is not None:
                places, upper, lower = (
                    torch.cat(pair, 1) for pair in zip(best, (places, upper, lower), strict=True)
                )
                upper, at = upper.topk(min(kept, upper.shape[1]), dim=1)
                places, lower = places.gather(1, at), lower.gather(1, at)
            best = (torch.where(upper == -torch.inf, -1, places), upper, lower)
    if best is None:
        empty = np.empty((len(questions), 1), np.float32)
        return np.full(empty.shape, -1), empty, empty
    places, upper, lower = (each.cpu().numpy() for each in best)
    return places, upper, lower


def _highest(values: Any, kept: int) -> tuple[Any, Any]:
    """Give the highest values of each row and where they stand, by way of the best of groups."""
    n = values.shape[1]
    whole = n // _GROUP * _GROUP
    if whole < 4 * kept * _GROUP:
        return values.topk(min(kept, n), dim=1)  # type: ignore[no-any-return]
    torch = require("torch")
    groups = values[:, :whole].unflatten(1, (-1, _GROUP)).amax(2).topk(kept, dim=1).indices
    inside = torch.arange(_GROUP, device=values.device)
    at = (groups[:, :, None] * _GROUP + inside).flatten(1)
    rest = torch.arange(whole, n, device=values.device).expand(len(values), -1)
    at = torch.cat((at, rest), 1)
    top, chosen = values.gather(1, at).topk(kept, dim=1)
    return top, at.gather(1, chosen)


def _asked(questions: Floats, codes: Any) -> _Asked:
    torch = require("torch")
    kind = torch.bfloat16 if codes.dtype == torch.int8 else codes.dtype
    wide = torch.from_numpy(questions.astype(np.float64))
    # A power of two that brings the largest number near 1, for types of a small range.
    scales = torch.exp2(torch.ceil(torch.log2(wide.abs().amax(1, keepdim=True).clamp(min=1e-30))))
    values = (wide / scales).to(kind)
    d = questions.shape[1]
    errors = (values.to(torch.float64) * scales - wide).norm(dim=1, keepdim=True) * (1 + slack(d))
    lengths = wide.norm(dim=1, keepdim=True) * (1 + slack(d)) + errors
    scales, lengths, errors = (
        each.to(torch.float32).to(codes.device) for each in (scales, lengths, errors)
    )
    return _Asked(values.to(codes.device), scales, lengths, errors, least(d))


def _scored(part: _Part, asked: _Asked, allowed: Mask | None) -> Iterator[tuple[Any, Any, Any]]:
    """Give tiles of places (passages,), and upper and lower ends (m, passages) of their scores."""
    torch = require("torch")
    device = part.codes.device
    budget = _SCORES if device.type == "cuda" else _SCORES_HERE
    size = max(_GROUP, budget // len(asked.values))
    shelf, mask = part.shelf, None if allowed is None else allowed[part.first : part.stop]
    if mask is not None and shelf.single and mask.mean() < _GATHERED:
        listed = torch.from_numpy(np.flatnonzero(mask)).to(device)
        for here in listed.split(size):
            upper, lower = _ends(part, here, asked)
            yield here + (shelf.first + part.first), upper, lower
        return
    for first, stop in shelf.spans(size, part.first, part.stop):
        begin, end = (int(shelf.starts[at] - shelf.starts[part.first]) for at in (first, stop))
        upper, lower = _ends(part, slice(begin, end), asked)
        if not shelf.single:
            owners = np.repeat(np.arange(stop - first), shelf.lengths[first:stop])
            upper, lower = (_best_of(each, owners, stop - first) for each in (upper, lower))
        if mask is not None:
            barred = ~torch.from_numpy(mask[first - part.first : stop - part.first]).to(device)
            upper, lower = (each.masked_fill(barred, -torch.inf) for each in (upper, lower))
        yield torch.arange(first, stop, device=device) + shelf.first, upper, lower


def _ends(part: _Part, rows: Any, asked: _Asked) -> tuple[Any, Any]:
    """Give the upper and lower ends of the scores of vectors, (m, vectors)."""
    torch = require("torch")
    codes = part.codes[rows]
    if codes.dtype == torch.int8:
        codes = codes.to(asked.values.dtype)
    products, rounded = _products(asked.values, codes)
    scores = products.to(torch.float32) * (part.scales[rows] * asked.scales)
    lengths = part.lengths[rows] + part.errors[rows]
    off = part.errors[rows] * asked.lengths + lengths * (asked.errors + rounded * asked.lengths)
    off += asked.least
    # What overflowed may be anything.
    off = torch.where(torch.isfinite(scores) & torch.isfinite(off), off, torch.inf)
    scores = torch.where(torch.isfinite(off), scores, 0.0)
    return scores + off, scores - off


def _products(questions: Any, codes: Any) -> tuple[Any, float]:
    """Give the inner products, (m, vectors), and how far their rounding may put them off."""
    torch = require("torch")
    name = str(codes.dtype).removeprefix("torch.")
    if codes.device.type == "cpu":
        # In this order the processor is twice as fast.
        return (codes @ questions.T).T, _ROUNDED["cpu"][name]
    if name != "float32":
        with suppress(TypeError, NotImplementedError):
            # Sums as they are, not rounded to the type of the codes; not every torch can.
            return torch.mm(questions, codes.T, out_dtype=torch.float32), 0.0
    return questions @ codes.T, _ROUNDED["cuda"][name]


def _best_of(values: Any, owners: Rows, n: int) -> Any:
    """Give the best value of each of n owners, (m, n)."""
    torch = require("torch")
    index = torch.from_numpy(owners).to(values.device).expand(len(values), -1)
    best = torch.full((len(values), n), -torch.inf, device=values.device)
    return best.scatter_reduce_(1, index, values, "amax")
