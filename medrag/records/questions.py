"""What is asked, and which passages a question may see."""

from dataclasses import dataclass
from pathlib import Path

from medrag.records.sources import Box, ImageRef


@dataclass(frozen=True, slots=True)
class Turn:
    """An earlier question and its answer."""

    question: str
    answer: str


@dataclass(frozen=True, slots=True)
class QuestionRegion:
    """A part of a question's image: a box or a point in pixels, a mask file, or a named region."""

    image: int = 0
    box: Box | None = None
    point: tuple[float, float] | None = None
    mask: str | None = None
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Question:
    """What a person asks. `images` may be given as paths; the pipeline decodes and hashes them.

    `options` are the answers of a multiple-choice question in order; the first is option A.
    `subject` and `study` may be given raw; the pipeline replaces them by their keyed hash.
    """

    text: str = ""
    images: tuple[ImageRef | str | Path, ...] = ()
    id: str = ""
    options: tuple[str, ...] = ()
    domain: str | None = None
    subject: str | None = None
    study: str | None = None
    time: str | None = None
    regions: tuple[QuestionRegion, ...] = ()
    history: tuple[Turn, ...] = ()


@dataclass(frozen=True, slots=True)
class Filter:
    """Which passages one question may see. An empty set of names allows all.

    The guard against leakage is in the last group: pictures (sha256 of the pixels), studies and
    subjects that must not be returned. `before` keeps passages with an earlier time only.
    """

    kinds: frozenset[str] = frozenset()
    domains: frozenset[str] = frozenset()
    corpora: frozenset[str] = frozenset()
    subjects: frozenset[str] = frozenset()
    before: str | None = None
    not_images: frozenset[str] = frozenset()
    not_studies: frozenset[str] = frozenset()
    not_subjects: frozenset[str] = frozenset()
