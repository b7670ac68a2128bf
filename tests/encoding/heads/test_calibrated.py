"""Heads with a temperature, thresholds and a memory of what they were fitted on."""

import zipfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from medrag.encoding.heads import (
    CalibratedHead,
    LinearHead,
    Neighbours,
    fitted,
    load_head,
    save_head,
)
from medrag.errors import InputFileError, RecipeError

VECTORS = np.array([[1, 0], [0.8, 0.6], [0, 1], [-0.6, 0.8]], dtype=np.float32)


def head(**options: Any) -> CalibratedHead:
    linear = fitted(VECTORS, ["a", "a", "b", "b"], encoder="e", standardise=False)
    return CalibratedHead(head=linear, **options)


def test_the_distance_is_to_the_kth_nearest_of_the_known_vectors() -> None:
    asked = np.array([[0, -2]], dtype=np.float32)
    # cosines to the four: 0, -0.6, -1, -0.8; the best two are 0 and -0.6
    assert Neighbours(vectors=VECTORS, k=1).distances(asked) == pytest.approx([1.0])
    assert Neighbours(vectors=VECTORS, k=2).distances(asked) == pytest.approx([1.6])


def test_with_fewer_vectors_than_k_the_last_counts() -> None:
    known = Neighbours(vectors=VECTORS[:1], k=9)
    assert known.distances(np.array([[0, 1]], dtype=np.float32)) == pytest.approx([1.0])


def test_what_lies_further_off_than_the_furthest_is_unlike() -> None:
    known = Neighbours(vectors=VECTORS, k=1, furthest=0.5)
    assert known.unlike(np.array([[1, 0.1], [0, -1]], dtype=np.float32)).tolist() == [False, True]


@pytest.mark.parametrize("options", [{"k": 0}, {"furthest": 2.5}, {"furthest": float("nan")}])
def test_neighbours_refuse_numbers_out_of_range(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(options))):
        Neighbours(vectors=VECTORS, **options)


@given(st.floats(0.05, 20))
def test_a_temperature_changes_how_sure_a_head_is_and_never_what_it_prefers(value: float) -> None:
    plain, tempered = (head(temperature=t).probabilities(VECTORS) for t in (1.0, value))
    np.testing.assert_array_equal(plain.argmax(axis=1), tempered.argmax(axis=1))
    np.testing.assert_allclose(tempered.sum(axis=1), 1, rtol=1e-12)
    surer = tempered.max(axis=1) >= plain.max(axis=1) - 1e-12
    assert surer.all() if value <= 1 else True
    assert (tempered.max(axis=1) <= plain.max(axis=1) + 1e-12).all() if value >= 1 else True


def test_what_is_saved_is_read_back(tmp_path: Path) -> None:
    known = Neighbours(vectors=VECTORS, k=2, furthest=0.25)
    made = head(temperature=0.7, least=0.6, margin=0.2, neighbours=known)
    save_head(made, tmp_path / "head.npz")
    read = load_head(tmp_path / "head.npz", encoder="e")
    assert (read.temperature, read.least, read.margin) == (0.7, 0.6, 0.2)
    np.testing.assert_array_equal(read.probabilities(VECTORS), made.probabilities(VECTORS))
    assert read.neighbours is not None
    assert (read.neighbours.k, read.neighbours.furthest) == (2, 0.25)
    # Rows that were of unit length are divided by it once more.
    np.testing.assert_allclose(read.neighbours.vectors, known.vectors, rtol=1e-6)


def test_the_file_of_a_calibrated_head_is_one_of_a_plain_head_and_the_other_way(
    tmp_path: Path,
) -> None:
    made = head(temperature=0.7)
    save_head(made, tmp_path / "calibrated.npz")
    plain = LinearHead.load(tmp_path / "calibrated.npz", encoder="e")
    np.testing.assert_array_equal(plain.weights, made.head.weights)
    plain.save(tmp_path / "plain.npz")
    read = load_head(tmp_path / "plain.npz", encoder="e")
    assert (read.temperature, read.least, read.margin, read.neighbours) == (1.0, 0.5, 0.1, None)
    assert not read.unlike(VECTORS).any()


def test_a_head_of_another_encoder_is_refused(tmp_path: Path) -> None:
    save_head(head(), tmp_path / "head.npz")
    with pytest.raises(RecipeError, match="fitted on vectors of 'e', not of 'f'"):
        load_head(tmp_path / "head.npz", encoder="f")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("temperature", 0.0),
        ("temperature", float("nan")),
        ("least", 1.5),
        ("furthest", -1.0),
        ("neighbours", np.zeros((3, 7))),
        ("neighbours", np.full((3, 2), np.nan)),
        ("k", 0),
        ("weights", np.full((2, 2), np.nan)),
        ("weights", np.zeros(4)),
        ("weights", np.zeros((2, 3))),
        ("names", np.array("a")),
        ("format", 99),
        ("format", 1.5),
        ("format", "1"),
        ("format", np.datetime64("2020-01-01")),
        ("k", np.inf),
        ("weights", np.full((2, 2), "1.0")),
        ("weights", np.full((2, 2), 1j)),
        ("weights", np.full((2, 2), np.datetime64(0, "s"))),
        ("deviation", np.zeros(2)),
        ("names", np.array(["a", "a"])),
    ],
)
def test_a_damaged_file_is_named(tmp_path: Path, key: str, value: Any) -> None:
    path = tmp_path / "head.npz"
    save_head(head(neighbours=Neighbours(vectors=VECTORS)), path)
    with np.load(path) as stored:
        arrays = {name: stored[name] for name in stored.files}
    np.savez(path, **(arrays | {key: np.array(value)}))
    with pytest.raises(InputFileError, match=r"head\.npz.*fit it again"):
        load_head(path, encoder="e")


@pytest.mark.parametrize("content", [b"", b"no head at all", b"PK\x03\x04 cut short"])
def test_a_file_that_is_no_head_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "head.npz"
    path.write_bytes(content)
    with pytest.raises(InputFileError, match=r"head\.npz: is no head that medrag saved"):
        load_head(path, encoder="e")


def test_a_single_array_and_pickled_code_are_no_heads(tmp_path: Path) -> None:
    path = tmp_path / "head.npz"
    for array in (np.zeros(3), np.array([print], dtype=object)):
        with path.open("wb") as stream:
            np.save(stream, array, allow_pickle=True)
        with pytest.raises(InputFileError, match="is no head"):
            load_head(path, encoder="e")


def test_an_archive_that_would_fill_the_memory_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "head.npz"
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("weights.npy", "w", force_zip64=True) as member,
    ):
        for _ in range(1025):
            member.write(bytes(1 << 20))
    with pytest.raises(InputFileError, match=r"is no head .* bytes, and no head has more"):
        load_head(path, encoder="e")


def test_a_header_that_promises_more_than_there_is_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "head.npz"
    save_head(head(), path)
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000, 100000), }\n"
    magic = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little")
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, magic + header if name == "weights.npy" else content)
    with pytest.raises(InputFileError, match="is no head that medrag saved"):
        load_head(path, encoder="e")


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes=st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), max_size=4))
def test_a_file_with_changed_bytes_is_read_or_named(
    tmp_path: Path, changes: list[tuple[int, int]]
) -> None:
    path = tmp_path / "head.npz"
    save_head(head(neighbours=Neighbours(vectors=VECTORS)), path)
    content = bytearray(path.read_bytes())
    for place, byte in changes:
        content[place % len(content)] = byte
    path.write_bytes(bytes(content))
    read = None
    with suppress(InputFileError, RecipeError):
        read = load_head(path, encoder="e")
    if read is not None:
        # Sums of check stand for every array: what is read at all is what was saved.
        saved = head().probabilities(VECTORS)
        np.testing.assert_array_equal(read.probabilities(VECTORS), saved)


def test_a_head_cannot_be_written_into_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputFileError, match="cannot be written"):
        save_head(head(), tmp_path / "no" / "head.npz")
