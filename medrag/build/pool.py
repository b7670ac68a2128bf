"""Shards read here, or by worker processes; results come in the order of the shards."""

import multiprocessing
import os
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
    running: deque[Future[ShardResult]] = deque(pool.submit(_read, t) for t in islice(tasks, ahead))
    try:
        while running:
            yield running.popleft().result()
            running.extend(pool.submit(_read, task) for task in islice(tasks, 1))
    finally:
        for each in running:
            each.cancel()


_READERS: list[ShardReader] = []


def _begin(ingestor: IngestorOf, encoders: Mapping[str, EncoderOf], workers: int) -> None:
    """Prepare a worker process."""
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
