"""Tell a person how a build goes: stages to a `Progress`, and long channels in words."""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence

from medrag.build.completing import VectorsResult
from medrag.build.estimating import Effort, Forecast
from medrag.build.plan import SourceFile, is_large, is_plain, work_of
from medrag.build.shard import ShardResult
from medrag.protocols import Progress


class Telling:
    """What a build says of itself while it runs.

    Args:
        progress: shown files, pages, and the passages of channels that are completed.
        say: takes a line about each channel whose vectors will take long.
        workers: processes at work.
        here: whether this process does the work, and hears of each step of it.
    """

    def __init__(
        self,
        *,
        progress: Progress | None,
        say: Callable[[str], None] | None,
        workers: int,
        here: bool,
    ) -> None:
        self.progress = progress
        self.here = here
        self._forecast = Forecast(say=say or _nothing, workers=workers)
        # Of the files ahead, the next one last.
        self._ahead: list[_Ahead] = []
        self._told: dict[str, int] = {}
        self._completing = False

    @contextlib.contextmanager
    def reading(self, files: Sequence[SourceFile], channels: Sequence[str]) -> Iterator[None]:
        """Show that files are read, in this order, into channels."""
        self._ahead = [_Ahead(file) for file in reversed(files)]
        self._told = dict.fromkeys(channels, 0)
        self._forecast.start(dict.fromkeys(channels, sum(each.cost for each in self._ahead)))
        with self._stages({"files": len(files), "pages": None}):
            yield

    @contextlib.contextmanager
    def completing(self, passages: Mapping[str, int]) -> Iterator[None]:
        """Show that so many passages of each channel are encoded."""
        self._completing = True
        self._forecast.start(passages)
        with self._stages({f"channel {name}": n for name, n in passages.items()}):
            yield

    def page_read(self) -> None:
        self._advance("pages")

    def file_read(self) -> None:
        self._advance("files")
        cost = self._ahead.pop().cost
        for name, told in self._told.items():
            self._forecast.advance(name, cost - told)
            self._told[name] = 0

    def encoded(self, channel: str, effort: Effort) -> None:
        """Tell of a batch that this process encoded."""
        self._forecast.add(channel, effort)
        if self._completing:
            self._passed(channel, effort.n)
        # How far a file of text has been read shows in the text, long before its end.
        elif self._ahead and self._ahead[-1].plain:
            step = min(effort.characters, self._ahead[-1].cost - self._told[channel])
            self._told[channel] += step
            self._forecast.advance(channel, step)

    def shard_read(self, result: ShardResult) -> None:
        """Tell of a finished shard what was not told while it was read elsewhere."""
        if self.here:
            return
        self._advance("pages", sum(f.covered.pages for f in result.files if f.covered))
        for name, effort in result.efforts.items():
            self._forecast.add(name, effort)
        for _ in result.files:
            self.file_read()

    def slice_encoded(self, result: VectorsResult) -> None:
        """Tell of a finished slice; passages that the encoder leaves alone are passed, too."""
        if not self.here:
            self._forecast.add(result.task.channel, result.effort)
        told = result.effort.n if self.here else 0
        self._passed(result.task.channel, result.n_rows - told)

    def _passed(self, channel: str, n: int) -> None:
        self._advance(f"channel {channel}", n)
        self._forecast.advance(channel, n)

    def _advance(self, stage: str, n: int = 1) -> None:
        if self.progress is not None and n:
            self.progress.advance(stage, n)

    @contextlib.contextmanager
    def _stages(self, totals: Mapping[str, int | None]) -> Iterator[None]:
        """Show stages, named by what they count, while work runs."""
        if self.progress is None:
            yield
            return
        for stage, total in totals.items():
            self.progress.start(stage, total, stage.partition(" ")[0])
        try:
            yield
        finally:
            for stage in totals:
                self.progress.finish(stage)


class _Ahead:
    """A file that is not read yet."""

    def __init__(self, file: SourceFile) -> None:
        # What is encoded later is no part of the work of reading.
        self.cost = 1 if is_large(file) else max(work_of(file), 1)
        self.plain = is_plain(file)


def _nothing(line: str) -> None:
    del line
