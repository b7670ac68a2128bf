"""Threads that share the parts of one search, each with torch on one core."""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import count
from threading import Barrier

from medrag.extras import Library, require
from medrag.indexing.scanning.threads import in_threads, n_cores


def shared(n: int, work: Callable[[int], None], *, torch: bool = False) -> None:
    """Call `work` with each number below n, on all cores, and raise what it raises.

    Args:
        torch: whether `work` computes with torch, whose own threads would stand in each other's
            way: small products run on one core each instead.
    """
    if torch and n_cores() > 1:
        if n:
            _in_torch_threads(n, work)
        return

    def run(numbers: Iterator[int]) -> None:
        for number in numbers:
            work(number)

    in_threads(run, range(n), n_cores())


def _in_torch_threads(n: int, work: Callable[[int], None]) -> None:
    numbers = count()

    def run() -> None:
        while (number := next(numbers)) < n:
            work(number)

    threads = _torch_threads(os.getpid())
    for each in [threads.submit(run) for _ in range(min(n, n_cores()))]:
        each.result()


@cache
def _torch_threads(process: int) -> ThreadPoolExecutor:
    """Keep threads in which torch computes on one core, for a process: a fork inherits none."""
    torch = require("torch")
    before = torch.get_num_threads()
    threads = ThreadPoolExecutor(
        n_cores(),
        thread_name_prefix=f"medrag-maxsim-{process}",
        initializer=_take_one_core,
        initargs=(torch,),
    )
    # torch keeps the number for each thread, but also as that of threads to come: all of ours start
    # now, and it is put back.
    together = Barrier(n_cores())
    for each in [threads.submit(together.wait) for _ in range(n_cores())]:
        each.result()
    torch.set_num_threads(before)
    return threads


def _take_one_core(torch: Library) -> None:
    # Asked first, since a thread takes the number of the process when it is first asked.
    torch.get_num_threads()
    torch.set_num_threads(1)
