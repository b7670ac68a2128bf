"""Requests to one address of a server: patient with a busy one, careful with keys."""

from medrag.endpoint.addresses import completed
from medrag.endpoint.client import Endpoint, StreamReader
from medrag.endpoint.failures import BrokenReplyError, RefusedError, UnansweredError
from medrag.endpoint.keys import read_key

__all__ = [
    "BrokenReplyError",
    "Endpoint",
    "RefusedError",
    "StreamReader",
    "UnansweredError",
    "completed",
    "read_key",
]
