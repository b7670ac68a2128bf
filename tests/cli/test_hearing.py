"""Questions that are spoken."""

from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.tools.test_speech import recorded
from tests.tools.tiny_whisper import TONES, tiny_whisper, tone


@pytest.mark.slow
def test_a_recording_is_written_down_told_and_answered(
    medrag: Run, index: Path, tmp_path: Path
) -> None:
    ears = tiny_whisper(tmp_path / "ears", steps=40)
    said = recorded(tmp_path / "said.wav", tone(TONES["low"], 1.8))
    result = medrag("ask", "sample", "--audio", said, "--speech", ears, "--index", index)
    assert "heard: " in result.stderr


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("What is it?", "--audio", "said.wav"), "not both"),
        (("--audio", "nowhere.wav"), "is not a file"),
    ],
)
def test_a_recording_that_cannot_be_meant_is_told(
    medrag: Run, index: Path, arguments: tuple[str, ...], problem: str
) -> None:
    result = medrag("ask", "sample", *arguments, "--index", index)
    assert result.exit_code == 2
    assert problem in result.stderr
