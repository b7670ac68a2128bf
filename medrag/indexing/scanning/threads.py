"""Threads that share the work of one search. NumPy and compiled kernels let each other run."""

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TypeVar

Task = TypeVar("Task")
Made = TypeVar("Made")


def in_threads(
    work: Callable[[Iterator[Task]], Made], tasks: Sequence[Task], n_threads: int
) -> list[Made]:
    """Let threads take tasks until none is left; give what each of them made of its own.

    The caller's thread is one of them.
    """
    if n_threads <= 1 or len(tasks) <= 1:
        return [work(iter(tasks))]
    turns = _turns(tasks)
    pool = _pool(os.getpid())
    others = [pool.submit(work, turns) for _ in range(min(n_threads, len(tasks)) - 1)]
    mine = work(turns)
    return [mine, *(other.result() for other in others)]


@cache
def n_cores() -> int:
    """Count the cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _turns(tasks: Sequence[Task]) -> Iterator[Task]:
    """Hand out tasks to whichever thread asks next."""
    rest = iter(tasks)
    lock = threading.Lock()

    def taken() -> Task | None:
        with lock:
            return next(rest, None)

    return iter(taken, None)


@cache
def _pool(process: int) -> ThreadPoolExecutor:
    # Of this process: threads do not come along where one forks.
    return ThreadPoolExecutor(n_cores(), thread_name_prefix=f"medrag-scan-{process}")
