"""A FAISS index on disk: whole, or named with the way out."""

import json
import logging
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import pytest

from medrag.errors import IndexFormatError
from medrag.indexing.faiss import file, problem
from medrag.indexing.faiss.file import index_path
from medrag.records import Filter
from tests.indexing.faiss.segments import FILTERS, Floats, Segments, check, some


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (lambda path: path.write_bytes(path.read_bytes()[:-9]), "bytes instead of"),
        (lambda path: path.unlink(), "0 bytes instead of"),
        (lambda path: path.write_bytes(b"\0" * path.stat().st_size), "other bytes"),
        (lambda path: unspotted(path, b"\0" * path.stat().st_size), "cannot read it"),
        (lambda path: faiss.write_index(faiss.IndexFlatL2(12), str(path)), "bytes instead of"),
        (lambda path: path.with_suffix(".json").write_text("{"), "made.json"),
        (lambda path: path.with_suffix(".json").write_text("[]"), "made.json"),
        (lambda path: path.with_suffix(".json").unlink(), "made.json"),
        (lambda path: change(path, n=599), "counts that add up"),
        (lambda path: change(path, version=0), "expected version 1"),
        # As many bytes, in another shape.
        (lambda path: write(path, np.ones((1200, 6), np.float32)), "1200 vectors of 6 numbers"),
        # As many vectors of as many numbers, of another index.
        (lambda path: swap(path, np.ones((600, 12), np.float32)), "other bytes"),
        (lambda path: change(path, segments=[["a", 299], ["c", 301]]), "other counts for a, c"),
        (lambda path: change(path, d=11), "vectors of 11 numbers"),
    ],
)
def test_a_damaged_or_foreign_file_is_named_with_the_way_out(
    tmp_path: Path, damage: Any, told: str
) -> None:
    store, _ = some(tmp_path, "Flat")
    damage(index_path(store.at, "made"))
    with pytest.raises(IndexFormatError, match=rf"(?s){told}.*medrag index verify .* --repair"):
        store.search()


def unspotted(path: Path, content: bytes) -> None:
    """Damage a file of a time when no pieces of it were written down."""
    change(path, spots="")
    path.write_bytes(content)


def write(path: Path, values: Floats) -> None:
    change(path, spots="")
    swap(path, values)


def swap(path: Path, values: Floats) -> None:
    index = faiss.IndexFlatIP(values.shape[1])
    index.add(values)
    faiss.write_index(index, str(path))


def change(path: Path, **values: Any) -> None:
    path = path.with_suffix(".json")
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def test_a_damaged_file_is_found_by_verify_and_not_extended(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store, asked = some(tmp_path / "one", "Flat")
    made: Any = store
    told = {"store": made, "channels": {"made": store.entry}, "folder": store.at}
    assert problem(**told) is None
    path = index_path(store.at, "made")
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    assert "other bytes than were written" in str(problem(**told))
    again = Segments(tmp_path / "two", store.parts, {"factory": "Flat"}, removed=[1])
    with caplog.at_level(logging.WARNING):
        again.derive(store.at)
    assert "made anew now" in caplog.text
    check(again.search().search(asked, 9, [Filter()] * 6), again.plainly(asked, 9, [Filter()] * 6))


def test_small_batches_use_the_fast_path_of_faiss() -> None:
    assert file.library().cvar.distance_compute_blas_threshold == 20


@pytest.mark.parametrize("mapped_from", [0, 1 << 40])
def test_mapped_and_read_files_answer_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mapped_from: int
) -> None:
    monkeypatch.setattr(file, "_MAPPED_BYTES", mapped_from)
    for factory in ("Flat", "IVF4,Flat", "HNSW8"):
        store, asked = some(tmp_path / factory.replace(",", "-"), factory)
        search = store.search(nprobe="all", ef=600)
        check(search.search(asked, 9, FILTERS * 2), store.plainly(asked, 9, FILTERS * 2))
