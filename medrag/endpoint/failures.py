"""What can go wrong with a request, and how long to wait then."""

import email.utils
import math
import time

from medrag.errors import MedragError

# What a proxy says that gave up waiting for a server, and a server for its own.
UNDER_WAY = frozenset({408, 504, 524})
# Three centuries: a message need not tell more digits.
_FOREVER = 1e10


class RefusedError(MedragError):
    """A server answers with another status than that of success.

    Attributes:
        status: HTTP's.
        charged: whether the server may have been at work when a proxy gave up waiting for it.
    """

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message, status)
        self.status = status
        self.charged = status in UNDER_WAY

    def __str__(self) -> str:
        return str(self.args[0])


class UnansweredError(MedragError):
    """No whole answer came in any of the tries.

    `charged`: whether the server may have been at work in the last of them.
    """

    def __init__(self, message: str, charged: bool) -> None:
        super().__init__(message, charged)
        self.charged = charged

    def __str__(self) -> str:
        return str(self.args[0])


class BrokenReplyError(Exception):
    """An answer ends early, or holds what no answer does; another try may bring a whole one."""


def retry_after(said: str | None) -> float | None:
    """Read seconds, or a date, as HTTP writes them; None where it says neither."""
    if not said:
        return None
    try:
        seconds = float(said)
    except ValueError:
        seconds = _until(said)
    return min(max(seconds, 0.0), _FOREVER) if math.isfinite(seconds) else None


def _until(date: str) -> float:
    try:
        return email.utils.parsedate_to_datetime(date).timestamp() - time.time()
    except (TypeError, ValueError, OverflowError, IndexError):
        return math.nan
