"""Another picture in the place of a picture: one of an index that is least like it."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from medrag.alignment.corruption.drawing import Picture, check_picture
from medrag.alignment.corruption.files import write_picture
from medrag.alignment.noise import Noise
from medrag.errors import MedragError
from medrag.extras import require
from medrag.images import read_image, resolved
from medrag.protocols import Library, VectorChannel
from medrag.records import Embeddings, Filter, ImageRef, Passage, Question
from medrag.retrieval.guarding import guarded

Floats = NDArray[np.float32]
# Questions that are compared with the whole index at a time, and rows of it.
_QUESTIONS, _ROWS = 64, 4096


class Shelf(Library, Protocol):
    """All passages of an index, and where the files of its corpora lie."""

    def corpus_root(self, corpus: str) -> Path: ...


class UnrelatedPictures:
    """Find pictures of an index that are least like those of a question.

    A picture of the question's own patient, study or picture is never taken, nor what `allow`
    keeps out. Likeness is the cosine of vectors of the channel; of several vectors of a passage
    or a question, the largest. Of a passage with a vector for each picture, its least like picture
    is taken, else its first.

    Args:
        channel: of vectors, asked with pictures.
        library: of the same index, such as its store.
        allow: what may be taken.
        among: so many of the least like are drawn from. With 1, as in the paper, a single odd
            picture may stand for half of a data set, and be learnt as a sign.
        seed: of the draw; each question's depends on its text and pictures too.

    Raises:
        ValueError: if the channel has no vectors or is not asked with pictures, or a number is out
            of range.

    Source:
        MMed-RAG, arXiv 2410.13085: the picture of the lowest similarity, with diffusion noise.
    """

    def __init__(
        self,
        *,
        channel: VectorChannel,
        library: Shelf,
        allow: Filter = Filter(),  # noqa: B008 - frozen
        among: int = 10,
        seed: int = 0,
    ) -> None:
        if not getattr(channel, "has_vectors", False) or channel.side != "image":
            raise ValueError("the channel must have vectors and be asked with pictures")
        if among < 1 or seed < 0:
            raise ValueError(f"among must be at least 1 and seed 0, got {among} and {seed}")
        self.channel = channel
        self.library = library
        self.allow = allow
        self.among = among
        self.seed = seed

    def pick(self, questions: Sequence[Question]) -> list[ImageRef]:
        """Give for each question a picture that is least like its own.

        Args:
            questions: prepared, each with a picture.

        Returns:
            One for each, its path absolute.

        Raises:
            ValueError: if a question has no picture.
            MedragError: if the index has no other picture for a question.
        """
        for question in questions:
            if not question.images:
                raise ValueError(f"question {question.id or question.text!r} has no picture")
        starts = range(0, len(questions), _QUESTIONS)
        parts = [self._picked(questions[start : start + _QUESTIONS]) for start in starts]
        return [picture for part in parts for picture in part]

    def _picked(self, questions: Sequence[Question]) -> list[ImageRef]:
        asked = self.channel.encoder.encode_questions(questions, "image")
        lowest = [_Lowest(self.among) for _ in questions]
        masks = [self.library.row_mask(guarded(each, self.allow)) for each in questions]
        for rows, vectors in self._blocks():
            likeness = _largest(vectors, asked)
            for place, mask in enumerate(masks):
                allowed = mask[rows]
                lowest[place].add(rows[allowed], likeness[allowed, place])
        vectors_of = [_of(asked, place) for place in range(len(questions))]
        return [self._drawn(*each) for each in zip(questions, lowest, vectors_of, strict=True)]

    def _blocks(self) -> Iterator[tuple[NDArray[np.int64], Embeddings]]:
        """Give the rows that have a picture and a vector, with their vectors."""
        for start in range(0, len(self._pictured), _ROWS):
            rows = self._pictured[start : start + _ROWS]
            vectors = self.channel.vectors_at(rows.tolist())
            has_vector = vectors.lengths > 0
            if has_vector.any():
                yield rows[has_vector], Embeddings(vectors.values, vectors.lengths[has_vector])

    @cached_property
    def _pictured(self) -> NDArray[np.int64]:
        found = self.library.passages_where(self.allow)
        return np.array([row for row, passage in found if passage.images], dtype=np.int64)

    def _drawn(self, question: Question, lowest: "_Lowest", asked: Floats) -> ImageRef:
        if not lowest.rows:
            raise MedragError(
                f"the index has no picture for question {question.id or question.text!r} that is "
                "not of its own patient, study or picture; index more, or allow more of it"
            )
        named = [image.sha256 or image.path for image in question.images
                 if isinstance(image, ImageRef)]  # fmt: skip
        words = "\n".join([question.text, *named]).encode("utf-8", "surrogatepass")
        draw = np.random.default_rng([self.seed, *words])
        row = lowest.rows[int(draw.integers(len(lowest.rows)))]
        [passage] = self.library.passages_at([row])
        return self._least_like(passage, row, asked)

    def _least_like(self, passage: Passage, row: int, asked: Floats) -> ImageRef:
        passage = resolved(passage, self.library.corpus_root(passage.source.corpus))
        values = _unit(self.channel.vectors_at([row]).values)
        if len(values) != len(passage.images):
            return passage.images[0]
        return passage.images[int((values @ asked.T).max(axis=1).argmin())]


def swap_unrelated(picture: Picture, other: Picture) -> Picture:
    """Put another picture in the place of a picture, in its size.

    The middle of the other one is cut to the proportions of the first and scaled bilinearly, so
    that neither size nor a border tells the two apart.

    Args:
        picture, other: (h, w, 3) RGB; not changed.

    Returns:
        (h, w, 3) RGB, h and w those of `picture`.

    Raises:
        ValueError: if both are one picture.
    """
    check_picture(picture)
    check_picture(other)
    if np.array_equal(picture, other):
        raise ValueError("other is the picture itself; name the file of another one")
    (height, width), (tall, wide) = picture.shape[:2], other.shape[:2]
    across, down = min(wide, tall * width / height), min(tall, wide * height / width)
    left, top = (wide - across) / 2, (tall - down) / 2
    image = require("PIL.Image")
    scaled = image.fromarray(other).resize(
        (width, height), image.Resampling.BILINEAR, box=(left, top, left + across, top + down)
    )
    return np.array(scaled, dtype=np.uint8)


def swapping(noise: Noise, other: ImageRef, folder: Path) -> Noise:
    """Name the picture that a noise of kind "swap_unrelated" puts in.

    A part of a file (a page, a frame, a slice, a box) is written as a picture of its own.

    Args:
        other: with an absolute path.
        folder: for such parts.

    Raises:
        ValueError: if the noise is of another kind.
        InputFileError: if the part cannot be read.
        MedragError: if it cannot be written.
    """
    if noise.kind != "swap_unrelated":
        raise ValueError(f"kind must be swap_unrelated, got {noise.kind!r}")
    whole = ImageRef(other.path, sha256=other.sha256, phash=other.phash)
    if other != whole:
        other = write_picture(read_image(other), folder)
    return replace(noise, other=other.path)


def unrelated_noises(
    questions: Sequence[Question], *, pictures: UnrelatedPictures, noise: Noise, folder: Path
) -> list[Noise]:
    """Name for each question the picture that is swapped in; see `UnrelatedPictures.pick`.

    Args:
        noise: of kind "swap_unrelated"; its seed, and the noise that it adds, are kept.
        folder: for parts of files; see `swapping`.
    """
    return [swapping(noise, other, folder) for other in pictures.pick(questions)]


class _Lowest:
    """The rows of the n least scores seen, ascending; equal ones by row."""

    def __init__(self, n: int) -> None:
        self.n = n
        self.rows: list[int] = []
        self._scores = np.zeros(0, dtype=np.float32)

    def add(self, rows: NDArray[np.int64], scores: Floats) -> None:
        joined = np.concatenate([self._scores, scores])
        names = np.concatenate([np.array(self.rows, dtype=np.int64), rows])
        order = np.lexsort((names, joined))[: self.n]
        self.rows, self._scores = names[order].tolist(), joined[order]


def _largest(vectors: Embeddings, asked: Embeddings) -> Floats:
    """Give the largest cosine of the vectors of each row and each question; (n_rows, n_asked)."""
    cosines = _unit(vectors.values) @ _unit(asked.values).T
    by_row = np.maximum.reduceat(cosines, _starts(vectors.lengths), axis=0)
    largest: Floats = np.maximum.reduceat(by_row, _starts(asked.lengths), axis=1)
    return largest


def _of(asked: Embeddings, place: int) -> Floats:
    start = int(_starts(asked.lengths)[place])
    return _unit(asked.values[start : start + int(asked.lengths[place])])


def _starts(lengths: NDArray[np.int32]) -> NDArray[np.int64]:
    return np.concatenate(([0], np.cumsum(lengths[:-1], dtype=np.int64)))


def _unit(values: Floats) -> Floats:
    norms = np.linalg.norm(values, axis=1, keepdims=True)
    unit: Floats = np.divide(values, norms, out=np.zeros_like(values), where=norms > 0)
    return unit
