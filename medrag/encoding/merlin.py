"""A scan as Merlin was trained to see it: turned, resampled, scaled, and cut to size.

Every step is a function of arrays, in the order (x, y, z) that NIfTI files are stored in; no file
is read, and nothing is given to the model, which the package `merlin-vlm` of its authors runs.

From the published code (MONAI transforms of the repository `louisblankemeier/Merlin`, now
`StanfordMIMI/Merlin`): RAS, 1.5 x 1.5 x 3 mm by linear interpolation, -1000..1000 Hounsfield units
to 0..1 with clipping, padding to and then a central crop of 224 x 224 x 160, in this order; padding
is 0, as air is. Not certain, because it is MONAI's and was not run beside it: that the first voxel
keeps its place in resampling, how many voxels are left, and on which side an odd voxel is cut.

Source:
    Blankemeier et al., "Merlin: A Vision Language Foundation Model for 3D Computed Tomography",
    2024 (arXiv:2406.06512).
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from medrag.extras import require

Spacing = tuple[float, float, float]
Shape = tuple[int, int, int]

SPACING: Spacing = (1.5, 1.5, 3.0)
HOUNSFIELD = (-1000.0, 1000.0)
SHAPE: Shape = (224, 224, 160)


class Oriented(NamedTuple):
    """Voxels (x, y, z), and the matrix (4, 4) from their indices to millimetres."""

    values: NDArray[np.float32]
    affine: NDArray[np.float64]


def merlin_input(values: NDArray[np.float32], affine: NDArray[np.float64]) -> NDArray[np.float32]:
    """Prepare a scan for Merlin.

    Args:
        values: (x, y, z) Hounsfield units, in any orientation that the affine tells.
        affine: (4, 4), voxel indices to millimetres towards right, front and head.

    Returns:
        (224, 224, 160) in [0, 1], indices growing towards right, front and head; the model takes
        it with two dimensions of size 1 before.

    Raises:
        ValueError: if the scan is not of three dimensions, or the affine cannot be turned back.
    """
    upright = to_ras(values, affine)
    coarse = resampled(upright.values, spacing_of(upright.affine))
    return fitted(scaled(coarse))


def to_ras(values: NDArray[np.float32], affine: NDArray[np.float64]) -> Oriented:
    """Turn a scan so that its indices grow towards right, front and head.

    Axes are swapped and flipped, not resampled: an oblique scan comes to its nearest axes.

    Raises:
        ValueError: as `merlin_input`.
    """
    if values.ndim != 3:
        raise ValueError(f"a scan has three dimensions (x, y, z), got shape {values.shape}")
    if affine.shape != (4, 4) or not np.isfinite(affine).all():
        raise ValueError(f"an affine is a finite 4 x 4 matrix, got {affine.tolist()}")
    if abs(np.linalg.det(affine[:3, :3])) < 1e-9:
        raise ValueError("the affine puts the voxels of the scan on a plane; its header is broken")
    orientations = require("nibabel.orientations")
    turn = orientations.io_orientation(affine)
    turned = orientations.apply_orientation(values, turn)
    return Oriented(turned, affine @ orientations.inv_ornt_aff(turn, values.shape))


def spacing_of(affine: NDArray[np.float64]) -> Spacing:
    """Give the millimetres between voxels along x, y and z."""
    x, y, z = np.linalg.norm(affine[:3, :3], axis=0).tolist()
    return x, y, z


def resampled(
    values: NDArray[np.float32], spacing: Spacing, target: Spacing = SPACING
) -> NDArray[np.float32]:
    """Change the distance of voxels, by linear interpolation along each axis.

    The first voxel keeps its place; along an axis of n voxels round((n - 1) * old / new) + 1 are
    left, and beyond the last voxel its value goes on.

    Args:
        values: (x, y, z).
        spacing: millimetres between voxels, above 0.
        target: likewise, of the result.

    Raises:
        ValueError: if a distance is not above 0.
    """
    if min(*spacing, *target) <= 0 or not np.isfinite((*spacing, *target)).all():
        raise ValueError(f"millimetres must be above 0, got {spacing} and {target}")
    found = np.asarray(values, dtype=np.float32)
    # The axis that shrinks most goes first: what follows has less to do.
    for axis in sorted(range(3), key=lambda axis: spacing[axis] / target[axis]):
        found = _along(found, axis, target[axis] / spacing[axis])
    return found


def scaled(
    values: NDArray[np.float32], window: tuple[float, float] = HOUNSFIELD
) -> NDArray[np.float32]:
    """Map a window of Hounsfield units to 0..1; what lies outside becomes 0 or 1."""
    low, high = window
    clipped = np.clip(values, low, high).astype(np.float32)
    return (clipped - np.float32(low)) / np.float32(high - low)


def fitted(values: NDArray[np.float32], shape: Shape = SHAPE) -> NDArray[np.float32]:
    """Pad with zeros to a size, then cut the middle out.

    Of an odd number of voxels to add, the one more comes behind; of a cut, index n // 2 of the
    scan becomes index m // 2 of the result.

    Args:
        values: (x, y, z).
        shape: of the result.
    """
    for axis, wanted in enumerate(shape):
        n = values.shape[axis]
        if n > wanted:
            start = n // 2 - wanted // 2
            values = np.take(values, np.arange(start, start + wanted), axis=axis)
        elif n < wanted:
            edges = [(0, 0)] * 3
            edges[axis] = ((wanted - n) // 2, wanted - n - (wanted - n) // 2)
            values = np.pad(values, edges)
    return values


def _along(values: NDArray[np.float32], axis: int, step: float) -> NDArray[np.float32]:
    """Take values every `step` voxels along an axis, between neighbours in proportion."""
    n = values.shape[axis]
    # Python rounds halves to even, as NumPy does.
    n_left = round((n - 1) / step) + 1
    if step == 1.0:
        return values
    places = np.minimum(np.arange(n_left) * step, n - 1)
    before = places.astype(np.int64)
    after = np.minimum(before + 1, n - 1)
    share = (places - before).astype(np.float32).reshape([-1 if a == axis else 1 for a in range(3)])
    first: NDArray[np.float32] = np.take(values, before, axis=axis)
    # In place: a scan of 512 x 512 x 600 is 600 MB, and needs no third copy.
    first += share * (np.take(values, after, axis=axis) - first)
    return first
