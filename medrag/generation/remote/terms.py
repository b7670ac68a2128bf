"""What a server takes of what it may be asked for beside the words of a prompt.

Servers of one protocol differ: some refuse a key that they do not know, some pass over it in
silence, and the newest models of OpenAI want "max_completion_tokens" for "max_tokens". Each is
found out once.
"""

import logging
import threading
from collections.abc import Callable, Collection, Mapping
from typing import Any, TypeVar

from medrag.endpoint import RefusedError

_LOGGER = logging.getLogger(__name__)
# An answer is as good without these.
_OPTIONAL = ("logprobs", "stream_options")
_OLD, _NEW = "max_tokens", "max_completion_tokens"
# Statuses of a body that is not as the server wants it; the latter only if they name the key: they
# are of wrong keys and wrong addresses, too.
_NOT_SO, _IF_NAMED = frozenset({400, 422, 501}), frozenset({403, 404})

_Sent = TypeVar("_Sent")


class Terms:
    """Remembers what one server does not take, and asks without it.

    Args:
        where: the address, for messages.
    """

    def __init__(self, *, where: str) -> None:
        self._where = where
        self._dropped: set[str] = set()
        # What a request was not refused for.
        self._taken: set[str] = set()
        self._renamed = False
        self._lock = threading.Lock()

    def send(self, body: Mapping[str, Any], send: Callable[[dict[str, Any]], _Sent]) -> _Sent:
        """Send a body, and once more without what the server may have refused it for.

        Raises:
            RefusedError: the first one, if the server refuses both; nothing is remembered then.
        """
        asked = self._applied(body)
        try:
            sent = send(asked)
            self._taken |= asked.keys()
            return sent
        except RefusedError as error:
            less, renamed = _changed(asked, error, self._taken)
            if less == asked:
                raise
            refusal = error
        try:
            sent = send(less)
        except RefusedError as error:
            if error.status not in _NOT_SO:
                raise
            # It was something else, such as a prompt that is too long.
            raise refusal from None
        self._renamed = self._renamed or renamed
        for key in asked.keys() - less.keys() - {_OLD}:
            self.drop(key, "refuses")
        return sent

    def drop(self, key: str, does: str) -> None:
        """Ask for a key no more, and say so once.

        Args:
            does: what the server does with it: "refuses", "gives no".
        """
        with self._lock:
            if key in self._dropped:
                return
            self._dropped.add(key)
        _LOGGER.warning("%s %s %r: not asked for any more", self._where, does, key)

    def _applied(self, body: Mapping[str, Any]) -> dict[str, Any]:
        kept = {key: value for key, value in body.items() if key not in self._dropped}
        return _with_new_name(kept) if self._renamed else kept


def _changed(
    body: dict[str, Any], error: RefusedError, taken: Collection[str]
) -> tuple[dict[str, Any], bool]:
    """Leave out what a refusal names, or else all that may be the reason.

    Args:
        taken: keys that other requests were not refused for.

    Returns:
        The body, the same where nothing can be changed; and whether a key has its new name.
    """
    refusal = str(error)
    if error.status in _NOT_SO and _NEW in refusal and _OLD in body:
        return _with_new_name(body), True
    there = [key for key in _OPTIONAL if key in body]
    left_out = [key for key in there if key in refusal]
    if error.status in _NOT_SO:
        left_out = left_out or [key for key in there if key not in taken]
    elif error.status not in _IF_NAMED:
        left_out = []
    return {key: value for key, value in body.items() if key not in left_out}, False


def _with_new_name(body: dict[str, Any]) -> dict[str, Any]:
    return {_NEW if key == _OLD else key: value for key, value in body.items()}
