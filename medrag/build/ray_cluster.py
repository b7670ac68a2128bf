"""A Ray cluster for one build: the one that runs, or one of this machine for as long as it takes.

Ray is told to be quiet: no dashboard, no statistics sent home, no pages of log.
"""

import contextlib
import logging
import os
import socket
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from medrag.errors import MedragError
from medrag.extras import Library, require

ADDRESS = "RAY_ADDRESS"
# Tasks and results are names of files and folders: a few kilobytes each.
_OBJECT_STORE = 100 << 20
_LOGGERS = ("ray", "ray.data")
_KNOCK_SECONDS = 10
# What Ray reads from the environment when it starts: it is not to write home about it, nor to print
# what its core thinks of Ray Data's way to start actors (ray issue 53727).
_QUIET = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_BACKEND_LOG_LEVEL": "fatal"}


@dataclass(frozen=True, slots=True)
class Share:
    """What each of some workers gets of a cluster.

    Attributes:
        workers: that fit at once; at least 1.
        cpus: of each; at least 1.
        gpus: of each; 0 without any, below 1 where several share one.
    """

    workers: int
    cpus: int
    gpus: float


@contextlib.contextmanager
def cluster(workers: int) -> Iterator[Library]:
    """Give Ray, connected to a cluster; what was started for it is stopped at the end.

    It is the cluster that this process is connected to already, else that of RAY_ADDRESS, else one
    that runs on this machine, else a new one of this machine alone.

    Raises:
        MissingExtraError: if Ray is not installed.
        MedragError: if there is no cluster at RAY_ADDRESS.
    """
    with _environment(_QUIET):
        ray = require("ray", extra="ray")
        # Sets up logs of its own when it is imported.
        require("ray.data", extra="ray")
    with _environment(_QUIET), _quiet_loggers():
        if ray.is_initialized():
            yield ray
            return
        _connect(ray, workers)
        try:
            yield ray
        finally:
            ray.shutdown()


def share(nodes: Sequence[Mapping[str, Any]], workers: int, *, on_gpu: bool) -> Share:
    """Divide a cluster among workers, as evenly as whole processors of one machine allow.

    Args:
        nodes: as `ray.nodes()` lists them.
        on_gpu: whether the workers want GPUs, if there are any.
    """
    held = [node["Resources"] for node in nodes if node["Alive"]]
    cpus = [int(each.get("CPU", 0)) for each in held]
    of_each = next((c for c in range(max(cpus, default=1), 1, -1) if _fit(cpus, c) >= workers), 1)
    gpus = sum(int(each.get("GPU", 0)) for each in held)
    if on_gpu and gpus:
        # As many workers to a GPU as it takes; a fraction is rounded down, so that they do fit.
        together = -(-workers // gpus)
        return Share(workers, of_each, 1.0 if together == 1 else int(1e4 / together) / 1e4)
    return Share(max(1, min(workers, _fit(cpus, of_each))), of_each, 0.0)


def _fit(cpus: Sequence[int], of_each: int) -> int:
    return sum(n // of_each for n in cpus)


def _connect(ray: Library, workers: int) -> None:
    address = os.environ.get(ADDRESS)
    try:
        if address:
            _knock(address)
        _init(ray, address="auto")
    except (OSError, ValueError) as error:
        if address:
            raise MedragError(
                f"no Ray cluster answers at {ADDRESS}={address} ({error}); start it, or unset "
                f"{ADDRESS} to use this machine alone"
            ) from error
        if not isinstance(error, ConnectionError):
            raise
        _init(
            ray,
            address="local",
            num_cpus=max(workers, os.cpu_count() or 1),
            include_dashboard=False,
            object_store_memory=_OBJECT_STORE,
        )


def _knock(address: str) -> None:
    """See whether anything listens at an address; Ray itself tries for minutes, without a word.

    Raises:
        OSError: if nothing does.
        ValueError: if its port is none.
    """
    parts = urlsplit(address if "://" in address else f"//{address}")
    # Anything else, such as "auto", is a word of Ray's own.
    if parts.hostname and parts.port:
        socket.create_connection((parts.hostname, parts.port), timeout=_KNOCK_SECONDS).close()


def _init(ray: Library, **options: Any) -> None:
    with _no_stderr():
        ray.init(logging_level=logging.ERROR, log_to_driver=False, **options)


@contextlib.contextmanager
def _no_stderr() -> Iterator[None]:
    """Keep the core of Ray, which is no Python, from reporting which log level it was given."""
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


@contextlib.contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    """Set variables that are not set, for a while."""
    added = {name: value for name, value in values.items() if name not in os.environ}
    os.environ.update(added)
    try:
        yield
    finally:
        for name in added:
            os.environ.pop(name, None)


@contextlib.contextmanager
def _quiet_loggers() -> Iterator[None]:
    loggers = [logging.getLogger(name) for name in _LOGGERS]
    before = [each.level for each in loggers]
    for each in loggers:
        each.setLevel(logging.ERROR)
    try:
        yield
    finally:
        for each, level in zip(loggers, before, strict=True):
            each.setLevel(level)
