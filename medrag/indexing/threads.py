"""Threads that share the work of one search. NumPy and compiled loops let each other run."""

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TypeVar

from medrag.extras import Library, require

Task = TypeVar("Task")
Made = TypeVar("Made")


def in_threads(work: Callable[[Iterator[Task]], Made], tasks: Sequence[Task]) -> list[Made]:
    """Let threads take tasks until none is left; give what each of them made of its own.

    The caller's thread is one of them.
    """
    n_threads = min(n_cores(), len(tasks))
    if n_threads <= 1:
        return [work(iter(tasks))]
    taken = _turns(tasks)
    pool = _pool(os.getpid())
    others = [pool.submit(work, iter(taken, None)) for _ in range(n_threads - 1)]
    mine = work(iter(taken, None))
    return [mine, *(other.result() for other in others)]


def in_torch_threads(work: Callable[[Iterator[Task]], Made], tasks: Sequence[Task]) -> list[Made]:
    """Do the same in threads in which torch computes on one core each.

    Its own threads would stand in each other's way where several of ours ask for small products.
    """
    if n_cores() == 1:
        return [work(iter(tasks))]
    taken = _turns(tasks)
    pool = _torch_pool(os.getpid())
    n_threads = min(n_cores(), len(tasks))
    found = [pool.submit(work, iter(taken, None)) for _ in range(n_threads)]
    return [each.result() for each in found]


@cache
def n_cores() -> int:
    """Count the cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _turns(tasks: Sequence[Task]) -> Callable[[], Task | None]:
    """Hand out tasks to whichever thread asks next; None when no task is left.

    Each thread makes an iterator of its own from this: one that several share forgets the task in
    the hand of one thread when another meets the end.
    """
    rest = iter(tasks)
    lock = threading.Lock()

    def taken() -> Task | None:
        with lock:
            return next(rest, None)

    return taken


# Pools are of one process: threads do not come along where it forks.
@cache
def _pool(process: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(n_cores(), thread_name_prefix=f"medrag-scan-{process}")


@cache
def _torch_pool(process: int) -> ThreadPoolExecutor:
    torch = require("torch")
    before = torch.get_num_threads()
    threads = ThreadPoolExecutor(
        n_cores(),
        thread_name_prefix=f"medrag-torch-{process}",
        initializer=_take_one_core,
        initargs=(torch,),
    )
    # torch keeps the number for each thread, but also as that of threads to come: all of ours start
    # now, and it is put back.
    together = threading.Barrier(n_cores())
    for each in [threads.submit(together.wait) for _ in range(n_cores())]:
        each.result()
    torch.set_num_threads(before)
    return threads


def _take_one_core(torch: Library) -> None:
    # Asked first, since a thread takes the number of the process when it is first asked.
    torch.get_num_threads()
    torch.set_num_threads(1)
