"""Bars for long work, on stderr; nothing at all where that is not a terminal."""

import sys
from types import TracebackType
from typing import Any

from medrag.cli.output import message, printable


class Bars:
    """A `Progress` of rich bars: done, rate, remaining time. Use it as a context manager.

    The bars vanish when the work is done. Without a terminal rich is not even imported.
    """

    def __init__(self) -> None:
        self._bars: Any = None
        self._tasks: dict[str, Any] = {}

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
        if self._bars is not None and stage not in self._tasks:
            self._tasks[stage] = self._bars.add_task(stage, total=total, unit=unit)
        elif self._bars is not None:
            self._bars.update(self._tasks[stage], total=total)

    def advance(self, stage: str, n: int = 1) -> None:
        if self._bars is not None and stage in self._tasks:
            self._bars.advance(self._tasks[stage], n)

    def finish(self, stage: str) -> None:
        if self._bars is not None and stage in self._tasks:
            self._bars.update(self._tasks.pop(stage), visible=False)


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
