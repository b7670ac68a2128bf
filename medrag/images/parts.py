"""The slices of a scan and the frames of a clip, by reference."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from medrag.images.dicom import n_frames, read_dataset
from medrag.images.formats import format_of
from medrag.images.limits import decoding
from medrag.images.raster import raster_frames
from medrag.images.reading import identified, read_image
from medrag.images.volume import volume_shape
from medrag.records import ImageRef

_ASKED = 8


def parts_of(ref: ImageRef, n: int, *, axis: int = 2) -> tuple[ImageRef, ...]:
    """Name the single pictures that a reference stands for; no pixel is decoded.

    A NIfTI file without a slice becomes slices along `axis` (of x, y and z), a file of many frames
    (DICOM, TIFF, GIF) without a frame becomes frames; any other reference is itself.

    Args:
        ref: with an absolute path.
        n: parts at most: the middles of as many equal stretches.

    Raises:
        InputFileError: if the file cannot be read.
    """
    if ref.page is not None or ref.slice is not None:
        return (ref,)
    path = Path(ref.path)
    with decoding(path, "picture"):
        kind = format_of(path)
    bare = replace(ref, sha256=None, phash=None)
    if kind == "nifti":
        chosen = spread(volume_shape(path)[axis], n)
        return tuple(replace(bare, axis=axis, slice=index) for index in chosen)
    if ref.frame is not None or kind not in ("dicom", "raster"):
        return (ref,)
    if kind == "dicom":
        # Not in the library's words, which quote what stands in the header.
        with decoding(path, "DICOM file", quoted=False):
            total = n_frames(read_dataset(path))
    else:
        total = raster_frames(path)
    if total == 1:
        return (ref,)
    return tuple(replace(bare, frame=index) for index in spread(total, n))


def asked_parts(ref: ImageRef) -> tuple[ImageRef, ...]:
    """Identify what a question shows: a picture, the slices of a scan, or the frames of a clip.

    A NIfTI file without a slice and a DICOM file of many frames without a frame stand for the 8
    parts that ingestion takes of them by default, so that a scan finds its own; blank ones are left
    out.

    Args:
        ref: with an absolute path.

    Raises:
        InputFileError: if the file cannot be read.
    """
    path = Path(ref.path)
    with decoding(path, "picture"):
        kind = format_of(path)
    if kind not in ("nifti", "dicom") or (ref.sha256 and ref.phash):
        return (identified(ref),)
    named, filled = [], []
    for part in parts_of(ref, _ASKED):
        pixels = read_image(part)
        named.append(identified(part, pixels))
        if np.ptp(pixels) > 0:
            filled.append(named[-1])
    return tuple(filled or named)


def spread(n: int, at_most: int) -> list[int]:
    """Choose indices of 0..n-1: all of them, or the middles of `at_most` equal stretches."""
    if n <= at_most:
        return list(range(n))
    return [(2 * i + 1) * n // (2 * at_most) for i in range(at_most)]
