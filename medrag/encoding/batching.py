"""Batches by what they cost, smaller ones when memory runs out, and work ahead of the model."""

import logging
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

from medrag.extras import require

_LOGGER = logging.getLogger(__name__)
# What the CPU allocator of torch says; CUDA has an error class of its own.
_OUT_OF_MEMORY = ("can't allocate memory", "not enough memory", "out of memory")

_In = TypeVar("_In")
_Out = TypeVar("_Out")


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
    if budget < 1:
        raise ValueError(f"budget must be at least 1, got {budget}")
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
        if budget < 1:
            raise ValueError(f"budget must be at least 1, got {budget}")
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
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    return isinstance(error, RuntimeError) and any(
        words in str(error).lower() for words in _OUT_OF_MEMORY
    )


def ahead(
    function: Callable[[_In], _Out], inputs: Iterable[_In], n: int = 2
) -> Iterator[tuple[_In, _Out]]:
    """Call a function on inputs in a thread, up to n of them ahead of whoever takes the results.

    Tokenising and decoding release the interpreter, so that they run beside the forward pass.

    Args:
        function: called in one thread, input after input.
        inputs: read in the thread of the caller.
        n: at least 1.

    Yields:
        Each input with its result, in order; an error of the function is raised in its place.

    Raises:
        ValueError: if n is below 1.
    """
    if n < 1:
        raise ValueError(f"n must be at least 1, got {n}")
    return _ahead(function, iter(inputs), n)


def _ahead(
    function: Callable[[_In], _Out], inputs: Iterator[_In], n: int
) -> Iterator[tuple[_In, _Out]]:
    pool = ThreadPoolExecutor(1, thread_name_prefix="ahead")
    running: deque[tuple[_In, Future[_Out]]] = deque()
    try:
        running.extend((each, pool.submit(function, each)) for each in islice(inputs, n))
        while running:
            each, future = running.popleft()
            found = future.result()
            running.extend((later, pool.submit(function, later)) for later in islice(inputs, 1))
            yield each, found
    finally:
        # Also when the consumer stops early: what has not begun never does.
        pool.shutdown(wait=True, cancel_futures=True)


def _free() -> None:
    cuda = require("torch").cuda
    if cuda.is_available():
        cuda.empty_cache()
