"""Shards read here, or by worker processes; results come in the order of the shards."""

import contextlib
import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ProcessPoolExecutor
from itertools import islice

from medrag.build.shard import EncoderOf, IngestorOf, ShardReader, ShardResult, ShardTask


def read_all(
    tasks: Iterable[ShardTask],
    reader: ShardReader,
    workers: int,
) -> Iterator[ShardResult]:
    """Read shards one by one with `reader`, or in `workers` processes with copies of it.

    At most two shards per worker are under way, so that finished ones do not pile up.
    """
    if workers == 1:
        yield from map(reader.read, tasks)
        return
    with ProcessPoolExecutor(
        max_workers=workers,
        # Not "fork": a child that begins as a copy of a process with threads may hang.
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_begin,
        initargs=(reader.ingestor, reader.factories, workers),
    ) as pool:
        yield from _in_order(pool, iter(tasks), 2 * workers)


def _in_order(
    pool: ProcessPoolExecutor, tasks: Iterator[ShardTask], ahead: int
) -> Iterator[ShardResult]:
    before = set(multiprocessing.active_children())
    running: deque[Future[ShardResult]] = deque()
    try:
        running.extend(_submitted(pool, islice(tasks, ahead)))
        while running:
            yield running.popleft().result()
            running.extend(_submitted(pool, islice(tasks, 1)))
    except BaseException:
        # Nobody waits for the books that are still being read. (To cancel futures as well would
        # have the pool's own thread fail on them: https://github.com/python/cpython/issues/94777.)
        for worker in set(multiprocessing.active_children()) - before:
            worker.terminate()
        raise


def _submitted(
    pool: ProcessPoolExecutor, tasks: Iterable[ShardTask]
) -> Iterator[Future[ShardResult]]:
    for task in tasks:
        with _deaf_to_interrupts():
            future = pool.submit(_read, task)
        yield future


@contextlib.contextmanager
def _deaf_to_interrupts() -> Iterator[None]:
    """Have processes that start meanwhile leave Ctrl-C to this one, where signals can be held."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    held = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, held)


_READERS: list[ShardReader] = []


def _begin(ingestor: IngestorOf, encoders: Mapping[str, EncoderOf], workers: int) -> None:
    """Prepare a worker process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Models compute in as many threads as they see processors; the workers share those.
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // workers)))
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _READERS.append(ShardReader(ingestor=ingestor, encoders=encoders))


def _read(task: ShardTask) -> ShardResult:
    return _READERS[0].read(task)


def _end_with_parent() -> None:
    """End this process when the one that started it is gone, however it went."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
