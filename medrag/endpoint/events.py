"""Server-sent events, out of bytes as they come."""

import re
from collections.abc import Iterator
from http.client import HTTPException, HTTPResponse

from medrag.endpoint.failures import BrokenReplyError

# Of one read: what a server sends at once is less.
_PIECE = 1 << 16
_LINE_END = re.compile(rb"\r\n|\n|\r")
_BOM = b"\xef\xbb\xbf"


class EventReader:
    """Puts events together from pieces of bytes, however these are cut.

    Of an event only its data counts: names, identifiers and comments are passed over.

    Args:
        most: bytes of one event.

    Source:
        HTML Living Standard, 9.2 "Server-sent events".
    """

    def __init__(self, *, most: int) -> None:
        self._most = most
        self._rest = b""
        self._held: list[bytes] = []
        self._size = 0
        self._begun = False

    def add(self, piece: bytes) -> list[bytes]:
        """Take more bytes, and give the data of the events that they complete.

        Raises:
            BrokenReplyError: if an event is larger than it may be.
        """
        waiting = self._rest + piece
        if not self._begun:
            if _BOM.startswith(waiting):
                self._rest = waiting
                return []
            waiting, self._begun = waiting.removeprefix(_BOM), True
        # A "\r" at the end may be the half of a "\r\n".
        cut = len(waiting) - waiting.endswith(b"\r")
        *lines, rest = _LINE_END.split(waiting[:cut])
        self._rest = rest + waiting[cut:]
        found = [each for line in lines if (each := self._line(line)) is not None]
        if self._size + len(self._rest) > self._most:
            raise BrokenReplyError(f"an event of more than {self._most >> 20} MB")
        return found

    def close(self) -> list[bytes]:
        """Give the last event, where the server ended without the empty line that closes it."""
        ends = [self._line(self._rest.rstrip(b"\r")), self._line(b"")]
        self._rest = b""
        return [each for each in ends if each is not None]

    def _line(self, line: bytes) -> bytes | None:
        if not line:
            data = b"\n".join(self._held) if self._held else None
            self._held, self._size = [], 0
            return data
        name, _, value = line.partition(b":")
        if name == b"data":
            self._held.append(value.removeprefix(b" "))
            self._size += len(line)
        return None


def pieces_of(response: HTTPResponse, most: int) -> Iterator[bytes]:
    """Give the bytes of an answer as they come.

    Raises:
        BrokenReplyError: if the connection ends before the answer does, time is over, or more
            bytes come than may.
    """
    read = 0
    while True:
        try:
            piece = response.read1(_PIECE)
        except (OSError, HTTPException) as error:
            raise BrokenReplyError(str(error) or type(error).__name__) from error
        if not piece:
            break
        read += len(piece)
        if read > most:
            raise BrokenReplyError(f"more than {most >> 20} MB")
        yield piece
    # http.client is silent where an answer of known length ends early.
    if response.length:
        raise BrokenReplyError(f"{response.length} bytes are missing")
