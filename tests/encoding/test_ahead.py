import threading
import time

import pytest

from medrag.encoding.ahead import ahead


def test_results_come_in_order_from_another_thread() -> None:
    found = list(ahead(lambda n: (n * n, threading.get_ident()), range(7)))
    assert [(n, square) for n, (square, _) in found] == [(n, n * n) for n in range(7)]
    threads = {thread for _, (_, thread) in found}
    assert len(threads) == 1
    assert threading.get_ident() not in threads


def test_work_runs_ahead_but_not_far() -> None:
    begun: list[int] = []
    results = ahead(begun.append, range(100), n=3)
    next(results)
    deadline = time.monotonic() + 5
    while len(begun) < 4 and time.monotonic() < deadline:
        time.sleep(0.001)
    # One was taken, three stand ahead.
    assert begun == [0, 1, 2, 3]
    results.close()  # type: ignore[attr-defined]
    assert begun == [0, 1, 2, 3]


def test_an_error_stands_in_its_place() -> None:
    results = ahead(lambda n: 1 / n, [1, 0, 2])
    assert next(results) == (1, 1.0)
    with pytest.raises(ZeroDivisionError):
        next(results)


def test_nothing_can_run_ahead_of_nothing() -> None:
    with pytest.raises(ValueError, match="n must be at least 1, got 0"):
        ahead(str, [], n=0)
