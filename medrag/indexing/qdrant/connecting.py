"""Clients of a Qdrant server, and what its errors mean."""

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from medrag.errors import IndexFormatError, MedragError
from medrag.extras import Library, require
from medrag.hosts import is_this_machine
from medrag.indexing.commands import repair
from medrag.indexing.qdrant.options import Options

KEY_VARIABLE = "QDRANT_API_KEY"

_PAUSES = (0.5, 2.0)
_BUSY = frozenset({429, 500, 502, 503, 504})

T = TypeVar("T")


def connected(options: Options) -> Library:
    """Make a client of the server that the options name; the first call connects.

    The key comes from the variable QDRANT_API_KEY and is kept in the client alone.

    Raises:
        MedragError: if the key would go over the network in clear.
    """
    client = require("qdrant_client").QdrantClient
    if options.url is None:
        return client(":memory:")
    key = os.environ.get(KEY_VARIABLE)
    parts = urlsplit(options.url)
    if key and parts.scheme == "http" and not is_this_machine(parts.hostname):
        raise MedragError(
            f"the key in {KEY_VARIABLE} would go to {options.url} in clear; give an https:// url, "
            f"or unset {KEY_VARIABLE} if that server wants none"
        )
    return client(
        url=options.url,
        prefer_grpc=options.prefer_grpc,
        grpc_port=options.grpc_port,
        timeout=options.timeout,
        headers={"api-key": key} if key else None,
        check_compatibility=False,
    )


@contextlib.contextmanager
def told(options: Options, collection: str, index: Path) -> Iterator[None]:
    """Say what an error of the server, or of the way to it, means for an index.

    Raises:
        IndexFormatError: if the server has no such collection.
        MedragError: if it cannot be reached, refuses the key, or fails otherwise.
    """
    try:
        yield
    except Exception as error:
        status = _status(error)
        if status is None:
            raise
        place = options.url or options.location
        if status == 404:
            raise IndexFormatError(
                f"the Qdrant server {place} has no collection {collection!r}, or lacks a part of "
                f"it; upload it again: {repair(index)}"
            ) from error
        raise _meant(status, error, place, collection) from error


def patiently(call: Callable[[], T]) -> T:
    """Call again, a little later, where the server is busy or the connection broke."""
    for pause in _PAUSES:
        try:
            return call()
        except Exception as error:
            if _status(error) not in {0, *_BUSY}:
                raise
        time.sleep(pause)
    return call()


def _meant(status: int, error: Exception, place: str, collection: str) -> MedragError:
    if status == 0:
        return MedragError(
            f"the Qdrant server {place} cannot be reached ({error}); is it running, and is the url "
            "right? Its REST port is 6333 by default, that of gRPC 6334"
        )
    if status in (401, 403):
        return MedragError(
            f"the Qdrant server {place} refuses access to collection {collection!r} (status "
            f"{status}); set {KEY_VARIABLE} in the environment to a key that may use it"
        )
    return MedragError(
        f"the Qdrant server {place} failed at collection {collection!r} (status {status}: "
        f"{str(error)[:500]}); see its log"
    )


def _status(error: Exception) -> int | None:
    """Give the HTTP status of a server's error, 0 without a connection, None for other errors."""
    exceptions = require("qdrant_client.http.exceptions")
    busy = require("qdrant_client.common.client_exceptions").ResourceExhaustedResponse
    if isinstance(error, exceptions.UnexpectedResponse):
        return int(error.status_code or 500)
    if isinstance(error, exceptions.ResponseHandlingException):
        return 0
    if isinstance(error, busy):
        return 429
    grpc = require("grpc")
    if isinstance(error, grpc.RpcError):
        return _of_grpc(grpc, error)
    return None


def _of_grpc(grpc: Library, error: Any) -> int:
    codes = grpc.StatusCode
    known = {
        codes.UNAVAILABLE: 0,
        codes.DEADLINE_EXCEEDED: 0,
        codes.UNAUTHENTICATED: 401,
        codes.PERMISSION_DENIED: 403,
        codes.NOT_FOUND: 404,
        codes.RESOURCE_EXHAUSTED: 429,
    }
    return known.get(error.code(), 500)
