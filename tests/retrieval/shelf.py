"""A library of a few passages in memory, and channels and retrievers over it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medrag.protocols import Side
from medrag.records import (
    Embeddings,
    Filter,
    Hit,
    ImageRef,
    Kind,
    Part,
    Passage,
    Question,
    Region,
    Retrieved,
    ScoredRow,
    Source,
    Usage,
)

SOURCE = Source("corpus", "book.pdf", "0" * 64)


def passage(
    name: str,
    text: str = "",
    *,
    kind: Kind = "text",
    page: int | None = None,
    fields: Mapping[str, Any] | None = None,
    image: str | None = None,
    **source: Any,
) -> Passage:
    regions = () if page is None else (Region(page),)
    images = () if image is None else (ImageRef(f"{image}.png", sha256=image),)
    where = replace(SOURCE, regions=regions, **source)
    return Passage(name, kind, text or ("" if images else name), where, images, fields or {})


class Shelf:
    """Passages by row, as an index gives them."""

    def __init__(self, *passages: Passage) -> None:
        self.passages = passages

    def passages_at(self, rows: Sequence[int]) -> list[Passage]:
        return [self.passages[row] for row in rows]

    def row_of(self, passage_id: str) -> int | None:
        return next((n for n, each in enumerate(self.passages) if each.id == passage_id), None)

    def row_mask(self, wanted: Filter) -> NDArray[np.bool_]:
        return np.array([allows(wanted, each) for each in self.passages], dtype=np.bool_)

    def passages_where(self, wanted: Filter) -> Iterator[tuple[int, Passage]]:
        return ((n, each) for n, each in enumerate(self.passages) if allows(wanted, each))


def allows(wanted: Filter, each: Passage) -> bool:
    """Tell whether a filter allows a passage, field by field."""
    source = each.source
    named = (
        (wanted.kinds, each.kind),
        (wanted.domains, source.domain),
        (wanted.corpora, source.corpus),
        (wanted.subjects, source.subject),
    )
    barred = (
        source.study in wanted.not_studies
        or source.subject in wanted.not_subjects
        or any(image.sha256 in wanted.not_images for image in each.images)
    )
    too_late = wanted.before is not None and not (source.time and source.time < wanted.before)
    return all(not names or name in names for names, name in named) and not barred and not too_late


class Listed:
    """A retriever that ranks rows of a shelf as a question's text lists them, best first."""

    def __init__(self, shelf: Shelf, *, part: str = "lexical", needs_image: bool = False) -> None:
        self.shelf = shelf
        self.part = part
        self.needs_image = needs_image
        self.asked: list[int] = []

    def retrieve(
        self, questions: Sequence[Question], k: int, filters: Sequence[Filter]
    ) -> list[list[Hit]]:
        self.asked.append(k)
        return [self._hits(q, k, f) for q, f in zip(questions, filters, strict=True)]

    def _hits(self, question: Question, k: int, wanted: Filter) -> list[Hit]:
        if self.needs_image and not question.images:
            return []
        rows = [int(word) for word in question.text.split() if word.isdigit()]
        mask = self.shelf.row_mask(wanted)
        kept = [row for row in rows if row < len(mask) and mask[row]][:k]
        return [
            Hit(each, 1 / n, n, question.text, {self.part: Part(n, 10.0 - n)})
            for n, each in enumerate(self.shelf.passages_at(kept), start=1)
        ]


class Telling(Listed):
    """The same, which asks a model and tells of it."""

    repeatable = False

    def retrieve_traced(
        self, questions: Sequence[Question], k: int, filters: Sequence[Filter]
    ) -> list[Retrieved]:
        return [
            Retrieved(tuple(hits), ({"step": "asked"},), Usage(3, 4, 0.5))
            for hits in self.retrieve(questions, k, filters)
        ]


class Vectors:
    """A channel of vectors that are given, whose encoder reads numbers off a question's text.

    An image's path holds its vector: "1,0.png".
    """

    name = "vectors"
    normalised = False

    def __init__(
        self,
        *vectors: Sequence[Sequence[float]],
        side: Side = "text",
        late_interaction: bool = False,
        reads: Sequence[Side] = ("text", "image"),
    ) -> None:
        self.vectors = [np.array(each or np.zeros((0, 2)), dtype=np.float32) for each in vectors]
        self.side: Side = side
        self.late_interaction = late_interaction
        self.reads = reads
        self.has_vectors = True

    @property
    def encoder(self) -> "Vectors":
        return self

    def vectors_at(self, rows: Sequence[int]) -> Embeddings:
        return packed([self.vectors[row] for row in rows])

    def encodes(self, passage: Passage) -> bool:
        return True

    def encode_passages(self, passages: Sequence[Passage]) -> Embeddings:
        return packed([vectors_in(str(each.images[0].path)) for each in passages])

    def encode_questions(self, questions: Sequence[Question], side: Side) -> Embeddings:
        if side not in self.reads:
            raise ValueError(f"this encoder is not asked by the side {side!r}")
        if side == "text":
            return packed([vectors_in(each.text) for each in questions])
        return packed([vectors_in(str(each.images[0])) for each in questions])

    def search(
        self, questions: Sequence[Question], k: int, filters: Sequence[Filter]
    ) -> list[list[ScoredRow]]:
        raise NotImplementedError


def vectors_in(text: str) -> NDArray[np.float32]:
    """Read "1,0;0,1" as two vectors."""
    rows = text.removesuffix(".png").split(";")
    return np.array([[float(n) for n in row.split(",")] for row in rows], dtype=np.float32)


def packed(each: Sequence[NDArray[np.float32]]) -> Embeddings:
    d = max((rows.shape[1] for rows in each if len(rows)), default=0)
    held = [rows for rows in each if len(rows)]
    values = np.concatenate([np.zeros((0, d), dtype=np.float32), *held])
    return Embeddings(values, np.array([len(rows) for rows in each], dtype=np.int32))


def ids(hits: Sequence[Hit]) -> list[str]:
    return [hit.passage.id for hit in hits]
