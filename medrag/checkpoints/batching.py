"""Batches by what they cost, and smaller ones when memory runs out."""

import logging
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from medrag.extras import require

_LOGGER = logging.getLogger(__name__)
# What the allocators of torch say, of the CPU and of devices.
_OUT_OF_MEMORY = ("can't allocate memory", "not enough memory", "out of memory")

_Out = TypeVar("_Out")


def check_sizes(**sizes: int | None) -> None:
    """Refuse sizes below 1; None says that a size is chosen elsewhere.

    Raises:
        ValueError: naming the setting.
    """
    for name, size in sizes.items():
        if size is not None and size < 1:
            raise ValueError(f"{name} must be at least 1, got {size}")


def budgeted(costs: Sequence[int], budget: int) -> list[list[int]]:
    """Put inputs of like cost together, so that little of a padded batch is padding.

    Args:
        costs: of each input, at least 1: tokens of a text, pixels of an image.
        budget: what len(batch) times its largest cost may reach. An input that costs more stands
            alone.

    Returns:
        Indices, each once; the dearest first, so that memory runs out at once or not at all;
        equal costs in the order given.

    Raises:
        ValueError: if the budget is not positive.
    """
    check_sizes(budget=budget)
    order = sorted(range(len(costs)), key=lambda index: (-costs[index], index))
    batches: list[list[int]] = []
    for index in order:
        # The first of a batch is its largest.
        if batches and (len(batches[-1]) + 1) * costs[batches[-1][0]] <= budget:
            batches[-1].append(index)
        else:
            batches.append([index])
    return batches


class Halving:
    """Run a function on batches within a budget; on out of memory halve the budget and go on.

    The smaller budget holds for the batches to come as well. Safe to share between threads.

    Args:
        budget: of `budgeted`.
        unit: what the budget counts, for the log: "tokens", "images".
    """

    def __init__(self, *, budget: int, unit: str = "tokens") -> None:
        check_sizes(budget=budget)
        self.budget = budget
        self.unit = unit
        self._lock = threading.Lock()

    def run(
        self,
        function: Callable[[list[int]], _Out],
        costs: Sequence[int],
    ) -> Iterator[tuple[list[int], _Out]]:
        """Call the function on all inputs, batch by batch.

        Args:
            function: takes indices into `costs`, as one batch; may be called again with fewer.
            costs: as in `budgeted`.

        Yields:
            Each batch of indices with what the function gave for it.

        Raises:
            Exception: whatever the function raises; out of memory only for a single input.
        """
        waiting = deque(budgeted(costs, self.budget))
        while waiting:
            batch, allowed = waiting.popleft(), self.budget
            try:
                found = function(batch)
            except (RuntimeError, MemoryError) as error:
                if not out_of_memory(error) or len(batch) == 1:
                    raise
                trouble = str(error).partition("\n")[0] or type(error).__name__
            else:
                yield batch, found
                continue
            # Outside the except clause: the error's traceback would keep the batch's memory.
            self._halve(allowed, len(batch) * costs[batch[0]], trouble)
            left = [*batch, *(index for each in waiting for index in each)]
            again = budgeted([costs[index] for index in left], self.budget)
            waiting = deque([left[place] for place in places] for places in again)

    def _halve(self, before: int, spent: int, trouble: str) -> None:
        with self._lock:
            if self.budget == before:
                self.budget = max(min(before, spent) // 2, 1)
                _LOGGER.warning(
                    "out of memory with a batch of %d %s (%s); going on with batches of %d",
                    spent, self.unit, trouble, self.budget,
                )  # fmt: skip
        _free()


def out_of_memory(error: BaseException) -> bool:
    """Tell whether an error says that memory, of a device or of the machine, ran out."""
    said = str(error).lower() if isinstance(error, RuntimeError) else ""
    return isinstance(error, MemoryError) or any(words in said for words in _OUT_OF_MEMORY)


def _free() -> None:
    cuda = require("torch").cuda
    if cuda.is_available():
        cuda.empty_cache()
