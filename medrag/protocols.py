"""What the parts of medrag promise each other. No base classes: shared code is a function.

Whatever meets a model takes a batch; whatever decides takes one question.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from medrag.records import (
    Answer,
    Embeddings,
    Filter,
    Generation,
    Hit,
    ImageRef,
    Passage,
    Prompt,
    Question,
    Retrieved,
    Routing,
    ScoredRow,
    Selection,
    Skipped,
    SparseEmbeddings,
    ToolResult,
)

Side = Literal["text", "image"]


class Ingestor(Protocol):
    """Read one file into passages.

    Raises `InputFileError` where the file counts whole or not at all and cannot be read; yields a
    `Skipped` for a part that was left out or, in a line format, could not be read.
    """

    def passages(self, path: Path) -> Iterator[Passage | Skipped]: ...


class Encoder(Protocol):
    """Turn passages and questions into vectors of one space.

    `name` identifies weights, revision, preprocessing, pooling and prompts: vectors of two names
    are never compared. Paths of the images of passages and questions are absolute. A batch may
    hold no input; the result then has no rows, but its dimension.

    Some classes also say `numerics` (device and data type in use, recorded with an index), and
    `late_interaction = True` where every vector of a question is to meet its own best match.
    """

    @property
    def name(self) -> str: ...
    @property
    def normalised(self) -> bool: ...
    def encodes(self, passage: Passage) -> bool:
        """Tell whether the encoder has anything to say about a passage (an image, a text)."""
        ...

    def encode_passages(self, passages: Sequence[Passage]) -> Embeddings: ...
    def encode_questions(self, questions: Sequence[Question], side: Side) -> Embeddings: ...


class SparseEncoder(Protocol):
    """Turn passages and questions into sparse vectors over one vocabulary; else as `Encoder`."""

    @property
    def name(self) -> str: ...
    @property
    def normalised(self) -> bool: ...
    def encodes(self, passage: Passage) -> bool: ...
    def encode_passages(self, passages: Sequence[Passage]) -> SparseEmbeddings: ...
    def encode_questions(self, questions: Sequence[Question], side: Side) -> SparseEmbeddings: ...


class Channel(Protocol):
    """One searchable side of an index, with its question-time encoder.

    One ranking per question: best first, equal scores by ascending row, at most k rows, only rows
    that the question's filter allows; empty where the channel cannot use the question (an image
    channel and a question without one).
    """

    def search(
        self, questions: Sequence[Question], k: int, filters: Sequence[Filter]
    ) -> list[list[ScoredRow]]: ...


class PassageRows(Protocol):
    """Give the passages that stand at rows of an index, in the order asked."""

    def passages_at(self, rows: Sequence[int]) -> list[Passage]: ...


class Library(PassageRows, Protocol):
    """All passages of an index by row, by id, and by filter."""

    def row_of(self, passage_id: str) -> int | None: ...
    def row_mask(self, wanted: Filter) -> NDArray[np.bool_]:
        """Tell for each row whether a filter allows it; (n_rows,), read-only."""
        ...

    def passages_where(self, wanted: Filter) -> Iterator[tuple[int, Passage]]: ...


@runtime_checkable
class VectorChannel(Channel, Protocol):
    """A channel of vectors that gives those of passages, for rerankers and selectors.

    `vectors_at` gives the vectors of rows in the order asked; a row without vectors has length 0.
    `encoder` and `side` are those of its questions. The channels of an index say by `has_vectors`
    whether they are such.
    """

    @property
    def has_vectors(self) -> bool: ...
    @property
    def encoder(self) -> Encoder: ...
    @property
    def side(self) -> Side: ...
    def vectors_at(self, rows: Sequence[int]) -> Embeddings: ...


class Retriever(Protocol):
    """Turn questions into rankings of passages, at most k each, ranks from 1 without gaps.

    Only passages that a question's filter allows are returned. A retriever that must not be asked
    twice for one answer (it asks a model, say) says `repeatable = False`; what the guard kept out
    of its rankings is then not looked for.
    """

    def retrieve(
        self, questions: Sequence[Question], k: int, filters: Sequence[Filter]
    ) -> list[list[Hit]]: ...


@runtime_checkable
class TracedRetriever(Protocol):
    """A retriever that tells how its rankings came about; a pipeline asks it so."""

    def retrieve_traced(
        self, questions: Sequence[Question], k: int, filters: Sequence[Filter]
    ) -> list[Retrieved]: ...


class Reranker(Protocol):
    """Order what was retrieved anew: the same hits, or fewer, with new scores and ranks."""

    def rerank(
        self, questions: Sequence[Question], rankings: Sequence[Sequence[Hit]]
    ) -> list[list[Hit]]: ...


class DomainClassifier(Protocol):
    """Tell which domain each question belongs to, by its pictures, its words, or what is said."""

    def classify(self, questions: Sequence[Question]) -> list[Routing]: ...


class Selector(Protocol):
    """Choose the hits worth reading; kept and dropped together are the ranking."""

    def select(self, question: Question, ranking: Sequence[Hit]) -> Selection: ...


class Generator(Protocol):
    """Answer prompts with text that cites evidence by [n] markers. One generation per prompt.

    A generator that never looks at the pictures of a prompt says `looks = False`.
    """

    @property
    def name(self) -> str: ...
    def generate(self, prompts: Sequence[Prompt]) -> list[Generation]: ...


@runtime_checkable
class Limited(Protocol):
    """A generator that says how much it reads, so that a prompt can be made to fit.

    Attributes:
        room: tokens of a prompt at most, room for the answer already taken off; None: no bound.
        max_images: of one prompt; None: no bound.
        trained_multi_image: whether it was trained on several images together. Where it was not,
            images of the evidence are told in words.
        context_pixels: of each image of the evidence at first; None for as many as it takes.
        least_pixels: below which an image is not worth showing.
    """

    @property
    def room(self) -> int | None: ...
    @property
    def max_images(self) -> int | None: ...
    @property
    def trained_multi_image(self) -> bool: ...
    @property
    def context_pixels(self) -> int | None: ...
    @property
    def least_pixels(self) -> int: ...
    def count_tokens(self, prompt: Prompt) -> int:
        """Count what a prompt takes, images and chat template included."""
        ...


@runtime_checkable
class Streaming(Protocol):
    """A generator that can tell a text while it comes; `tell` gets each new piece.

    Where what comes takes back what was told (a broken stream that came anew, a call of a tool),
    `RESTARTED` of `medrag.generation.remote` is told, and then the text from its first word.
    """

    def stream(self, prompt: Prompt, tell: Callable[[str], None]) -> Generation: ...


@runtime_checkable
class Sampling(Protocol):
    """A generator that can draw several texts of each prompt; equal for an equal seed."""

    def sample(self, prompts: Sequence[Prompt], n: int) -> list[list[Generation]]: ...


class Tool(Protocol):
    """Something that a model may ask for by name: a crop, a grounder, an expert network.

    `about` tells the model in a line or two what it does and which arguments it takes. Images are
    those that the model may look at: the question's first, then those of the evidence, then those
    that tools gave; those that arguments name count from 1. Regions of a result count the pixels of
    the image that they lie in, by its place from 0. A tool whose result depends on weights or
    settings names them in a property `identity`.
    """

    @property
    def name(self) -> str: ...
    @property
    def about(self) -> str: ...
    def call(self, arguments: Mapping[str, Any], images: Sequence[ImageRef]) -> ToolResult:
        """Do it.

        Raises:
            ValueError: if the arguments make no sense; the model is told, and may try again.
        """
        ...


class Verifier(Protocol):
    """Say of each claim of each answer whether its citations support it."""

    def verify(self, answers: Sequence[Answer]) -> list[Answer]: ...


class Answerer(Protocol):
    """Answer questions from what was selected for each."""

    def answer(
        self, questions: Sequence[Question], selections: Sequence[Selection]
    ) -> list[Answer]: ...


@runtime_checkable
class StreamingAnswerer(Protocol):
    """An answerer that can tell the text of one answer while it comes."""

    def stream(
        self, question: Question, selection: Selection, tell: Callable[[str], None]
    ) -> Answer: ...


class Progress(Protocol):
    """Be told how far long work has come. `total` is None where it is not known yet."""

    def start(self, stage: str, total: int | None, unit: str) -> None: ...
    def advance(self, stage: str, n: int = 1) -> None: ...
    def finish(self, stage: str) -> None: ...
