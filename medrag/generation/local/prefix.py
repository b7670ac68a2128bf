"""What several prompts begin with alike, so that it is read once for all of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Group:
    """Prompts that begin alike.

    Attributes:
        members: their places, in order.
        shared: tokens that all of them begin with; 0 where nothing is shared.
    """

    members: tuple[int, ...]
    shared: int


def grouped(keys: Sequence[NDArray[np.int64]], *, least: int) -> list[Group]:
    """Put prompts together that share their beginning, so that most tokens are read only once.

    Each prompt keeps at least one token of its own, from which its answer begins.

    Args:
        keys: (n,) of each prompt, equal where it shows the same.
        least: tokens that reading once must save for it to be worth a pass of its own.

    Returns:
        Groups; each prompt is in one. Those that share with none are together, in one of its own.
    """
    order = sorted(range(len(keys)), key=lambda index: keys[index].tolist())
    alike = [_common(keys[a], keys[b]) for a, b in pairwise(order)]
    # A prompt that begins another one whole must still keep a token.
    bounds = [len(key) - 1 for key in keys]
    found = [Group(tuple(sorted(order[a:b])), shared) for a, b, shared in _best(alike)]
    kept: list[Group] = []
    alone: list[int] = []
    for group in found:
        shared = min(group.shared, *(bounds[member] for member in group.members))
        if (len(group.members) - 1) * shared >= max(least, 1):
            kept.append(Group(group.members, shared))
        else:
            alone += group.members
    return kept + ([Group(tuple(sorted(alone)), 0)] if alone else [])


def _common(one: NDArray[np.int64], other: NDArray[np.int64]) -> int:
    """Count the tokens that two prompts begin with alike."""
    n = min(len(one), len(other))
    differ = np.flatnonzero(one[:n] != other[:n])
    return int(differ[0]) if len(differ) else n


def _best(alike: Sequence[int]) -> list[tuple[int, int, int]]:
    """Divide a sorted row of prompts so that the tokens saved are the most.

    Args:
        alike: of each neighbour pair.

    Returns:
        Stretches (start, end, shared tokens).
    """

    def saved(start: int, end: int) -> tuple[int, list[tuple[int, int, int]]]:
        if end - start == 1:
            return 0, [(start, end, 0)]
        inside = alike[start : end - 1]
        shared = min(inside)
        together = (end - start - 1) * shared
        cut = start + inside.index(shared) + 1
        left, right = saved(start, cut), saved(cut, end)
        if left[0] + right[0] > together:
            return left[0] + right[0], left[1] + right[1]
        return together, [(start, end, shared)]

    return saved(0, len(alike) + 1)[1]
