"""Postings that may be read but not written beside."""

from pathlib import Path

import pytest

from medrag.indexing.lexical import LexicalChannel
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
