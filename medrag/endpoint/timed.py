"""Connections that end when their time is over, and follow no redirect."""

import io
import math
import socket
import time
import urllib.request
from functools import partial
from http.client import HTTPResponse
from typing import Any


class NoRedirects(urllib.request.HTTPRedirectHandler):
    """A redirect is an error: the key and the passages are for one server only."""

    def http_error_302(self, *_: Any, **__: Any) -> None:
        # Before the new address is read: it may be malformed.
        return None

    http_error_301 = http_error_303 = http_error_307 = http_error_308 = http_error_302


class Timed(urllib.request.HTTPSHandler, urllib.request.HTTPHandler):
    """A request ends when its time is over; a socket's own limit begins anew with every byte."""

    def do_open(self, http_class: Any, req: urllib.request.Request, **options: Any) -> HTTPResponse:
        ends = time.monotonic() + float(req.timeout or 0)

        def connection(*args: Any, **more: Any) -> Any:
            made = http_class(*args, **more)
            made.response_class = partial(TimedResponse, ends=ends)
            return made

        return super().do_open(connection, req, **options)


class TimedResponse(HTTPResponse):
    """An answer, its head included, that is read until a moment of the monotonic clock."""

    def __init__(self, sock: socket.socket, *args: Any, ends: float, **options: Any) -> None:
        super().__init__(sock, *args, **options)
        self.fp.close()
        self._timed = _TimedBytes(sock, ends)
        self.fp = io.BufferedReader(self._timed)

    def expect(self, stall: float) -> None:
        """From now on give up where nothing comes for so many seconds."""
        self._timed.stall = stall


class _TimedBytes(io.RawIOBase):
    def __init__(self, sock: socket.socket, ends: float) -> None:
        self._socket = sock
        self._raw = sock.makefile("rb", buffering=0)
        self._ends = ends
        self.stall = math.inf

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left = self._ends - time.monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        self._socket.settimeout(min(left, self.stall))
        try:
            return self._raw.readinto(buffer)
        except TimeoutError:
            if left <= self.stall:
                raise
            raise TimeoutError(f"nothing came for {self.stall:g} s") from None

    def close(self) -> None:
        self._raw.close()
        super().close()
