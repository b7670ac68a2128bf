"""Many requests at a time: order is kept, and one that fails takes none of the others along."""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from medrag.errors import FAILURES, BudgetSpentError

_In = TypeVar("_In")
_Out = TypeVar("_Out")


def concurrently(
    function: Callable[[_In], _Out],
    inputs: Sequence[_In],
    n: int,
    left: threading.Event | None = None,
) -> list[_Out | Exception | None]:
    """Call a function on each input, several at a time.

    A spent budget ends the work: what is under way is waited for, and the rest not begun. An
    interrupt of the caller is not kept waiting: the threads end by themselves after the request
    that they are at, or with the program.

    Args:
        n: threads at most; one input, or one thread, is worked on in that of the caller.
        left: set where the caller goes before the work is done.

    Returns:
        What came of each input, in order: a result, or the error of `FAILURES`; None for what was
        not begun.

    Raises:
        Exception: one that is none of `FAILURES`, as soon as it is met.
    """
    work = _Work(function, inputs)
    if min(n, len(inputs)) <= 1:
        work.go_on()
        return work.outcomes
    # Not those of a pool, which the interpreter waits for when it ends.
    threads = [
        threading.Thread(target=work.go_on_guarded, daemon=True) for _ in range(min(n, len(inputs)))
    ]
    try:
        for each in threads:
            each.start()
        for each in threads:
            # In short waits: on Windows an interrupt does not end a long one.
            while each.is_alive() and not work.crashes:
                each.join(0.2)
    except BaseException:
        work.over.set()
        if left is not None:
            left.set()
        raise
    if work.crashes:
        raise work.crashes[0]
    return work.outcomes


class _Work(Generic[_In, _Out]):
    """Inputs that several threads take one after the other."""

    def __init__(self, function: Callable[[_In], _Out], inputs: Sequence[_In]) -> None:
        self.function = function
        self.inputs = inputs
        self.outcomes: list[_Out | Exception | None] = [None] * len(inputs)
        self.crashes: list[BaseException] = []
        self.over = threading.Event()
        self._waiting = deque(range(len(inputs)))

    def go_on(self) -> None:
        while self._waiting and not self.over.is_set():
            try:
                place = self._waiting.popleft()
            except IndexError:
                return
            try:
                self.outcomes[place] = self.function(self.inputs[place])
            except FAILURES as error:
                self.outcomes[place] = error
                if isinstance(error, BudgetSpentError):
                    self.over.set()

    def go_on_guarded(self) -> None:
        try:
            self.go_on()
        except BaseException as error:  # noqa: BLE001 - raised where the caller waits
            self.crashes.append(error)
            self.over.set()


class Streak:
    """Counts failures that follow each other, over all threads.

    Args:
        most: after which the server counts as gone.
    """

    def __init__(self, *, most: int) -> None:
        self.most = most
        self._n = 0
        self._lock = threading.Lock()

    @property
    def over(self) -> bool:
        return self._n >= self.most

    def add(self, *, failed: bool) -> None:
        with self._lock:
            self._n = self._n + 1 if failed else 0
