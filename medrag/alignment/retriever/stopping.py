"""When training ends: after pairs of other clusters have not been found better for a while."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from medrag.alignment.retriever.recall import ranks_of, turned
from medrag.alignment.retriever.relations import Relations

# The measure looks no deeper than at one in so many passages, where those are few.
_DEPTH = 5

_State = TypeVar("_State")


class Found(NamedTuple):
    """How well stopping pairs are found; of equal recalls the higher reciprocal rank is better.

    Attributes:
        recall: share of queries and passages that find each other among the first k.
        reciprocal_rank: the mean of 1 / rank.
    """

    recall: float
    reciprocal_rank: float


def found_of(scores: NDArray[np.float32], known: Relations, k: int) -> Found:
    """Look in both directions, no deeper than at a fifth of the passages.

    Args:
        scores: (n, n), queries by passages.
    """
    depth = min(k, max(1, len(np.unique(known.passages)) // _DEPTH))
    ranks = np.concatenate([ranks_of(scores, known), ranks_of(scores.T, turned(known))])
    return Found(float((ranks <= depth).mean()), float((1 / ranks).mean()))


@dataclass(frozen=True, slots=True)
class Trained:
    """How a training went.

    Attributes:
        losses: (step, mean loss of the epoch that ended there).
        recalls: of the stopping pairs before the first epoch and after each.
        best_epoch: whose weights were kept; 0 for those of the start.
    """

    losses: tuple[tuple[int, float], ...]
    recalls: tuple[float, ...]
    best_epoch: int


class Best(Generic[_State]):
    """The best state so far, and how long ago it was; the last one where there is no measure.

    Args:
        found: of the start; None where there are no pairs to stop by.
        state: of the start.
    """

    def __init__(self, found: Found | None, state: _State) -> None:
        self.found = [] if found is None else [found]
        self.kept = state
        self.epoch = 0

    def see(self, found: Found | None, state: Callable[[], _State], epoch: int) -> bool:
        """Take in how an epoch went; tell whether it was no better than an earlier one."""
        is_worse = found is not None and bool(self.found) and found <= max(self.found)
        if found is not None:
            self.found.append(found)
        if not is_worse:
            self.kept, self.epoch = state(), epoch
        return is_worse

    @property
    def recalls(self) -> tuple[float, ...]:
        """Give the recall of the start and after each epoch; empty where there is no measure."""
        return tuple(each.recall for each in self.found)


def told(loss: float, found: Found | None) -> str:
    """Write how an epoch went."""
    return f"loss {loss:.3f}" + ("" if found is None else f", recall {found.recall:.3f}")
