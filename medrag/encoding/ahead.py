"""Work in a thread, ahead of the model that waits for it."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

from medrag.checkpoints.batching import check_sizes

_In = TypeVar("_In")
_Out = TypeVar("_Out")


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
    check_sizes(n=n)
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
