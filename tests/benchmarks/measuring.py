"""Time contestants side by side, measure the limits of the machine, and print a Markdown table.

Times are only comparable within one process: `interleaved` lets contestants take turns, so that a
slow moment of the machine meets them all. A limit is the best of several ways and several tries: it
says what the machine can do, while medians say what the contestants did.
"""

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from medrag.extras import require
from medrag.indexing.threads import n_cores

Seconds = dict[str, list[float]]
# Smaller than any level-2 cache, so that a second read of a part of the other vector costs nothing.
_DOT_FLOATS = 1 << 16
# Seconds of rest before each contestant: the threads of the one before go on spinning for a while.
_REST = 0.02


class Row(NamedTuple):
    """One row of a table.

    Attributes:
        what: the case.
        name: who took part.
        seconds: of each round.
        ratio: how many times faster than this contestant ours was; None for ours.
        goal: what `ratio` should reach; None where nothing was promised.
        share: of the machine's limit, in [0, 1]; None where it was not measured.
        limit: what the share is of, such as "11 of 30 GB/s".
        note: such as the recall.
    """

    what: str
    name: str
    seconds: Sequence[float]
    ratio: float | None = None
    goal: float | None = None
    share: float | None = None
    limit: str = ""
    note: str = ""


def interleaved(
    contestants: Mapping[str, Callable[[], object]],
    *,
    rounds: int = 7,
    warm: int = 1,
    most_seconds: float | None = None,
) -> Seconds:
    """Time each contestant once per round, in turns.

    Args:
        warm: calls of each that are not counted, before the first round.
        most_seconds: contestants that have taken longer than this together sit out further rounds,
            so that one slow peer does not hold up the rest; each runs at least once.

    Returns:
        Seconds of each round by contestant.
    """
    for _ in range(warm):
        for call in contestants.values():
            call()
    times: Seconds = {name: [] for name in contestants}
    for _ in range(rounds):
        for name, call in contestants.items():
            if most_seconds is not None and times[name] and sum(times[name]) > most_seconds:
                continue
            time.sleep(_REST)
            start = time.perf_counter()
            call()
            times[name].append(time.perf_counter() - start)
    return times


def ratio(times: Mapping[str, Sequence[float]], ours: str, peer: str) -> float:
    """Say how many times longer a peer took, as the ratio of the medians."""
    return statistics.median(times[peer]) / statistics.median(times[ours])


def spread(seconds: Sequence[float]) -> str:
    """Write the fastest and the slowest round, in milliseconds."""
    return f"{min(seconds) * 1e3:.3g}-{max(seconds) * 1e3:.3g}"


def read_rate(*, size: int = 256 << 20, tries: int = 7, threads: int | None = None) -> float:
    """Measure how many bytes per second can be read from memory, with every core at work.

    Args:
        size: bytes that are read at each try. Give the size of what a contestant scans: less may
            stay in a cache.
        threads: of the readers; as many as this process may use if None.
    """
    values = np.ones(size // 4, dtype=np.float32)
    ways = [_read_by_numpy(values, threads or n_cores())]
    if threads is None:
        ways.append(_read_by_torch(values))
    return size / min(_seconds(way) for way in ways for _ in range(tries))


def product_rate(
    dtype: Literal["float32", "bfloat16", "float16", "int8"] = "float32",
    *,
    n: int = 2048,
    tries: int = 5,
) -> float:
    """Measure the operations per second (two for each multiplication) of an n x n product."""
    torch = require("torch")
    if dtype == "int8":
        ones = torch.ones(n, n, dtype=torch.int8)
        multiply: Callable[[], object] = lambda: torch._int_mm(ones, ones)  # noqa: E731
    else:
        ones = torch.ones(n, n, dtype=getattr(torch, dtype))
        multiply = lambda: ones @ ones  # noqa: E731
    multiply()
    return 2 * n**3 / min(_seconds(multiply) for _ in range(tries))


def table(rows: Sequence[Row]) -> str:
    """Write rows as a Markdown table: medians, spreads, ratios, shares of the limit."""
    lines = [
        "| what | who | median ms | min-max | ours faster by | goal | share of the limit | notes |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        cells = [
            row.what,
            row.name,
            f"{statistics.median(row.seconds) * 1e3:.3g}" if row.seconds else "",
            spread(row.seconds) if row.seconds else "",
            "" if row.ratio is None else f"{row.ratio:.3g}",
            "" if row.goal is None else f">= {row.goal:g}{_verdict(row)}",
            "" if row.share is None else f"{row.share:.0%} {f'({row.limit})' if row.limit else ''}",
            row.note,
        ]
        lines.append("| " + " | ".join(cell.strip() for cell in cells) + " |")
    return "\n".join(lines)


def machine() -> str:
    """Name the processor and the cores in use, for the line under a table."""
    listed = Path("/proc/cpuinfo")
    lines = listed.read_text(encoding="utf-8").splitlines() if listed.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{names[0] if names else 'unknown processor'}, {n_cores()} cores"


def _verdict(row: Row) -> str:
    return " (met)" if row.ratio is not None and row.goal and row.ratio >= row.goal else " (missed)"


def _seconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def _read_by_numpy(values: Any, threads: int) -> Callable[[], object]:
    pool = ThreadPoolExecutor(threads)
    parts = np.array_split(values, threads)
    other = np.ones(_DOT_FLOATS, dtype=np.float32)

    def read(part: Any) -> None:
        for start in range(0, len(part), _DOT_FLOATS):
            piece = part[start : start + _DOT_FLOATS]
            np.dot(piece, other[: len(piece)])

    def read_all() -> None:
        list(pool.map(read, parts))

    read_all()
    return read_all


def _read_by_torch(values: Any) -> Callable[[], object]:
    torch = require("torch")
    matrix = torch.from_numpy(values[: len(values) // 1024 * 1024]).view(-1, 1024)
    vector = torch.ones(1024)

    def read() -> object:
        return matrix @ vector

    read()
    return read
