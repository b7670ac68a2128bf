"""Builds that are killed leave the last good state, and the same build again finishes them."""

import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from medrag.build import plan
from medrag.indexing import durable
from medrag.indexing.checking import verify
from medrag.indexing.dense import DenseChannel
from medrag.indexing.lexical import LexicalChannel
from medrag.indexing.manifest import NAME
from medrag.indexing.storage import open_store
from medrag.records import Filter, Question
from tests.indexing.library import WordEncoder, build_lines, lexical_and_words, write_lines

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.name != "posix", reason="kills processes by SIGKILL"),
]

QUESTIONS = [Question(text=text) for text in ("effusion of the lung", "red cell", "matter 7")]
N_FILES = 12


class Killer:
    """Runs builds in another process, and kills them."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process

    def build(
        self,
        folder: Path,
        root: Path,
        *,
        after: float | None = None,
        event: int = 0,
        workers: int = 1,
    ) -> int:
        """Run a build, killed after some seconds or before an event; gives its exit status."""
        self._say(f"{folder} {root} {workers} {event}")
        child = int(self._heard())
        if after is not None:
            time.sleep(after)
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        return int(self._heard())

    def _say(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def _heard(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline()


@pytest.fixture(scope="module")
def killer() -> Iterator[Killer]:
    root = Path(__file__).parents[1]
    with subprocess.Popen(
        [sys.executable, "-m", "tests.indexing.killable"],
        cwd=root,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield Killer(process)
        assert process.stdin is not None
        process.stdin.close()


@pytest.fixture(autouse=True)
def _small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "SHARD_FILES", 2)


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("library")
    for number in range(N_FILES):
        _write(root, number, "an effusion")
    return root


def test_a_build_killed_at_random_leaves_a_good_state_and_is_finished_by_the_next(
    tmp_path: Path, library: Path, killer: Killer
) -> None:
    start = time.perf_counter()
    assert killer.build(tmp_path / "whole", library) == 0
    duration = time.perf_counter() - start
    ids, rankings = _found(tmp_path / "whole")
    moments = random.Random(7)
    killed = 0
    while killed < 30:
        index = tmp_path / "index"
        status = killer.build(index, library, after=moments.uniform(0, duration))
        killed += status == -signal.SIGKILL
        _check_state(index, [ids[:n] for n in range(len(ids) + 1)])
        build_lines(index, library, channels=lexical_and_words())
        assert _found(index) == (ids, rankings)
        assert verify(index) == []
        assert not list((index / "segments").glob("unfinished-*"))
        assert durable.remove(index)


def test_a_build_killed_before_any_rename_is_finished_by_the_next(
    tmp_path: Path, library: Path, killer: Killer
) -> None:
    assert killer.build(tmp_path / "whole", library) == 0
    ids, rankings = _found(tmp_path / "whole")
    event, status = 0, -signal.SIGKILL
    while status == -signal.SIGKILL:
        event += 1
        index = tmp_path / f"index{event}"
        status = killer.build(index, library, event=event)
        _check_state(index, [ids[:n] for n in range(len(ids) + 1)])
        build_lines(index, library, channels=lexical_and_words())
        assert _found(index) == (ids, rankings)
    # A segment and a manifest for each of the shards.
    assert event > N_FILES


def test_an_update_killed_at_random_is_finished_by_the_next(
    tmp_path: Path, library: Path, killer: Killer
) -> None:
    root = tmp_path / "library"
    shutil.copytree(library, root)
    assert killer.build(tmp_path / "old", root) == 0
    old_ids, _ = _found(tmp_path / "old")
    for number in range(0, N_FILES, 3):
        _write(root, number, "a new effusion")
    shutil.copytree(tmp_path / "old", tmp_path / "whole")
    start = time.perf_counter()
    assert killer.build(tmp_path / "whole", root) == 0
    duration = time.perf_counter() - start
    expected = _found(tmp_path / "whole")
    moments = random.Random(8)
    killed = 0
    while killed < 10:
        index = tmp_path / "index"
        shutil.copytree(tmp_path / "old", index)
        status = killer.build(index, root, after=moments.uniform(0, duration))
        killed += status == -signal.SIGKILL
        assert set(_found_ids(index)) <= {*old_ids, *expected[0]}
        assert len(_found_ids(index)) == len(old_ids)
        build_lines(index, root, channels=lexical_and_words())
        assert _found(index) == expected
        assert verify(index) == []
        assert durable.remove(index)


def test_a_build_by_several_processes_dies_with_its_coordinator(
    tmp_path: Path, library: Path, killer: Killer
) -> None:
    build_lines(tmp_path / "whole", library, channels=lexical_and_words())
    index = tmp_path / "index"
    assert killer.build(index, library, event=5, workers=2) == -signal.SIGKILL
    build_lines(index, library, channels=lexical_and_words(), workers=2)
    assert _found(index) == _found(tmp_path / "whole")
    assert verify(index) == []


def _write(root: Path, number: int, words: str) -> None:
    texts = [f"{words} of the lung {number} {n}" for n in range(6)]
    texts += [f"red cell and white matter {number * n}" for n in range(6)]
    write_lines(root / f"{number:02d}.lines", texts)


def _found_ids(index: Path) -> list[str]:
    return [passage.id for passage in open_store(index).passages]


def _found(index: Path) -> tuple[list[str], list[object]]:
    """List all ids, and rankings by both channels."""
    store = open_store(index)
    channels = (
        LexicalChannel(store=store),
        DenseChannel(store=store, name="words", encoder=WordEncoder(), side="text"),
    )
    rankings: list[object] = [
        channel.search(QUESTIONS, 10, [Filter()] * len(QUESTIONS)) for channel in channels
    ]
    return _found_ids(index), rankings


def _check_state(index: Path, states: Sequence[list[str]]) -> None:
    """Check that an index that was cut short opens, and holds one of the states."""
    if not (index / NAME).exists():
        return
    store = open_store(index)
    ids = _found_ids(index)
    assert ids in states
    (ranking,) = LexicalChannel(store=store).search(QUESTIONS[:1], 1000, [Filter()])
    assert len(ranking) == sum("effusion" in passage.text for passage in store.passages)
