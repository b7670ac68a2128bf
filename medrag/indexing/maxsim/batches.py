"""Which questions are looked at together."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from medrag.indexing.maxsim.packed import Packed

Mask = NDArray[np.bool_]

# Question vectors that are multiplied at once, and estimates that are held at once.
_COLUMNS, _ESTIMATES = 256, 1 << 25


def batches(masks: Sequence[Mask], lengths: NDArray[np.int32]) -> Iterator[list[int]]:
    """Divide questions into groups, each of which reads the rows that any of it may see.

    Questions of different filters share a group where that at most doubles the products: filters
    that each leave out one patient do, filters for one book each do not.

    Args:
        masks: of each question; the same object for the same filter.
        lengths: vectors of each question.
    """
    by_mask: dict[int, list[int]] = {}
    for number, mask in enumerate(masks):
        by_mask.setdefault(id(mask), []).append(number)
    alone = sum(
        int(np.count_nonzero(masks[each[0]])) * int(lengths[each].sum())
        for each in by_mask.values()
    )
    some = masks[0] if len(by_mask) == 1 else np.logical_or.reduce(masks)
    n = int(np.count_nonzero(some))
    together = n * int(lengths.sum()) <= 2 * alone
    for group in [list(range(len(masks)))] if together else by_mask.values():
        yield from _divided(group, lengths, max(1, _ESTIMATES // max(1, n)))


def taken(questions: Packed, numbers: Sequence[int]) -> Packed:
    """Give some of packed questions."""
    starts = questions.starts
    values = np.concatenate([questions.values[starts[i] : starts[i + 1]] for i in numbers])
    lengths = [starts[i + 1] - starts[i] for i in numbers]
    return Packed(values, np.concatenate(([0], np.cumsum(lengths))))


def _divided(numbers: Sequence[int], lengths: NDArray[np.int32], most: int) -> Iterator[list[int]]:
    group: list[int] = []
    width = 0
    for number in numbers:
        if group and (width + lengths[number] > _COLUMNS or len(group) == most):
            yield group
            group, width = [], 0
        group.append(number)
        width += int(lengths[number])
    if group:
        yield group
