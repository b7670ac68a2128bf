"""Pictures as vectors without any weights: the floor that every trained encoder must beat."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medrag.encoding.pictures import asked_pictures, encodes_pictures, pictures_of
from medrag.encoding.rows import unit
from medrag.extras import require
from medrag.images import read_image
from medrag.protocols import Side
from medrag.records import Embeddings, ImageRef, Passage, Question

_SIDE = 128
_GRID = 4
_ORIENTATIONS = 8
_PATTERNS = 10
_LIGHTNESS_BINS = 8
_COLOUR_BINS = 8
# A figure in a PDF is reduced to 128 pixels here; more dots per inch would only take longer.
_DPI = 72
_CELLS = _GRID * _GRID
_D = _CELLS * (_ORIENTATIONS + _PATTERNS + _LIGHTNESS_BINS) + _COLOUR_BINS**2


class DescriptorEncoder:
    """Shape, texture, light and colour of a picture in 480 numbers, by scikit-image.

    The picture is averaged to 128 x 128 pixels and cut into 4 x 4 cells: edge directions (HOG) and
    uniform local binary patterns, which look at grey values, and a histogram of lightness per
    cell; a histogram of colour (a*, b* of CIELAB) over the whole. Each of the four weighs the same;
    histograms enter by their square roots, so that a dot product compares them as Hellinger's
    distance does. It finds pictures of the same kind and layout; it knows nothing of findings.

    A passage has one vector for each of its pictures, a question one: the mean of those of its
    pictures, made unit length.

    Source:
        Dalal & Triggs, CVPR 2005 (HOG); Ojala et al., TPAMI 24(7), 2002 (local binary patterns);
        Arandjelovic & Zisserman, CVPR 2012 (square roots).
    """

    name = "descriptor-1/hog8+lbp8+lightness8-4x4+ab8x8/box128/dpi72"
    normalised = True

    def encodes(self, passage: Passage) -> bool:
        """Tell whether a passage is about its picture. Whole pages are not: text fills them."""
        return encodes_pictures(passage)

    def encode_passages(self, passages: Sequence[Passage]) -> Embeddings:
        """Encode every picture of each passage.

        Raises:
            InputFileError: naming the first picture that cannot be read.
            ValueError: if a passage has no picture.
        """
        each = [pictures_of(passage) for passage in passages]
        rows = [_vector(image) for images in each for image in images]
        return _embeddings(rows, [len(images) for images in each])

    def encode_questions(self, questions: Sequence[Question], side: Side) -> Embeddings:
        """Encode the pictures of each question, as one vector.

        Raises:
            InputFileError: naming the first picture that cannot be read.
            ValueError: if a question has no picture, or its text is asked for.
        """
        if side != "image":
            raise ValueError(f"side must be 'image', got {side!r}; the descriptor reads no text")
        each = [asked_pictures(question) for question in questions]
        rows = [unit(np.mean([_vector(image) for image in images], axis=0)) for images in each]
        return _embeddings(rows, [1] * len(rows))


def _embeddings(rows: Sequence[NDArray[np.float64]], lengths: Sequence[int]) -> Embeddings:
    values = np.array(rows, dtype=np.float32).reshape(-1, _D)
    return Embeddings(values, np.array(lengths, dtype=np.int32))


def _vector(image: ImageRef) -> NDArray[np.float64]:
    return _descriptor(image) if image.sha256 is None else _vector_of_named(image)


# The cases of one file share pictures: five or ten questions each, one after the other.
@lru_cache(maxsize=512)
def _vector_of_named(image: ImageRef) -> NDArray[np.float64]:
    return _descriptor(image)


def _descriptor(image: ImageRef) -> NDArray[np.float64]:
    pillow, feature = require("PIL.Image"), require("skimage.feature")
    pixels = read_image(image, dpi=_DPI)
    small = pillow.fromarray(pixels).resize((_SIDE, _SIDE), pillow.Resampling.BOX)
    grey = np.asarray(small.convert("L"))
    edges = feature.hog(
        grey,
        orientations=_ORIENTATIONS,
        pixels_per_cell=(_SIDE // _GRID, _SIDE // _GRID),
        cells_per_block=(1, 1),
    )
    patterns = feature.local_binary_pattern(grey, _PATTERNS - 2, 1, "uniform")
    # Colour is coarse to the eye as well: every second pixel tells it.
    lab = require("skimage.color").rgb2lab(np.asarray(small)[::2, ::2])
    lightness = np.minimum(lab[..., 0] * (_LIGHTNESS_BINS / 100), _LIGHTNESS_BINS - 1)
    parts = (
        edges,
        np.sqrt(_cell_histograms(patterns.astype(np.int64), _PATTERNS)),
        np.sqrt(_cell_histograms(lightness.astype(np.int64), _LIGHTNESS_BINS)),
        np.sqrt(_colours(lab)),
    )
    # A part that says nothing (edges of a blank picture) stays zero.
    return unit(np.concatenate([unit(part) for part in parts]))


def _cell_histograms(labels: NDArray[np.int64], bins: int) -> NDArray[np.float64]:
    """Count labels 0..bins-1 in each cell of the grid, row by row."""
    side = labels.shape[0] // _GRID
    cell = np.arange(labels.shape[0]) // side
    places = (cell[:, None] * _GRID + cell[None, :]) * bins + labels
    return np.bincount(places.ravel(), minlength=_CELLS * bins).astype(np.float64)


def _colours(lab: NDArray[Any]) -> NDArray[np.float64]:
    """Count a* and b*, each in -64..64 by steps of 16, which hold the colours of tissue."""
    steps = np.clip((lab[..., 1:] + 64) / 16, 0, _COLOUR_BINS - 1).astype(np.int64)
    places = steps[..., 0] * _COLOUR_BINS + steps[..., 1]
    return np.bincount(places.ravel(), minlength=_COLOUR_BINS**2).astype(np.float64)
