"""Threads that share the work of a search."""

import threading
from collections.abc import Iterator
from types import SimpleNamespace, TracebackType

import pytest

from medrag.indexing import threads
from medrag.indexing.threads import in_threads


def test_a_task_in_hand_is_kept_when_another_thread_meets_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    held, ended = threading.Event(), threading.Event()

    class Lingering:
        """A lock that keeps the first thread from going on until the other has met the end."""

        def __init__(self) -> None:
            self.lock = threading.Lock()

        def __enter__(self) -> None:
            self.lock.acquire()

        def __exit__(
            self,
            kind: type[BaseException] | None,
            error: BaseException | None,
            trace: TracebackType | None,
        ) -> None:
            self.lock.release()
            if threading.current_thread() is threading.main_thread():
                held.set()
                ended.wait(10)

    def work(tasks: Iterator[int]) -> list[int]:
        if threading.current_thread() is threading.main_thread():
            return list(tasks)
        held.wait(10)
        taken = list(tasks)
        ended.set()
        return taken

    monkeypatch.setattr(threads, "n_cores", lambda: 2)
    monkeypatch.setattr(threads, "threading", SimpleNamespace(Lock=Lingering))
    assert in_threads(work, [1, 2, 3]) == [[1], [2, 3]]
