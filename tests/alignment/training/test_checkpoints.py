"""Checkpoints are whole, or are none."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medrag.alignment.training.checkpoints import is_whole, vouch


@given(cut=st.integers(0, 99), extra=st.booleans())
def test_a_checkpoint_is_whole_only_as_it_was_vouched_for(
    cut: int, extra: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("kept") / "checkpoint-2"
    folder.mkdir()
    (folder / "weights").write_bytes(bytes(100))
    assert not is_whole(folder)
    vouch(folder)
    assert is_whole(folder)
    if extra:
        (folder / "more").write_bytes(b"")
    else:
        (folder / "weights").write_bytes(bytes(cut))
    assert not is_whole(folder)


def test_a_newer_checkpoint_replaces_the_older_ones(tmp_path: Path) -> None:
    for step in (9, 10):
        (tmp_path / f"checkpoint-{step}").mkdir()
        (tmp_path / f"checkpoint-{step}" / "weights").write_bytes(b"1")
        vouch(tmp_path / f"checkpoint-{step}")
    assert [each.name for each in tmp_path.iterdir()] == ["checkpoint-10"]
