"""Seconds that the stages of answering take."""

from time import perf_counter


class Clock:
    """Seconds of one stage after the other; the first begins when the clock is made."""

    def __init__(self) -> None:
        self._last = perf_counter()
        self._seconds: dict[str, float] = {}

    def lap(self, stage: str) -> None:
        """End a stage, and begin the next."""
        now = perf_counter()
        self._seconds[stage] = now - self._last
        self._last = now

    def shared(self, n: int) -> dict[str, float]:
        """Share the seconds of each stage equally among n questions."""
        return {stage: seconds / max(1, n) for stage, seconds in self._seconds.items()}
