import os
import subprocess
import sys
from pathlib import Path

import pytest

from medrag.errors import IndexFormatError, IndexLockedError
from medrag.indexing.lock import writing
from medrag.indexing.storage import open_store
from tests.indexing.library import build_lines

HOLD = """
import sys, time
from pathlib import Path
from medrag.indexing.lock import writing
with writing(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_second_writer_is_refused_with_the_process_of_the_first(tmp_path: Path) -> None:
    with (
        writing(tmp_path),
        pytest.raises(IndexLockedError, match=f"process {os.getpid()}"),
        writing(tmp_path),
    ):
        pass
    with writing(tmp_path):
        pass


def test_a_lock_that_is_a_link_or_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("years of work")
    (tmp_path / "lock").symlink_to(tmp_path / "mine")
    with pytest.raises(IndexFormatError, match="is a link or a folder"), writing(tmp_path):
        pass
    assert (tmp_path / "mine").read_text() == "years of work"
    (tmp_path / "lock").unlink()
    (tmp_path / "lock").mkdir()
    with pytest.raises(IndexFormatError, match="is a link or a folder"), writing(tmp_path):
        pass


def test_readers_go_on_while_another_process_writes_and_its_death_frees_the_lock(
    tmp_path: Path,
) -> None:
    build_lines(tmp_path / "index", tmp_path / "in", {"a.lines": ["effusion"]})
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path / "index")], stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline().strip() == b"held"
        assert len(open_store(tmp_path / "index").passages) == 1
        with pytest.raises(IndexLockedError, match=f"process {holder.pid}"):
            build_lines(tmp_path / "index", tmp_path / "in")
        holder.kill()
        holder.wait()
    assert build_lines(tmp_path / "index", tmp_path / "in").unchanged == 1
