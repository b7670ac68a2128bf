"""Postings on disk: read where nothing may be written beside them, and damaged ones named."""

from collections.abc import Callable
from pathlib import Path

import pytest

from medrag.errors import IndexFormatError
from medrag.indexing import deriving
from medrag.indexing.checking import verify
from medrag.indexing.lexical import LexicalChannel
from medrag.indexing.maintenance import remove
from medrag.indexing.storage import open_store
from medrag.records import Filter, Question
from tests.indexing.library import build_lines


@pytest.fixture
def index(tmp_path: Path) -> Path:
    build_lines(tmp_path / "index", tmp_path / "in", {"a.lines": ["effusion", "cell"]})
    return tmp_path / "index"


def test_postings_are_searched_where_tantivy_may_not_write_its_lock(index: Path) -> None:
    # A folder in the place of the lock file fails as a read-only disk does, also for root.
    (folder,) = index.glob("derived/lexical-*")
    for name in (".tantivy-meta.lock", ".tantivy-writer.lock"):
        (folder / name).unlink(missing_ok=True)
        (folder / name).mkdir()
    channel = LexicalChannel(store=open_store(index))
    (ranking,) = channel.search([Question(text="effusion")], 5, [Filter()])
    assert len(ranking) == 1


def test_more_hits_can_be_asked_for_than_memory_could_hold(index: Path) -> None:
    channel = LexicalChannel(store=open_store(index))
    (ranking,) = channel.search([Question(text="effusion cell")], 10**20, [Filter()])
    assert len(ranking) == 2


@pytest.fixture
def postings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Postings of an index, one of whose passages was removed and counts as dead."""
    monkeypatch.setattr(deriving, "outdated", lambda _: False)
    lines = {f"{n}.lines": [f"effusion {n}", "white matter"] for n in range(3)}
    build_lines(tmp_path / "index", tmp_path / "in", lines)
    remove(tmp_path / "index", ["1.lines"])
    (folder,) = (tmp_path / "index").glob("derived/lexical-*")
    return folder


def test_a_bit_that_changed_in_a_file_of_postings_is_a_problem(
    postings: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    index = postings.parents[1]
    assert verify(index) == []
    paths = [path for path in postings.iterdir() if not path.name.startswith((".", "meta"))]
    assert any(path.suffix == ".del" for path in paths)
    for path in paths:
        whole = path.read_bytes()
        # The footer tells the version first, which is nothing that is searched.
        for at in (*range(0, whole.index(b'{"version"'), 5), -9, -6):
            broken = bytearray(whole)
            broken[at] ^= 4
            replaced(path, bytes(broken))
            (found,) = verify(index)
            assert path.name in found.problem
        replaced(path, whole)
    assert verify(index) == []
    # Tantivy, which ends in a panic on some of these, is not asked.
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("instead", [Path.mkdir, lambda path: path.symlink_to("nowhere"), None])
def test_a_file_of_postings_that_is_gone_is_a_problem(
    postings: Path, instead: Callable[[Path], None] | None
) -> None:
    # The one that Tantivy looks for only when it searches.
    (path,) = postings.glob("*.pos")
    path.unlink()
    if instead is not None:
        instead(path)
    (found,) = verify(postings.parents[1])
    assert path.name in found.problem
    with pytest.raises(IndexFormatError, match=r"the postings in .* are damaged"):
        LexicalChannel(store=open_store(postings.parents[1])).search(
            [Question(text="effusion")], 5, [Filter()]
        )


def test_removals_of_a_commit_that_never_came_are_no_problem(postings: Path) -> None:
    (removals,) = postings.glob("*.del")
    stem, stamp, _ = removals.name.split(".")
    (postings / f"{stem}.{int(stamp) + 7}.del").write_bytes(b"cut sho")
    assert verify(postings.parents[1]) == []


@pytest.mark.parametrize(
    ("written", "found"),
    [('"name": "domain"', '"name": "dumain"'), ('"freq"', '"basic"'), ('"segments"', '"sugments"')],
)
def test_a_list_of_fields_that_changed_is_a_problem(
    postings: Path, written: str, found: str
) -> None:
    meta = postings / "meta.json"
    text = meta.read_text(encoding="utf-8")
    assert written in text
    replaced(meta, text.replace(written, found).encode())
    (problem,) = verify(postings.parents[1])
    assert "meta.json" in problem.problem


def replaced(path: Path, content: bytes) -> None:
    """Write a file anew; a map of the old one keeps its bytes."""
    path.unlink()
    path.write_bytes(content)
