"""Pictures of every kind as RGB pixels, volumes, hashes of pixels, and paths that stay inside.

Nothing here imports torch or scikit-image; Pillow, pydicom, nibabel and PyMuPDF are imported with
the first picture that needs them.
"""

from medrag.images.document import kept_open, page_size
from medrag.images.formats import format_of
from medrag.images.hashing import hamming, perceptual_hash, pixel_sha256
from medrag.images.limits import MAX_PIXELS, MAX_VOXELS
from medrag.images.parts import asked_parts, parts_of, spread
from medrag.images.paths import resolved, within
from medrag.images.reading import identified, read_image
from medrag.images.volume import Volume, read_volume, volume_shape

__all__ = [
    "MAX_PIXELS",
    "MAX_VOXELS",
    "Volume",
    "asked_parts",
    "format_of",
    "hamming",
    "identified",
    "kept_open",
    "page_size",
    "parts_of",
    "perceptual_hash",
    "pixel_sha256",
    "read_image",
    "read_volume",
    "resolved",
    "spread",
    "volume_shape",
    "within",
]
