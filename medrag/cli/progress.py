"""Bars for long work, on stderr; lines now and then, if asked for, where that is no terminal."""

import sys
import time
from types import TracebackType
from typing import Any

from medrag.cli.output import message, printable

_EVERY = 30.0  # seconds between two lines


class Bars:
    """A `Progress` of rich bars: done, rate, remaining time. Use it as a context manager.

    The bars vanish when the work is done. Without a terminal rich is not even imported.

    Args:
        lines: tell how far the work is at most every half minute where there is no terminal, for
            work that takes hours and writes to a log.
    """

    def __init__(self, *, lines: bool = False) -> None:
        self._bars: Any = None
        self._tasks: dict[str, Any] = {}
        self._lines = _Lines() if lines and not sys.stderr.isatty() else None

    def __enter__(self) -> "Bars":
        if sys.stderr.isatty():
            self._bars = _bars()
            self._bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bars is not None:
            self._bars.stop()

    def say(self, text: str) -> None:
        """Print a line, above the bars if there are any."""
        if self._bars is not None:
            self._bars.console.print(printable(text), markup=False, highlight=False)
        else:
            message(text)

    def start(self, stage: str, total: int | None, unit: str) -> None:
        if self._lines is not None:
            self._lines.start(stage, total, unit)
        if self._bars is not None and stage not in self._tasks:
            self._tasks[stage] = self._bars.add_task(stage, total=total, unit=unit)
        elif self._bars is not None:
            self._bars.update(self._tasks[stage], total=total)

    def advance(self, stage: str, n: int = 1) -> None:
        if self._lines is not None:
            self._lines.advance(n)
        if self._bars is not None and stage in self._tasks:
            self._bars.advance(self._tasks[stage], n)

    def finish(self, stage: str) -> None:
        if self._bars is not None and stage in self._tasks:
            self._bars.update(self._tasks.pop(stage), visible=False)


class _Lines:
    """Says how far one stage is, how fast it goes and how long it will take."""

    def __init__(self) -> None:
        self._stage, self._unit = "", ""
        self._total: int | None = None
        self._done = 0
        self._began = self._told = time.monotonic()

    def start(self, stage: str, total: int | None, unit: str) -> None:
        self._stage, self._total, self._unit = stage, total, unit
        self._done = 0
        self._began = self._told = time.monotonic()

    def advance(self, n: int) -> None:
        self._done += n
        now = time.monotonic()
        if now - self._told >= _EVERY:
            self._told = now
            message(
                progress_line(self._stage, self._done, self._total, self._unit, now - self._began)
            )


def progress_line(stage: str, done: int, total: int | None, unit: str, seconds: float) -> str:
    """Write such as "answering: 1200 of 4500 answers, 12.3/s, 4 min 28 s left"."""
    rate = done / seconds if seconds > 0 else 0.0
    of = f"{done} of {total} {unit}" if total is not None else f"{done} {unit}"
    line = f"{stage}: {of}, {rate:.1f}/s"
    if total is None or not rate:
        return line
    minutes, left = divmod(round((total - done) / rate), 60)
    hours, minutes = divmod(minutes, 60)
    told = f"{hours} h {minutes} min" if hours else f"{minutes} min {left} s"
    return f"{line}, {told} left"


def _bars() -> Any:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        ProgressColumn,
        Task,
        TextColumn,
        TimeRemainingColumn,
    )  # fmt: skip
    from rich.text import Text

    class Rate(ProgressColumn):
        """Units per second, such as "41.2 pages/s"."""

        def render(self, task: Task) -> Text:
            speed = task.finished_speed or task.speed
            unit = task.fields.get("unit", "")
            return Text(f"{speed:.1f} {unit}/s" if speed else unit)

    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), Rate(),
        TimeRemainingColumn(),
    )  # fmt: skip
    return Progress(*columns, console=Console(stderr=True), transient=True)
