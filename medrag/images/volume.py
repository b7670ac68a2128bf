"""NIfTI volumes, and their slices as a radiologist looks at them."""

import gzip
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
from numpy.typing import NDArray

from medrag.errors import InputFileError
from medrag.extras import require
from medrag.images.formats import is_nifti_header
from medrag.images.limits import MAX_VOXELS, check_size, decoding

# Deflate cannot shrink more than this; a header that promises more data is a lie.
_MAX_RATIO = 1032
# Air in Hounsfield units is -1000: no other common scale goes so far below zero.
_AIR = -500.0
# Soft tissue, the window that shows most organs: level 40, width 400.
_SOFT_TISSUE = (-160.0, 240.0)
_PERCENTILES = (0.5, 99.5)


@dataclass(frozen=True, slots=True, eq=False)
class Volume:
    """A scan in space.

    Attributes:
        values: (z, y, x); indices grow towards the patient's head (z), front (y) and right (x).
            What is not finite in the file is 0.
        spacing: millimetres between voxels along z, y and x.
        affine: (4, 4); voxel indices (x, y, z, 1) to millimetres towards right, front and head.
        n_times: volumes in the file; more than 1 for a series over time or direction.
    """

    values: NDArray[np.float32]
    spacing: tuple[float, float, float]
    affine: NDArray[np.float64]
    n_times: int = 1


def read_volume(path: Path, *, time: int = 0) -> Volume:
    """Read a NIfTI file, zipped or not, and turn it to RAS+ order.

    Oblique scans are turned to the nearest axes and not resampled.

    `time` is the volume of a series (a fourth dimension), from 0.

    Raises:
        InputFileError: if the file is no NIfTI, is cut short, holds colours or complex numbers,
            has more than four dimensions, or more than `MAX_VOXELS` voxels.
    """
    with decoding(path, "NIfTI volume"), _opened(path) as image:
        _check_header(path, image)
        n_times = image.shape[3] if len(image.shape) == 4 else 1
        if not 0 <= time < n_times:
            raise InputFileError(path, f"the series has {n_times} volumes", place=f"time {time}")
        return _volume(_one_time(image, time), n_times)


def volume_shape(path: Path) -> tuple[int, int, int]:
    """Count the slices along x, y and z that `read_volume` would give; no voxel is read.

    Raises:
        InputFileError: as `read_volume`.
    """
    with decoding(path, "NIfTI volume"), _opened(path) as image:
        _check_header(path, image)
        stored = (*(int(n) for n in image.shape[:3]), 1)[:3]
        # Which of x, y and z each stored axis comes to lie nearest to.
        axes = require("nibabel").io_orientation(image.affine)[:, 0].astype(int).tolist()
        x, y, z = (stored[axes.index(axis)] for axis in range(3))
        return x, y, z


def read_slice(path: Path, axis: int, index: int, time: int = 0) -> NDArray[np.uint8]:
    """Show one slice of a volume, grey in RGB, with square pixels.

    Display follows radiological convention. Axial (axis 2): from below, the patient's right on the
    left, front at the top. Coronal (axis 1): from the front, the patient's right on the left, head
    at the top. Sagittal (axis 0): front on the left, head at the top.

    Values are windowed once per volume: computed tomography, told by values below -500, from -160
    to 240 Hounsfield units; anything else from its 0.5th to its 99.5th percentile.

    `axis` is 0, 1 or 2 of (x, y, z); `index` counts from 0 at the patient's left, back or feet.

    Raises:
        InputFileError: as `read_volume`, or if there is no such slice.
    """
    if axis not in (0, 1, 2):
        raise InputFileError(path, f"a volume has the axes 0, 1 and 2, and not {axis!r}")
    status = _status(path)
    grey, spacing = _windowed(path, time, status.st_mtime_ns, status.st_size)
    position = 2 - axis
    n_slices = grey.shape[position]
    if not 0 <= index < n_slices:
        raise InputFileError(
            path, f"the volume has {n_slices} slices", place=f"slice {index} of axis {axis}"
        )
    plane = np.take(grey, index, axis=position)[::-1, ::-1]
    height, width = (mm for dimension, mm in enumerate(spacing) if dimension != position)
    return _square(path, plane, height, width)


def is_hounsfield(values: NDArray[np.float32]) -> bool:
    """Tell whether a volume looks like computed tomography: it holds air, and no giant value."""
    return bool(values.size and values.min() < _AIR and values.max() < 32_768)


@lru_cache(maxsize=1)
def _windowed(
    path: Path, time: int, _modified: int, _size: int
) -> tuple[NDArray[np.uint8], tuple[float, float, float]]:
    """Keep the last volume in 8 bits: its slices are asked for one after another."""
    volume = read_volume(path, time=time)
    low, high = _window(volume.values)
    grey = np.empty(volume.values.shape, dtype=np.uint8)
    for layer, values in zip(grey, volume.values, strict=True):
        layer[:] = np.round((np.clip(values, low, high) - low) * (255 / (high - low)))
    return grey, volume.spacing


def _window(values: NDArray[np.float32]) -> tuple[float, float]:
    if is_hounsfield(values):
        return _SOFT_TISSUE
    # A percentile of a million values is that of them all, and their sorting is not.
    sample = values.ravel()[:: max(1, values.size // 1_000_000)]
    low, high = (float(value) for value in np.percentile(sample, _PERCENTILES))
    if high > low:
        return low, high
    low, high = float(values.min()), float(values.max())
    return (low, high) if high > low else (low, low + 1.0)


def _square(path: Path, plane: NDArray[np.uint8], height: float, width: float) -> NDArray[np.uint8]:
    """Stretch a slice so that a millimetre is as long downwards as across."""
    pixel = min(height, width)
    rows, columns = round(plane.shape[0] * height / pixel), round(plane.shape[1] * width / pixel)
    check_size(path, columns, rows)
    if (rows, columns) != plane.shape:
        image = require("PIL.Image")
        scaled = image.fromarray(np.ascontiguousarray(plane)).resize(
            (columns, rows), image.Resampling.BILINEAR
        )
        plane = np.asarray(scaled)
    return np.repeat(plane[:, :, None], 3, axis=2)


def _status(path: Path) -> Any:
    with decoding(path, "NIfTI volume"):
        return path.stat()


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """Open a NIfTI image by content; its values are read on demand, while it is open."""
    nibabel = require("nibabel")
    unzip = gzip.open if _is_zipped(path) else open
    with cast("IO[bytes]", unzip(path, "rb")) as stream:
        head = stream.read(1024)
        if not is_nifti_header(head):
            raise InputFileError(path, "is not a NIfTI file; expected .nii or .nii.gz")
        if head[344:348] == b"ni1\0" or head[4:8] == b"ni2\0":
            raise InputFileError(
                path, "is one half of a pair of .hdr and .img; save the scan as one .nii file"
            )
        second = head[4:8] == b"n+2\0"
        kind = nibabel.Nifti2Image if second else nibabel.Nifti1Image
        with _unsaid(nibabel.imageglobals.logger):
            # Of the first bytes alone: extensions may inflate to more than the memory.
            header = kind.header_class(head[: kind.header_class.sizeof_hdr])
            values = kind.ImageArrayProxy(stream, header)
            yield kind(values, header.get_best_affine(), header)


@contextmanager
def _unsaid(logger: logging.Logger) -> Iterator[None]:
    """Keep what nibabel mends in a header from being printed; errors are raised all the same."""
    before, logger.disabled = logger.disabled, True
    try:
        yield
    finally:
        logger.disabled = before


def _check_header(path: Path, image: Any) -> None:
    """Refuse what cannot be shown, or is too large, before any voxel is read."""
    shape, kind = image.shape, image.get_data_dtype()
    if kind.kind not in "iuf":
        raise InputFileError(path, f"holds values of type {kind}; expected plain numbers")
    if not 2 <= len(shape) <= 4 or min(shape) < 1:
        raise InputFileError(path, f"has shape {shape}; expected two to four dimensions")
    n_voxels = int(np.prod([int(n) for n in shape[:3]]))
    if n_voxels > MAX_VOXELS:
        raise InputFileError(
            path, f"has {n_voxels:,} voxels, more than the {MAX_VOXELS:,} that are read at once"
        )
    promised = n_voxels * kind.itemsize * (shape[3] if len(shape) == 4 else 1)
    stored = path.stat().st_size
    if promised > stored * _MAX_RATIO or (promised > stored and not _is_zipped(path)):
        raise InputFileError(
            path, f"its header promises {promised:,} bytes of values, but it has {stored:,}"
        )


def _is_zipped(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(2) == b"\x1f\x8b"


def _one_time(image: Any, time: int) -> Any:
    if len(image.shape) == 4:
        return image.slicer[..., time]
    if len(image.shape) == 2:
        values = np.asarray(image.dataobj)[:, :, None]
        return type(image)(values, image.affine)
    return image


def _volume(image: Any, n_times: int) -> Volume:
    nibabel = require("nibabel")
    upright = nibabel.as_closest_canonical(image)
    values = np.nan_to_num(
        upright.get_fdata(dtype=np.float32, caching="unchanged"),
        copy=False, nan=0.0, posinf=0.0, neginf=0.0,
    )  # fmt: skip
    x, y, z = (float(mm) for mm in nibabel.affines.voxel_sizes(upright.affine))
    # A header without spacing, or with a nonsensical one, gives cubes of one millimetre.
    sizes = (z, y, x) if all(0.001 < mm < 1_000 for mm in (x, y, z)) else (1.0, 1.0, 1.0)
    affine = np.asarray(upright.affine, dtype=np.float64)
    return Volume(np.ascontiguousarray(values.T), sizes, affine, n_times)
