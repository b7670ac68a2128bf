"""Scans, and their slices as pixels."""

import contextlib
import gzip
import os
import struct
import tracemalloc
from pathlib import Path

import nibabel
import numpy as np
import pytest
from numpy.typing import NDArray

from medrag.errors import InputFileError
from medrag.images import (
    read_image,
    read_volume,
)
from medrag.records import ImageRef


def _nifti(path: Path, values: NDArray[np.generic], affine: NDArray[np.float64]) -> Path:
    nibabel.Nifti1Image(values, affine).to_filename(path)
    return path


@pytest.mark.parametrize(
    ("axes", "flips"),
    [((0, 1, 2), (1, 1, 1)), ((0, 1, 2), (-1, -1, 1)), ((2, 0, 1), (1, -1, -1))],
)
def test_a_volume_comes_in_ras_order_however_it_is_stored(
    tmp_path: Path, axes: tuple[int, int, int], flips: tuple[int, int, int]
) -> None:
    upright = np.arange(2 * 3 * 4, dtype=np.float32).reshape(2, 3, 4)  # x, y, z
    stored = upright.transpose(axes)
    affine = np.zeros((4, 4))
    affine[3, 3] = 1
    for position, axis in enumerate(axes):
        flip = flips[position]
        stored = np.flip(stored, position) if flip < 0 else stored
        affine[axis, position] = flip * (axis + 1.0)  # 1, 2, 3 mm along x, y, z
        affine[axis, 3] = (upright.shape[axis] - 1) * (axis + 1.0) if flip < 0 else 0
    volume = read_volume(_nifti(tmp_path / "a.nii.gz", stored, affine))
    np.testing.assert_array_equal(volume.values, upright.transpose(2, 1, 0))
    assert volume.spacing == (3.0, 2.0, 1.0)
    np.testing.assert_allclose(volume.affine, np.diag([1.0, 2.0, 3.0, 1.0]), atol=1e-6)


def _marked(n: int = 20) -> NDArray[np.float32]:
    """A volume in (x, y, z) that is dark but for the patient's right, front and upper corner."""
    values = np.zeros((n, n, n), dtype=np.float32)
    values[-3:, -3:, -3:] = 100
    values[0, 0, 0] = 1
    return values


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_slices_show_the_patients_right_on_the_left_and_front_or_head_on_top(
    tmp_path: Path, axis: int
) -> None:
    path = _nifti(tmp_path / "a.nii", _marked(), np.eye(4))
    pixels = read_image(ImageRef(str(path), axis=axis, slice=19))
    assert pixels[0, 0].tolist() == [255, 255, 255]
    assert pixels[0, -1].tolist() == pixels[-1, 0].tolist() == [0, 0, 0]


def test_a_slice_has_square_pixels(tmp_path: Path) -> None:
    path = _nifti(tmp_path / "a.nii", _marked(), np.diag([1.0, 1.0, 5.0, 1.0]))
    assert read_image(ImageRef(str(path), axis=2, slice=0)).shape == (20, 20, 3)
    assert read_image(ImageRef(str(path), axis=1, slice=0)).shape == (100, 20, 3)


def test_computed_tomography_is_shown_in_a_window_of_soft_tissue(tmp_path: Path) -> None:
    values = np.full((4, 4, 4), -1000, dtype=np.int16)
    values[0, 0, 0], values[1, 0, 0], values[2, 0, 0] = -160, 40, 3000
    path = _nifti(tmp_path / "a.nii", values, np.eye(4))
    row = read_image(ImageRef(str(path), axis=2, slice=0))[-1, ::-1, 0]
    assert row.tolist() == [0, 128, 255, 0]  # (40 + 160) / 400 * 255 = 127.5


def test_a_series_is_read_volume_by_volume(tmp_path: Path) -> None:
    values = np.zeros((3, 3, 3, 2), dtype=np.int16)
    values[..., 1] = np.arange(27).reshape(3, 3, 3)
    path = _nifti(tmp_path / "a.nii.gz", values, np.eye(4))
    assert read_volume(path).n_times == 2
    assert read_volume(path).values.max() == 0
    assert read_volume(path, time=1).values.max() == 26
    with pytest.raises(InputFileError, match="time 2: the series has 2 volumes"):
        read_volume(path, time=2)


def test_a_single_slice_is_a_volume_of_one(tmp_path: Path) -> None:
    path = _nifti(tmp_path / "a.nii", np.ones((5, 4), dtype=np.float32), np.eye(4))
    assert read_volume(path).values.shape == (1, 4, 5)


def test_a_header_that_promises_more_than_the_file_holds_is_refused(tmp_path: Path) -> None:
    path = _nifti(tmp_path / "a.nii", np.zeros((4, 4, 4), dtype=np.int16), np.eye(4))
    raw = bytearray(path.read_bytes())
    raw[40:48] = struct.pack("<4h", 3, 500, 500, 500)
    for bomb in (bytes(raw), gzip.compress(raw)):
        path.write_bytes(bomb)
        with pytest.raises(InputFileError, match="promises 250,000,000 bytes"):
            read_volume(path)
    raw[40:48] = struct.pack("<4h", 3, 2000, 2000, 2000)
    path.write_bytes(raw)
    with pytest.raises(InputFileError, match="8,000,000,000 voxels"):
        read_volume(path)


def test_extensions_of_a_header_are_not_inflated(tmp_path: Path) -> None:
    path = _nifti(tmp_path / "a.nii", np.ones((4, 4, 4), dtype=np.int16), np.eye(4))
    raw = bytearray(path.read_bytes()[:352])
    size = 1 << 28
    raw[108:112] = struct.pack("<f", 352 + size)
    raw[348] = 1
    path = tmp_path / "a.nii.gz"
    with gzip.open(path, "wb", compresslevel=1) as file:
        file.write(raw + struct.pack("<ii", size, 4))
        for _ in range(256):
            file.write(bytes(1 << 20))
    tracemalloc.start()
    with contextlib.suppress(InputFileError):
        read_volume(path)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < size / 8


def test_a_volume_cut_short_is_refused(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    values = rng.integers(0, 999, (16, 16, 16)).astype(np.int16)
    for name in ("a.nii", "a.nii.gz"):
        path = _nifti(tmp_path / name, values, np.eye(4))
        path.write_bytes(path.read_bytes()[:-600])
        with pytest.raises(InputFileError):
            read_volume(path)


def test_colours_complex_numbers_and_pairs_of_files_are_refused(tmp_path: Path) -> None:
    path = _nifti(tmp_path / "a.nii", np.zeros((3, 3, 3), dtype=np.complex64), np.eye(4))
    with pytest.raises(InputFileError, match="plain numbers"):
        read_volume(path)
    nibabel.Nifti1Pair(np.zeros((3, 3, 3), dtype=np.int16), np.eye(4)).to_filename(
        tmp_path / "b.img"
    )
    with pytest.raises(InputFileError, match="pair of"):
        read_volume(tmp_path / "b.hdr")


def test_a_volume_without_axis_or_with_a_wrong_slice_is_refused(tmp_path: Path) -> None:
    path = str(_nifti(tmp_path / "a.nii", _marked(), np.eye(4)))
    with pytest.raises(InputFileError, match="no axis and slice"):
        read_image(ImageRef(path))
    with pytest.raises(InputFileError, match="slice 20 of axis 2: the volume has 20 slices"):
        read_image(ImageRef(path, axis=2, slice=20))
    with pytest.raises(InputFileError, match="slice -1"):
        read_image(ImageRef(path, axis=2, slice=-1))
    with pytest.raises(InputFileError, match="the axes 0, 1 and 2, and not 3"):
        read_image(ImageRef(path, axis=3, slice=0))


def test_a_volume_written_anew_is_not_taken_from_memory(tmp_path: Path) -> None:
    path = _nifti(tmp_path / "a.nii", _marked(), np.eye(4))
    before = read_image(ImageRef(str(path), axis=2, slice=19))
    _nifti(path, _marked()[::-1], np.eye(4))
    os.utime(path, ns=(1, 1))
    np.testing.assert_array_equal(
        read_image(ImageRef(str(path), axis=2, slice=19))[:, ::-1][0, 0], before[0, 0]
    )


@pytest.mark.realdata
def test_the_liver_of_a_real_scan_lies_on_the_left_of_the_picture(data: Path) -> None:
    path = data / "radiology" / "volume" / "example_ct_sm.nii.gz"
    pixels = read_image(ImageRef(str(path), axis=2, slice=20))
    assert pixels.shape == (101, 122, 3)
    # Enhanced liver fills the patient's right; the stomach and lung of the left hold black air.
    right, left = pixels[25:70, 15:55, 0], pixels[25:70, 67:107, 0]
    assert (right < 30).mean() < (left < 30).mean()
    assert right.mean() > left.mean()
