"""Tasks performed by actors of Ray Data; results come in the order of the tasks.

Tasks name files and folders, and so do results: no pixel and no text crosses the object store. A
worker writes the folder of its shard itself, so every machine must see the index and the sources
under the same paths (NFS or the like); one that does not is refused. A worker that is killed is
started again by Ray and begins its task anew, in a new folder; what it left behind is never named
by a manifest, and swept up at the end. The coordinator alone holds the lock of the index and writes
its manifest.
"""

import logging
import os
import platform
import secrets
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import medrag
from medrag.build.completing import VectorsTask
from medrag.build.ray_cluster import Share, cluster, share
from medrag.build.shard import ShardReader, ShardTask
from medrag.errors import MedragError
from medrag.extras import Library, require

# Tasks of one dataset for each worker. Actors live as long as a dataset, so few would load models
# often; and what was finished out of order waits for its turn no longer than one dataset.
ROUND = 64
# A task that was begun so often and never ended kills its worker.
TRIES = 4
# Network file systems may show a new file late.
_PATIENCE = 10.0
# Settings of this process that its workers share, wherever they run.
_SHARED_VARIABLES = ("MEDRAG_", "HF_", "TRANSFORMERS_", "TORCH_HOME")

_Task = TypeVar("_Task", ShardTask, VectorsTask)
_Result = TypeVar("_Result")

_LOG = logging.getLogger(__name__)


def performed_by_ray(
    function: Callable[[ShardReader, _Task], _Result],
    tasks: Sequence[_Task],
    reader: ShardReader,
    workers: int,
) -> Iterator[_Result]:
    """Call a function on tasks in actors, each with a copy of `reader`; see `Crew.perform`.

    Raises:
        MissingExtraError: if Ray is not installed.
        MedragError: if a machine lacks a folder or has another medrag, or a task kills its workers.
    """
    workers = min(workers, len(tasks))
    with cluster(workers) as ray, _mark(tasks) as mark:
        divided = share(ray.nodes(), workers, on_gpu=bool(reader.factories))
        if divided.workers < workers:
            _LOG.warning("the cluster has room for %d of %d workers", divided.workers, workers)
        start = _Start(
            mark=mark,
            version=medrag.__version__,
            cwd=Path.cwd(),
            environment=_environment(divided.cpus),
            job=_pickled((function, reader.ingestor, reader.factories)),
        )
        size = ROUND * workers
        for first in range(0, len(tasks), size):
            some = tasks[first : first + size]
            with closing(_performed(start, some, divided, workers)) as numbered:
                yield from _in_order(numbered)


@dataclass(frozen=True, slots=True)
class _Mark:
    """A file in the index that every worker must find, with the text that it holds."""

    path: Path
    text: str


@dataclass(frozen=True, slots=True)
class _Start:
    """All that a worker is told once.

    `job` is a pickled function, maker of ingestors and makers of encoders, to be loaded when the
    environment is set.
    """

    mark: _Mark
    version: str
    cwd: Path
    environment: Mapping[str, str]
    job: bytes


@contextmanager
def _mark(tasks: Sequence[ShardTask] | Sequence[VectorsTask]) -> Iterator[_Mark]:
    """Write a file beside the folders of the tasks; the index sweeps it up if nobody else does."""
    path = tasks[0].folder.absolute().with_name(f"unfinished-{os.getpid()}-seen")
    mark = _Mark(path, secrets.token_hex(8))
    path.write_text(mark.text, encoding="utf-8")
    try:
        yield mark
    finally:
        path.unlink(missing_ok=True)


def _environment(cpus: int) -> dict[str, str]:
    shared = {
        name: value for name, value in os.environ.items() if name.startswith(_SHARED_VARIABLES)
    }
    # Ray's own choice is 1 wherever an actor asks for a GPU.
    return {**shared, "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", str(cpus))}


def _performed(
    start: _Start, tasks: Sequence[Any], divided: Share, workers: int
) -> Generator[tuple[int, Any], None, None]:
    """Give numbered results of some tasks, in the order in which they come."""
    data, arrow = require("ray.data", extra="ray"), require("pyarrow", extra="ray")
    with _without_bars(data.DataContext.get_current()):
        rows = [
            arrow.table({"number": [number], "task": [_pickled((task, _folders(task)))]})
            for number, task in enumerate(tasks)
        ]
        results = data.from_arrow(rows).map_batches(
            _Worker,
            fn_constructor_args=(start,),
            batch_size=1,
            batch_format="pyarrow",
            compute=data.ActorPoolStrategy(
                min_size=divided.workers, max_size=workers, max_tasks_in_flight_per_actor=1
            ),
            **({"num_gpus": divided.gpus} if divided.gpus else {"num_cpus": divided.cpus}),
        )
        for batch in results.iter_batches(batch_size=1, batch_format="pyarrow", prefetch_batches=0):
            result, error = _loaded(batch["result"][0].as_py())
            if error is not None:
                raise error
            yield batch["number"][0].as_py(), result


@contextmanager
def _without_bars(context: Any) -> Iterator[None]:
    """Let Ray Data show nothing of its own for a while."""
    wanted = ("enable_progress_bars", "print_on_execution_start")
    before = {name: getattr(context, name) for name in wanted if hasattr(context, name)}
    for name in before:
        setattr(context, name, False)
    try:
        yield
    finally:
        for name, value in before.items():
            setattr(context, name, value)


def _in_order(numbered: Iterator[tuple[int, _Result]]) -> Iterator[_Result]:
    """Put results that are numbered from 0 into their order."""
    waiting: dict[int, _Result] = {}
    wanted = 0
    for number, result in numbered:
        waiting[number] = result
        while wanted in waiting:
            yield waiting.pop(wanted)
            wanted += 1


class _Worker:
    """An actor: performs the tasks that it is given, one at a time, with a reader of its own."""

    def __init__(self, start: _Start) -> None:
        self.start = start
        os.environ.update(start.environment)
        self._reader: ShardReader | None = None
        self._function: Callable[[ShardReader, Any], Any]

    def __call__(self, row: Any) -> Library:
        result: Any = None
        error: BaseException | None = None
        # Ray would wrap an error, and lose its kind; it is sent as a result and raised there.
        try:
            result = self._performed(*_loaded(row["task"][0].as_py()))
        except Exception as raised:  # noqa: BLE001 - raised again by the coordinator
            raised.add_note(f"in a Ray worker on {platform.node()}")
            error = raised
        arrow = require("pyarrow", extra="ray")
        return arrow.table({"number": row["number"], "result": [_pickled((result, error))]})

    def _performed(self, task: Any, folders: Sequence[Path]) -> Any:
        if self._reader is None:
            self._reader = self._begun()
        for folder in folders:
            if not folder.is_dir():
                raise MedragError(
                    f"{platform.node()} of the Ray cluster does not see the folder of sources "
                    f"{folder}; mount it there under the same path, or build with --engine local"
                )
        return self._function(self._reader, replace(task, folder=_new_folder(task.folder)))

    def _begun(self) -> ShardReader:
        """Check this machine, and make the reader."""
        if medrag.__version__ != self.start.version:
            raise MedragError(
                f"{platform.node()} of the Ray cluster has medrag {medrag.__version__}, and the "
                f"build is run by {self.start.version}; install the same everywhere"
            )
        _check_seen(self.start.mark)
        os.chdir(self.start.cwd)
        self._function, ingestor, encoders = _loaded(self.start.job)
        return ShardReader(ingestor=ingestor, encoders=encoders)


def _check_seen(mark: _Mark) -> None:
    """Refuse a machine that does not see the index, or sees another one under its path."""
    last = time.monotonic() + _PATIENCE
    while True:
        try:
            if mark.path.read_text(encoding="utf-8") == mark.text:
                return
        except OSError:
            pass
        if time.monotonic() > last:
            raise MedragError(
                f"{platform.node()} of the Ray cluster does not see the index at "
                f"{mark.path.parent.parent}; keep it on a file system that every machine mounts "
                "under the same path, or build with --engine local"
            )
        time.sleep(0.2)


def _new_folder(folder: Path) -> Path:
    """Name a folder for another try of a task; those of earlier ones show that they were killed."""
    before = list(folder.parent.glob(f"{folder.name}-try*"))
    if len(before) >= TRIES:
        raise MedragError(
            f"a task killed its worker {len(before)} times ({folder.name}), perhaps for want of "
            "memory; what was finished is kept: give the same command again, with fewer --workers"
        )
    return folder.with_name(f"{folder.name}-try{len(before) + 1}-{secrets.token_hex(4)}")


def _folders(task: ShardTask | VectorsTask) -> list[Path]:
    """List the folders of sources that a task reads, and that are there."""
    if isinstance(task, ShardTask):
        roots = {each.file.corpus.root for each in task.files}
    else:
        roots = set(task.roots.values())
    return sorted(root for root in roots if root.is_dir())


def _pickled(value: Any) -> bytes:
    pickled: bytes = require("ray.cloudpickle", extra="ray").dumps(value)
    return pickled


def _loaded(pickled: bytes) -> Any:
    return require("ray.cloudpickle", extra="ray").loads(pickled)
