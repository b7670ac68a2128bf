"""What is made of a factory string, and what is kept of it as vectors come and go."""

import logging
from pathlib import Path

import faiss
import numpy as np
import pytest

from medrag.errors import IndexFormatError, RecipeError
from medrag.indexing.faiss import training
from medrag.indexing.faiss.file import index_path, read_faiss_file
from medrag.records import Filter
from tests.indexing.faiss.segments import Segments, check, some, unit
from tests.indexing.vector_library import packed


@pytest.mark.parametrize("factory", ["Flat", "IVF4,Flat", "HNSW8"])
def test_new_segments_extend_the_index_without_training_it_again(
    tmp_path: Path, factory: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, asked = some(tmp_path / "one", factory)
    draw = np.random.default_rng(9)
    more = [unit(draw.standard_normal((1, 12))) for _ in range(50)]
    monkeypatch.setattr(training, "_trained", None)
    grown = Segments(tmp_path / "two", {**store.parts, "d": more}, {"factory": factory})
    grown.derive(store.at)
    assert read_faiss_file(grown.at, "made").segments == (
        ("a", 300), ("c", 300), ("d", 50),
    )  # fmt: skip
    options = {"nprobe": "all", "ef": 600}
    check(
        grown.search(**options).search(asked, 10, [Filter()] * 6),
        grown.plainly(asked, 10, [Filter()] * 6),
    )


def test_a_removal_takes_the_file_over_and_compaction_fills_it_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, asked = some(tmp_path / "one", "IVF4,Flat")
    monkeypatch.setattr(training, "_trained", None)
    removed = Segments(tmp_path / "two", store.parts, {"factory": "IVF4,Flat"}, removed=[9])
    removed.derive(store.at)
    one, two = (index_path(each.at, "made") for each in (store, removed))
    assert one.read_bytes() == two.read_bytes()
    vectors = [each for part in store.parts.values() for each in part]
    joined = Segments(tmp_path / "three", {"x": vectors[10:]}, {"factory": "IVF4,Flat"})
    joined.derive(removed.at)
    check(
        joined.search(nprobe="all").search(asked, 10, [Filter()] * 6),
        joined.plainly(asked, 10, [Filter()] * 6),
    )


def test_an_index_that_has_outgrown_its_training_is_trained_again(tmp_path: Path) -> None:
    small, _ = some(tmp_path / "one", "IVF64,Flat", n=100)
    large, _ = some(tmp_path / "two", "IVF64,Flat", n=1_000)
    grown = Segments(tmp_path / "three", large.parts, {"factory": "IVF64,Flat"}).derive(small.at)
    # 150 vectors train 3 lists of 39 points, 1,500 train 38.
    built = [read_faiss_file(each.at, "made").built for each in (small, grown)]
    assert built == ["IVF3,Flat", "IVF38,Flat"]


def test_another_factory_is_made_from_the_start(tmp_path: Path) -> None:
    store, _ = some(tmp_path / "one", "Flat")
    other = Segments(tmp_path / "two", store.parts, {"factory": "HNSW8"}).derive(store.at)
    index = faiss.read_index(str(index_path(other.at, "made")))
    assert isinstance(index, faiss.IndexHNSWFlat)


def test_training_reads_no_more_than_its_bound(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    # 4 numbers of 4 bytes: room for 100 vectors, which train 2 lists.
    monkeypatch.setattr(training, "TRAINING_BYTES", 1600)
    monkeypatch.setattr(training, "_PIECE_BYTES", 200)
    with caplog.at_level(logging.WARNING):
        store, asked = some(tmp_path, "IVF16,Flat", n=1_000, d=4)
    assert "'IVF2,Flat' is made instead" in caplog.text
    assert read_faiss_file(store.at, "made").built == "IVF2,Flat"
    check(
        store.search(nprobe="all").search(asked, 10, [Filter()] * 6),
        store.plainly(asked, 10, [Filter()] * 6),
    )


def test_too_few_vectors_for_a_codebook_are_searched_flat(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        store, asked = some(tmp_path, "IVF8,PQ4", n=30)
    assert "45 vectors are too few to train 'IVF8,PQ4'" in caplog.text
    check(
        store.search().search(asked, 10, [Filter()] * 6),
        store.plainly(asked, 10, [Filter()] * 6),
    )


def test_a_codebook_of_more_entries_than_vectors_is_searched_flat(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    # 15,000 vectors for 2 to the power of 14 entries, which are 16,384
    with caplog.at_level(logging.WARNING):
        store, _ = some(tmp_path, "PQ4x14", n=10_000)
    assert "15000 vectors are too few to train 'PQ4x14'" in caplog.text
    assert read_faiss_file(store.at, "made").built == "Flat"


@pytest.mark.parametrize(
    ("factory", "told"),
    [
        ("IVF8,Flatt", r"IVF8,Flatt.*cannot make it for vectors of 12 numbers"),
        ("IVF999,PQ5", "'IVF999,PQ5'.*vectors of 12 numbers"),
        ("IDMap,Flat", "leave IDMap out"),
        ("NSG16", "use HNSW"),
    ],
)
def test_a_factory_that_cannot_be_made_is_named(tmp_path: Path, factory: str, told: str) -> None:
    with pytest.raises(RecipeError, match=told):
        some(tmp_path, factory)


def test_a_vector_that_is_not_finite_stops_the_making(tmp_path: Path) -> None:
    broken = np.ones((1, 3), np.float32)
    broken[0, 1] = np.nan
    with pytest.raises(IndexFormatError, match="vector of segment a is not finite"):
        Segments(tmp_path, {"a": [broken]}, {"factory": "Flat"}).derive()
    ones = np.ones((1, 3), np.float32)
    Segments(tmp_path / "x", {"a": [ones]}, {"factory": "Flat"}).derive()
    search = Segments(tmp_path / "x", {"a": [ones], "b": [broken]}, {"factory": "Flat"}).search()
    with pytest.raises(IndexFormatError, match="a vector of row 1 is not finite"):
        search.search(packed([ones], 3), 1, [Filter()])
