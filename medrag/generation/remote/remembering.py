"""What came of the last requests, so that a batch that is tried anew is not paid for twice."""

import hashlib
import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace

from medrag.records import Generation, Prompt

# Seconds after which a failure may have passed.
_FRESH = 10.0


@dataclass(frozen=True, slots=True)
class Asked:
    """One request: a prompt, and how its reply is drawn.

    `draw` tells apart equal requests of one batch that are to be drawn freely.
    """

    prompt: Prompt
    temperature: float | None
    seed: int | None
    draw: int = 0

    @property
    def key(self) -> bytes:
        """Equal for equal requests. Not the request itself: it holds all of its evidence."""
        return hashlib.sha256(repr(self).encode("utf-8", "replace")).digest()

    @property
    def same_again(self) -> bool:
        """Whether an equal request is to get an equal reply."""
        return self.temperature == 0 or self.seed is not None


class Remembering:
    """Outcomes of the last requests; safe to share between threads.

    A reply that is drawn freely is given once and then forgotten; so is a failure, which is also
    forgotten after 10 seconds.

    Args:
        n: requests at most.
    """

    def __init__(self, *, n: int) -> None:
        self._n = n
        self._outcomes: OrderedDict[bytes, tuple[Generation | Exception, float]] = OrderedDict()
        self._lock = threading.Lock()

    def put(self, asked: Asked, outcome: Generation | Exception) -> None:
        key = asked.key
        with self._lock:
            self._outcomes[key] = outcome, time.monotonic()
            self._outcomes.move_to_end(key)
            while len(self._outcomes) > self._n:
                self._outcomes.popitem(last=False)

    def take(self, asked: Asked, *, failures: bool) -> Generation | Exception | None:
        """Give what came of a request; None if that is not known.

        Args:
            failures: whether a failure is wanted, too.
        """
        key = asked.key
        with self._lock:
            outcome, when = self._outcomes.get(key, (None, 0.0))
            if isinstance(outcome, Exception):
                del self._outcomes[key]
                return outcome if failures and time.monotonic() - when < _FRESH else None
            if outcome is not None and not asked.same_again:
                del self._outcomes[key]
            return outcome

    def forget(self, asked: Asked) -> None:
        """Forget a reply that was drawn freely, and arrived where it belongs."""
        if not asked.same_again:
            key = asked.key
            with self._lock:
                self._outcomes.pop(key, None)


def told_apart(asked: Sequence[Asked]) -> list[Asked]:
    """Number equal requests that are to be drawn freely."""
    met: Counter[bytes] = Counter()
    apart = []
    for each in asked:
        apart.append(each if each.same_again else replace(each, draw=met[each.key]))
        met[each.key] += 1
    return apart
