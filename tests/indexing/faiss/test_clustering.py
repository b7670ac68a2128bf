"""Training on few vectors: told in the log, and not by FAISS on standard error."""

import logging
from pathlib import Path

import numpy as np
import pytest

from medrag.indexing.faiss import training
from medrag.indexing.faiss.file import read_faiss_file
from tests.indexing.faiss.segments import Segments, some

# FAISS wants 39 vectors for each list and each entry of a codebook; these have 600, or 15 each.
FEW = [
    "IVF8,Flat", "IVF999,Flat", "IVF4(PQ2x4),Flat", "IVF4_HNSW8,PQ4", "IVF4,SQ8", "IVF4,RaBitQ",
    "PQ4", "PQ4x6", "PQ4x4fs", "IVF4,PQ4", "IVF4,PQ4x4fs", "HNSW8_PQ4x8", "PCA6,IVF4,PQ2",
    "OPQ4,PQ4", "OPQ4_8,IVF4,PQ4", "IVF4,PQ4x4,Refine(PQ6)", "RQ2x8", "IVF4,RQ2x8",
]  # fmt: skip


@pytest.mark.parametrize("factory", FEW)
def test_training_on_few_vectors_writes_nothing_to_standard_error(
    tmp_path: Path, factory: str, capfd: pytest.CaptureFixture[str]
) -> None:
    store, _ = some(tmp_path, factory)
    assert read_faiss_file(store.at, "made").n_trained == 600
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("n", [1, 2, 5, 38])
def test_a_list_of_fewer_vectors_than_faiss_wants_is_made_silently(
    tmp_path: Path, n: int, capfd: pytest.CaptureFixture[str]
) -> None:
    vectors = [np.eye(40, dtype=np.float32)[[number]] for number in range(n)]
    Segments(tmp_path, {"a": vectors}, {"factory": "IVF4,Flat"}).derive()
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(("factory", "wanted"), [("PQ4", 9984), ("PQ4x4", 624)])
def test_codebooks_of_few_vectors_are_told_in_the_log(
    tmp_path: Path, factory: str, wanted: int, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        some(tmp_path, factory)
    # 39 for each of 256, or of 16, entries
    (told,) = caplog.messages
    assert f"{factory!r} are trained on 600 vectors, and FAISS asks for {wanted}" in told


def test_enough_vectors_for_a_codebook_are_nothing_to_tell(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        # 420 passages of one vector or two
        some(tmp_path, "PQ4x4", n=420)
    assert caplog.messages == []


def test_a_codebook_of_more_entries_is_trained_on_more_vectors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(training, "_POINTS_TAKEN", 1)
    with caplog.at_level(logging.WARNING):
        some(tmp_path, "PQ4x9", n=400)
    # 512 entries, and one vector for each
    (told,) = caplog.messages
    assert "are trained on 512 vectors" in told
