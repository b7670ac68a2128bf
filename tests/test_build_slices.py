"""A long text is encoded slice by slice, into the index that it would give in one piece."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from medrag.build import BuildReport, SourceFile, build, completing
from medrag.build import plan as plan_module
from medrag.indexing.checking import verify
from medrag.indexing.maintenance import compact
from medrag.indexing.manifest import read_manifest
from medrag.records import Corpus, Embeddings, Passage
from tests.built import found, texts
from tests.indexing.library import (
    WordEncoder,
    build_lines,
    lexical_and_words,
    line_ingestor,
    write_lines,
)


def sums(folder: Path) -> dict[str, object]:
    """Tell apart segments by every byte of their files, those of vectors among them."""
    return {segment.name: segment.sums for segment in read_manifest(folder).segments}


class Cut(WordEncoder):
    """An encoder whose build is ended by a word."""

    def encode_passages(self, passages: Sequence[Passage]) -> Embeddings:
        if any("effusion 65" in passage.text for passage in passages):
            raise KeyboardInterrupt
        return super().encode_passages(passages)


MANY = [f"effusion {n} of the lung {n * n}" for n in range(70)]


@pytest.fixture
def sliced(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make a few kilobytes a long text, of which 30 rows are encoded at once."""
    monkeypatch.setattr(plan_module, "SHARD_WORK", 1000)
    monkeypatch.setattr(completing, "SLICE", 30)


def long_text(folder: Path, lines: list[str], **options: Any) -> BuildReport:
    """Build an index of one long file of JSON lines."""
    root = folder.parent / "in"
    path = write_lines(root / "long.jsonl", lines)
    return build(
        folder,
        [SourceFile(path, Corpus("lines", root), "lines", {})],
        ingestor=line_ingestor,
        **{"channels": lexical_and_words(), **options},
    )


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.usefixtures("sliced")
def test_a_long_text_is_encoded_by_slices_into_the_same_index(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workers: int
) -> None:
    report = long_text(tmp_path / "sliced", MANY, workers=workers)
    assert report.encoded == {"words": 70}
    monkeypatch.undo()
    assert long_text(tmp_path / "whole", MANY).encoded == {}
    assert sums(tmp_path / "sliced") == sums(tmp_path / "whole")
    assert found(tmp_path / "sliced") == found(tmp_path / "whole")
    assert verify(tmp_path / "sliced") == []
    folders = {path.name for path in (tmp_path / "sliced").glob("segments/*/channel-*")}
    assert folders == {"channel-words"}


@pytest.mark.usefixtures("sliced")
def test_a_build_that_was_cut_short_goes_on_inside_a_long_text(tmp_path: Path) -> None:
    index = tmp_path / "index"
    with pytest.raises(KeyboardInterrupt):
        long_text(index, MANY, channels=lexical_and_words(Cut()))
    assert len(texts(index)) == 70
    (problem,) = verify(index)
    assert problem.problem.endswith("the same build again encodes them")
    encoder = WordEncoder()
    assert long_text(index, MANY, channels=lexical_and_words(encoder)).encoded == {"words": 10}
    assert encoder.encoded == MANY[60:]
    long_text(tmp_path / "fresh", MANY)
    assert sums(index) == sums(tmp_path / "fresh")
    assert verify(index) == []


@pytest.mark.usefixtures("sliced")
def test_slices_of_a_long_text_do_not_outlive_a_compaction(tmp_path: Path) -> None:
    index = tmp_path / "index"
    build_lines(index, tmp_path / "in", {"a.lines": ["cell"]}, channels=lexical_and_words())
    with pytest.raises(KeyboardInterrupt):
        long_text(index, MANY, channels=lexical_and_words(Cut()))
    assert compact(index).segments == 1
    encoder = WordEncoder()
    long_text(index, MANY, channels=lexical_and_words(encoder))
    # Rows moved, so that slices of the old ones would be of other passages.
    assert encoder.encoded == ["cell", *MANY]
    assert verify(index) == []


@pytest.mark.usefixtures("sliced")
def test_of_a_long_text_that_changed_only_what_is_new_is_encoded(tmp_path: Path) -> None:
    index = tmp_path / "index"
    long_text(index, MANY)
    encoder = WordEncoder()
    changed = [*MANY[:40], "white matter", *MANY[41:]]
    assert long_text(index, changed, channels=lexical_and_words(encoder)).changed == 1
    assert encoder.encoded == ["white matter"]
    long_text(tmp_path / "fresh", changed)
    assert found(index)[1] == found(tmp_path / "fresh")[1]
    assert verify(index) == []
