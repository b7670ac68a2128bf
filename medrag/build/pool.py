"""Tasks performed here, by worker processes, or by Ray; results come in the order of the tasks."""

import contextlib
import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from typing import Any, Literal, TypeVar, get_args

from medrag.build.completing import VectorsTask
from medrag.build.shard import EncoderOf, IngestorOf, ShardReader, ShardTask
from medrag.errors import MedragError

Engine = Literal["local", "ray"]

_Task = TypeVar("_Task", ShardTask, VectorsTask)
_Result = TypeVar("_Result")


class Crew:
    """Who performs tasks: this process, some worker processes, or actors on a Ray cluster.

    Args:
        workers: at least 1; with the local engine, 1 is this process.
        engine: "ray" performs tasks on a cluster, all of whose machines see the files and the index
            under the same paths.
    """

    def __init__(self, *, workers: int = 1, engine: Engine = "local") -> None:
        if workers < 1:
            raise ValueError(f"workers must be at least 1, got {workers}")
        if engine not in get_args(Engine):
            raise ValueError(f"engine must be one of {', '.join(get_args(Engine))}, got {engine!r}")
        self.workers = workers
        self.engine = engine

    @property
    def here(self) -> bool:
        """Whether tasks are performed in this process, by the reader that is given itself."""
        return self.engine == "local" and self.workers == 1

    def perform(
        self,
        function: Callable[[ShardReader, _Task], _Result],
        tasks: Sequence[_Task],
        reader: ShardReader,
    ) -> Iterator[_Result]:
        """Call a function on tasks with `reader`, or with copies of it.

        Args:
            function: of a module, so that it crosses to other processes. It writes into the folder
                of its task; the folder that its result names is the one that counts.
            tasks: performed so many at a time that finished ones do not pile up.

        Yields:
            Results, in the order of the tasks.

        Raises:
            MedragError: if a worker was killed, or a machine of the cluster lacks a folder.
        """
        if self.here:
            yield from (function(reader, task) for task in tasks)
        elif self.engine == "ray":
            from medrag.build.ray_engine import performed_by_ray

            yield from performed_by_ray(function, tasks, reader, self.workers)
        else:
            # Fewer workers than could be are given more threads each.
            yield from _by_processes(function, tasks, reader, min(self.workers, len(tasks)))


def _by_processes(
    function: Callable[[ShardReader, _Task], _Result],
    tasks: Sequence[_Task],
    reader: ShardReader,
    workers: int,
) -> Iterator[_Result]:
    with ProcessPoolExecutor(
        max_workers=workers,
        # Not "fork": a child that begins as a copy of a process with threads may hang.
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_begin,
        initargs=(reader.ingestor, reader.factories, workers),
    ) as pool:
        calls = ((function, task) for task in tasks)
        try:
            yield from _in_order(pool, calls, 2 * workers)
        except BrokenProcessPool as error:
            raise MedragError(
                "a worker process was killed, perhaps for want of memory; what was finished is "
                "kept: give the same command again, with fewer --workers"
            ) from error


def _in_order(pool: ProcessPoolExecutor, calls: Iterator[Any], ahead: int) -> Iterator[Any]:
    before = set(multiprocessing.active_children())
    running: deque[Future[Any]] = deque()
    try:
        running.extend(_submitted(pool, islice(calls, ahead)))
        while running:
            yield running.popleft().result()
            running.extend(_submitted(pool, islice(calls, 1)))
    except BaseException:
        # Nobody waits for the books that are still being read. (To cancel futures as well would
        # have the pool's own thread fail on them: https://github.com/python/cpython/issues/94777.)
        for worker in set(multiprocessing.active_children()) - before:
            worker.terminate()
        raise


def _submitted(pool: ProcessPoolExecutor, calls: Iterable[Any]) -> Iterator[Future[Any]]:
    for function, task in calls:
        with _deaf_to_interrupts():
            future = pool.submit(_call, function, task)
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


def _call(function: Callable[[ShardReader, Any], Any], task: Any) -> Any:
    return function(_READERS[0], task)


def _end_with_parent() -> None:
    """End this process when the one that started it is gone, however it went."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
