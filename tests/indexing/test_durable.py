from pathlib import Path

import pytest

from medrag.indexing import durable


def test_a_file_that_is_held_for_a_moment_is_replaced_in_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename = Path.replace
    refusals = iter([True, True, False])

    def held(source: Path, target: Path) -> Path:
        if next(refusals):
            raise PermissionError(13, "held by a scanner", str(target))
        return rename(source, target)

    monkeypatch.setattr(Path, "replace", held)
    durable.write_atomically(tmp_path / "a", b"new")
    assert (tmp_path / "a").read_bytes() == b"new"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_rename_that_never_works_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(durable, "_PAUSES", (0.0,))
    with pytest.raises(FileNotFoundError):
        durable.move(tmp_path / "none", tmp_path / "other")


def test_what_cannot_be_deleted_is_told_and_what_is_not_there_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(durable, "_PAUSES", (0.0,))
    (tmp_path / "folder" / "inner").mkdir(parents=True)
    assert durable.remove(tmp_path / "none")
    with monkeypatch.context() as held:
        held.setattr("shutil.rmtree", lambda path: (_ for _ in ()).throw(PermissionError(path)))
        assert not durable.remove(tmp_path / "folder")
    assert durable.remove(tmp_path / "folder")
    assert not (tmp_path / "folder").exists()
