"""Ctrl-C in the middle of a build, as a terminal sends it: to every process of the command."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.skipif(os.name != "posix", reason="signals to a group of processes"),
    pytest.mark.slow,
]


@pytest.mark.parametrize("workers", ["1", "2"])
def test_an_interrupted_build_says_so_and_leaves_no_process_or_draft(
    tmp_path: Path, workers: str
) -> None:
    (tmp_path / "in").mkdir()
    for number in range(3000):
        (tmp_path / "in" / f"{number}.txt").write_text(f"Patient {number} had an effusion.\n" * 40)
    run = "from medrag.cli.main import main; main()"
    command = [sys.executable, "-c", run, "index", "build", "./ix", "--from", "in"]
    process = subprocess.Popen(
        [*command, "--workers", workers], cwd=tmp_path, stderr=subprocess.PIPE, text=True,
        start_new_session=True,
    )  # fmt: skip
    segments = tmp_path / "ix" / "segments"
    while not (segments.is_dir() and any(segments.iterdir())):
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert said.strip().startswith("interrupted;")
    assert len(said.strip().splitlines()) == 1
    assert not list(segments.glob("unfinished-*"))
