"""`medrag eval contexts` before anything is read."""

from pathlib import Path

import pytest

from tests.cli.conftest import Run


@pytest.mark.parametrize(
    ("out", "told"), [(".", ". is a folder"), ("nowhere/x.json", "a folder that does not exist")]
)
def test_a_file_that_cannot_be_written_is_told_by_its_own_name(
    medrag: Run, tmp_path: Path, out: str, told: str
) -> None:
    result = medrag("eval", "contexts", tmp_path, "--out", out)
    assert result.exit_code == 1
    assert told in result.stderr
    assert "a fault of medrag" not in result.stderr
