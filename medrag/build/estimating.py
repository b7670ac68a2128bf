"""How long the encoding of a channel will take, said as soon as it can be known."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

# Seconds that must be left for a channel to be spoken of.
LONG = 30.0
# So much must have been measured before anything is said.
_MEASURED = 2.0


@dataclass(frozen=True, slots=True)
class Effort:
    """What was encoded.

    Attributes:
        n: passages.
        characters: of their texts.
        size: bytes of their vectors.
        timed: how many of the passages were timed; the first batch of a process is not.
        seconds: of those, summed over processes.
    """

    n: int
    characters: int
    size: int
    timed: int
    seconds: float

    def __add__(self, other: "Effort") -> "Effort":
        return Effort(
            self.n + other.n,
            self.characters + other.characters,
            self.size + other.size,
            self.timed + other.timed,
            self.seconds + other.seconds,
        )


NOTHING = Effort(0, 0, 0, 0, 0.0)


@dataclass(frozen=True, slots=True)
class Expected:
    """What a channel will have taken in all: passages, seconds by the clock, bytes of vectors."""

    n: int
    seconds: float
    size: int


class Forecast:
    """Say once for each channel what it will take, if that is long.

    Args:
        say: takes a line such as "channel text: about 31,000 passages, 5 min, 48 MB of vectors".
        workers: processes that encode side by side.
    """

    def __init__(self, *, say: Callable[[str], None], workers: int = 1) -> None:
        self.say = say
        self.workers = workers
        self._totals: dict[str, float] = {}
        self._done: dict[str, float] = {}
        self._efforts: dict[str, Effort] = {}

    def start(self, totals: Mapping[str, float]) -> None:
        """Begin work of so much for each channel, in whatever unit `advance` is told."""
        self._totals = {name: total for name, total in totals.items() if total > 0}
        self._done = dict.fromkeys(self._totals, 0.0)
        self._efforts = dict.fromkeys(self._totals, NOTHING)

    def add(self, channel: str, effort: Effort) -> None:
        """Take note of passages that were encoded."""
        if channel in self._efforts:
            self._efforts[channel] += effort

    def advance(self, channel: str, work: float) -> None:
        """Take note of work that is done; speaks, if it is now known that much is left."""
        if channel not in self._totals:
            return
        self._done[channel] += work
        share = self._done[channel] / self._totals[channel]
        expected = foreseen(self._efforts[channel], share, self.workers)
        if expected is not None and expected.seconds * (1 - share) >= LONG:
            del self._totals[channel]
            self.say(f"channel {channel}: {in_words(expected)}")


def foreseen(effort: Effort, share: float, workers: int) -> Expected | None:
    """Extend what was measured to the whole; None while too little was."""
    if share <= 0 or not effort.timed or effort.seconds < _MEASURED:
        return None
    n = effort.n / share
    seconds = n * effort.seconds / effort.timed / workers
    return Expected(round(n), seconds, round(effort.size / share))


def in_words(expected: Expected) -> str:
    """Write it down in two figures: "about 31,000 passages, 5 min, 48 MB of vectors"."""
    minutes = expected.seconds / 60
    if minutes < 1:
        time = f"{expected.seconds:.0f} s"
    elif minutes < 90:
        time = f"{minutes:.0f} min"
    else:
        time = f"{minutes / 60:.1f} h"
    digits = max(len(str(expected.n)) - 2, 0)
    n = round(expected.n, -digits)
    return f"about {n:,} passages, {time}, {_size(expected.size)} of vectors"


def _size(size: int) -> str:
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{max(size / 1e6, 1):.0f} MB"
