"""A scan, a clip or a handful of pictures as one vector: the mean of its slices."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np

from medrag.encoding.pictures import asked_pictures, pictures_of
from medrag.encoding.rows import means, unit
from medrag.images import parts_of
from medrag.protocols import Encoder, Side
from medrag.records import Embeddings, ImageRef, Passage, Question

# Part of the encoder's name: raise it when the rule changes.
_RULE = "volume-1"


class VolumeEncoder:
    """Everything that one passage or question shows, in the space of an encoder of pictures.

    Its pictures are encoded one by one; the mean of their unit vectors, made unit, stands for all
    of them: for one picture its own vector, for a clip its frames, for a scan its slices. The
    passages of scans come from ingestors that keep a scan together (`volume: true` of nifti and
    dicom); reports and cases with several pictures fit as they are. A picture that names a whole
    scan or clip (a NIfTI file without a slice, a file of many frames without a frame) counts as
    `n` of its slices or frames.

    Args:
        slices: encodes single pictures; also texts, if they are asked for.
        n: slices of a whole scan or frames of a clip, the middles of as many equal stretches.
        axis: of (x, y, z) along which a scan is cut; 2 gives axial slices.
    """

    normalised = True

    def __init__(self, *, slices: Encoder, n: int = 16, axis: int = 2) -> None:
        if n < 1:
            raise ValueError(f"n must be at least 1, got {n}")
        if axis not in (0, 1, 2):
            raise ValueError(f"axis must be 0, 1 or 2 (x, y, z), got {axis}")
        if getattr(slices, "late_interaction", False):
            raise ValueError("slices must give one vector for a picture, not one for each patch")
        self.slices = slices
        self.n = n
        self.axis = axis

    @property
    def name(self) -> str:
        """The rule, and the name of the encoder of pictures."""
        return f"{_RULE}/mean/{self.n} along axis {self.axis}/{self.slices.name}"

    @property
    def numerics(self) -> str:
        """Those of the encoder of pictures, as far as it tells."""
        return str(getattr(self.slices, "numerics", "cpu float64"))

    def encodes(self, passage: Passage) -> bool:
        """Tell whether a passage has pictures that the encoder of pictures takes."""
        return bool(passage.images) and self.slices.encodes(passage)

    def encode_passages(self, passages: Sequence[Passage]) -> Embeddings:
        """Encode all pictures of each passage, as one vector.

        Raises:
            InputFileError: naming the first picture that cannot be read.
            ValueError: if a passage has no picture.
        """
        shown = [
            [replace(passage, images=(image,)) for image in self._single(pictures_of(passage))]
            for passage in passages
        ]
        return _means(shown, self.slices.encode_passages)

    def encode_questions(self, questions: Sequence[Question], side: Side) -> Embeddings:
        """Encode all pictures of each question, or its text, as one vector.

        Raises:
            InputFileError: naming the first picture that cannot be read.
            ValueError: if a question has no picture, and that side is asked for.
        """
        if side == "text":
            asked = [[question] for question in questions]
            return _means(asked, lambda flat: self.slices.encode_questions(flat, "text"))
        shown = [
            [replace(question, images=(image,)) for image in self._single(asked_pictures(question))]
            for question in questions
        ]
        return _means(shown, lambda flat: self.slices.encode_questions(flat, "image"))

    def _single(self, refs: Sequence[ImageRef]) -> list[ImageRef]:
        """Name every single picture; a whole scan or clip as some of its slices or frames."""
        return [part for ref in refs for part in parts_of(ref, self.n, axis=self.axis)]


_One = TypeVar("_One")


def _means(
    shown: Sequence[Sequence[_One]], encode: Callable[[Sequence[_One]], Embeddings]
) -> Embeddings:
    """Encode what is shown of each input, and average its unit vectors to one of unit length."""
    found = encode([each for several in shown for each in several])
    # A picture may have several vectors: count them for each input.
    ends = np.cumsum([0, *found.lengths])[np.cumsum([0, *map(len, shown)])]
    lengths = np.diff(ends).astype(np.int32)
    return means(Embeddings(unit(found.values), lengths), normalised=True)
