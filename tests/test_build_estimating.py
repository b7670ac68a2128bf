import math
import re
from pathlib import Path

import pytest

from medrag.build import SourceFile, build, estimating
from medrag.build.estimating import NOTHING, Effort, Expected, Forecast, foreseen, in_words
from medrag.records import Corpus
from tests.indexing.library import (
    LEXICAL,
    D,
    build_lines,
    lexical_and_words,
    line_ingestor,
    write_lines,
)


def test_what_was_measured_is_extended_to_the_whole() -> None:
    # 200 of 1,000 passages; 100 of them took 10 s, so all take 100 s, by two processes 50 s.
    effort = Effort(n=200, characters=0, size=4000, timed=100, seconds=10.0)
    assert foreseen(effort, 0.2, 2) == Expected(1000, 50.0, 20000)


def test_nothing_is_foreseen_from_too_little() -> None:
    assert foreseen(Effort(100, 0, 1, 100, 1.0), 0.5, 1) is None
    assert foreseen(NOTHING, 1.0, 1) is None
    assert foreseen(Effort(100, 0, 1, 100, 10.0), 0.0, 1) is None


@pytest.mark.parametrize(
    ("expected", "words"),
    [
        (Expected(31_234, 299.0, 48_000_000), "about 31,000 passages, 5 min, 48 MB of vectors"),
        (Expected(7, 45.4, 900), "about 7 passages, 45 s, 1 MB of vectors"),
        (
            Expected(54_321_000, 1e6, 166_000_000_000),
            "about 54,000,000 passages, 277.8 h, 166.0 GB of vectors",
        ),
    ],
)
def test_an_estimate_is_two_figures_in_words(expected: Expected, words: str) -> None:
    assert in_words(expected) == words


def test_a_long_channel_is_spoken_of_once_and_a_short_one_never() -> None:
    said: list[str] = []
    forecast = Forecast(say=said.append)
    forecast.start({"long": 100, "short": 100})
    for _ in range(10):
        forecast.add("long", Effort(10, 0, 40, 10, 5.0))
        forecast.add("short", Effort(10, 0, 40, 10, 2.5))
        forecast.advance("long", 10)
        forecast.advance("short", 10)
    # 50 s and 25 s in all, so 45 s and 22.5 s are left after the first step.
    assert said == ["channel long: about 100 passages, 50 s, 1 MB of vectors"]


def test_a_channel_that_turns_out_to_be_nearly_done_is_not_spoken_of() -> None:
    said: list[str] = []
    forecast = Forecast(say=said.append)
    forecast.start({"text": 100})
    forecast.add("text", Effort(90, 0, 360, 90, 90.0))
    forecast.advance("text", 90)
    assert said == []


class SlowClock:
    """A clock that goes on by a second whenever it is read."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 1.0
        return self.now


@pytest.mark.parametrize("workers", [1, 2])
def test_a_build_says_how_long_a_channel_will_take(
    tmp_path: Path, workers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(estimating, "LONG", 0.0)
    monkeypatch.setattr(estimating, "_MEASURED", 0.0)
    monkeypatch.setattr("medrag.build.plan.SHARD_FILES", 2)
    monkeypatch.setattr("medrag.indexing.vectors.BATCH", 10)
    lines = {f"{n}.lines": [f"effusion {n} {i}" for i in range(30)] for n in range(8)}
    said: list[str] = []
    build_lines(
        tmp_path / "i",
        tmp_path / "in",
        lines,
        channels=lexical_and_words(),
        workers=workers,
        say=said.append,
    )
    assert len(said) == 1
    assert said[0].startswith("channel words: about ")


def test_completing_a_channel_is_estimated_from_the_passages_that_it_lacks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("medrag.indexing.vectors.BATCH", 10)
    monkeypatch.setattr("medrag.indexing.vectors.time.perf_counter", SlowClock())
    index, root = tmp_path / "i", tmp_path / "in"
    lines = {"a.lines": [f"effusion {i}" for i in range(400)]}
    build_lines(index, root, lines, channels={"lexical": LEXICAL})
    said: list[str] = []
    build_lines(index, root, channels=lexical_and_words(), say=said.append)
    # 40 batches of a second each, the first of which is not timed.
    size = math.ceil(400 * D * 4 / 1e6)
    assert said == [f"channel words: about 400 passages, 40 s, {size} MB of vectors"]


def test_one_long_file_of_text_is_estimated_while_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("medrag.indexing.vectors.BATCH", 10)
    monkeypatch.setattr("medrag.indexing.vectors.time.perf_counter", SlowClock())
    path = write_lines(
        tmp_path / "in" / "long.jsonl", [f"effusion {i:04} " * 9 for i in range(500)]
    )
    said: list[str] = []
    build(
        tmp_path / "i",
        [SourceFile(path, Corpus("lines", path.parent), "lines")],
        ingestor=line_ingestor,
        channels=lexical_and_words(),
        say=said.append,
    )
    # 50 batches of a second each; the frame of JSON around each text makes it seem a bit more.
    assert len(said) == 1
    found = re.fullmatch(r"channel words: about (\d+) passages, (\d+) s, 1 MB of vectors", said[0])
    assert found is not None
    assert 500 <= int(found[1]) <= 600
    assert 50 <= int(found[2]) <= 60
