"""The frozen values that flow through medrag, from the source of a passage to an answer.

Conventions that hold for every record:

- A page counts from 1. A box is (x0, y0, x1, y1) with the origin at the top left: points of the
  displayed page (after rotation and crop box) for a PDF, pixels for an image.
- A path in a stored record is relative to the root of its corpus and written with "/"; a path in a
  question is absolute. `medrag.images.resolved` turns the first into the second.
- A subject or a study is never the identifier of a file, but its keyed hash (`medrag.identity`).
- A time is an ISO 8601 text, so that comparing texts compares times.
- A score is higher when better; a rank counts from 1; None means absent.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple
from uuid import UUID, uuid5

import numpy as np
from numpy.typing import NDArray

Box = tuple[float, float, float, float]
Kind = Literal["text", "page", "figure", "table", "image", "report", "case", "term", "fact"]
KINDS: tuple[Kind, ...] = (
    "text", "page", "figure", "table", "image", "report", "case", "term", "fact",
)  # fmt: skip
# Kinds that are about the pictures they hold. A page is drawn anew for whoever needs it, and of a
# table the words are what counts.
PICTURED: frozenset[str] = frozenset({"image", "figure", "report", "case"})
# What these say, they say of one patient, who is not the one that is asked about.
OF_ANOTHER_PATIENT: frozenset[str] = frozenset({"report", "case"})
Support = Literal["supported", "unsupported", "contradicted", "unchecked"]
AnswerKind = Literal["yes_no", "choice", "choices", "number", "boxes", "text", "report"]

_NAMESPACE = UUID("6d656472-6167-5a00-8000-000000000001")
# Made once: json.dumps makes an encoder on each call with other than its default separators.
_COMPACT = json.JSONEncoder(separators=(",", ":"))


@dataclass(frozen=True, slots=True)
class Corpus:
    """What every passage of one corpus shares.

    `root` is the folder that documents and images are relative to; `language` is an ISO 639-1 code
    and picks stemmer, stop words and negation cues; `domain` is the default of its passages.
    """

    name: str
    root: Path
    domain: str | None = None
    language: str = "en"
    licence: str | None = None


@dataclass(frozen=True, slots=True)
class Region:
    """A place: a page and a box on it, a page, or (without a page) a box in an image."""

    page: int | None = None
    box: Box | None = None


@dataclass(frozen=True, slots=True)
class ImageRef:
    """Any picture, by reference: a file, a PDF page or figure, one DICOM frame, one NIfTI slice.

    Attributes:
        path: the file; see the conventions above.
        sha256: of the decoded RGB pixels with their shape; None until they were decoded.
        phash: 64-bit perceptual hash as 16 hexadecimal digits; None until decoded.
        page: PDF page, from 1.
        frame: frame of a multi-frame file, from 0.
        axis: 0, 1 or 2 of a volume in RAS order (x, y, z).
        slice: index along `axis`, from 0.
        box: the part that is meant; None for all of it.
        marks: boxes that are drawn onto it, in pixels of what is shown (the part, if it is one).
    """

    path: str
    sha256: str | None = None
    phash: str | None = None
    page: int | None = None
    frame: int | None = None
    axis: int | None = None
    slice: int | None = None
    box: Box | None = None
    marks: tuple[Box, ...] = ()


@dataclass(frozen=True, slots=True)
class Source:
    """Enough to open the book at the place.

    `document` is the file, relative to the corpus root; `sha256` is of the file's bytes.
    """

    corpus: str
    document: str
    sha256: str
    regions: tuple[Region, ...] = ()
    domain: str | None = None
    subject: str | None = None
    study: str | None = None
    time: str | None = None
    licence: str | None = None
    language: str = "en"


@dataclass(frozen=True, slots=True)
class Passage:
    """One retrievable thing, with where it comes from. `text` and `images` are never both empty.

    `fields` holds what a kind needs, as JSON values. For every kind: "title", further words to
    search that stand outside the text (section path, document title); "doc_id", the name of the
    document in a file of many (a BEIR `_id`, a module), to which retrieval measures are pooled.
    figure: "number", "caption", "mentions". table: "caption", "rows". report: "sections" (name to
    text), "view", "image_paths". case: "question", "answer", "options", "answer_type", "split".
    term: "id", "name", "synonyms", "definition", "xrefs", "parents". fact: "head", "relation",
    "tail", "head_id", "tail_id".
    """

    id: str
    kind: Kind
    text: str
    source: Source
    images: tuple[ImageRef, ...] = ()
    fields: Mapping[str, Any] = field(default_factory=dict, hash=False)


def passage_id(
    kind: Kind, source: Source, text: str, images: tuple[ImageRef, ...] = (), *, place: str = ""
) -> str:
    """Name a passage by where it stands and what it says, never by a vector or a path of a machine.

    Args:
        place: tells apart passages of equal text at places that regions cannot tell, such as the
            line of a file or the accession of a term.

    Returns:
        A UUIDv5; equal for equal content at an equal place of an equally named document.
    """
    regions = [[region.page, region.box] for region in source.regions]
    pictures = [[i.path, i.page, i.frame, i.axis, i.slice, i.box] for i in images]
    name = [source.corpus, source.document, place, kind, text, regions, pictures]
    return str(uuid5(_NAMESPACE, _COMPACT.encode(name)))


@dataclass(frozen=True, slots=True)
class Skipped:
    """Something an ingestor left out, or could not read. Shown, counted, kept in the index.

    `reason` is a code of `medrag.ingestion.reasons`; `failed` tells what could not be read (bad
    input) from what was left out on purpose; `count` is how many such things one record stands for.
    """

    source: Source
    reason: str
    detail: str
    failed: bool = False
    count: int = 1


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


@dataclass(frozen=True, slots=True)
class Embeddings:
    """Packed vectors: single- and multi-vector encoders share one type.

    Attributes:
        values: (sum(lengths), d) float32; unit rows unless the encoder says `normalised = False`.
        lengths: (n,) int32, the vectors of each input, each at least 1.
    """

    values: NDArray[np.float32]
    lengths: NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class SparseEmbeddings:
    """Packed sparse vectors: a weight for some of the terms of a vocabulary, the others are 0.

    Attributes:
        terms: (sum(lengths),) int32 in [0, d), ascending within each input.
        weights: (sum(lengths),) float32.
        lengths: (n,) int32, the terms of each input; may be 0.
        d: size of the vocabulary, below 2**24.
    """

    terms: NDArray[np.int32]
    weights: NDArray[np.float32]
    lengths: NDArray[np.int32]
    d: int


class ScoredRow(NamedTuple):
    """A row of an index and its score in one channel."""

    row: int
    score: float


@dataclass(frozen=True, slots=True)
class Part:
    """Where one channel ranked a passage, and with which score."""

    rank: int
    score: float


@dataclass(frozen=True, slots=True)
class Hit:
    """A retrieved passage. `parts`: rank and score in each channel that found it."""

    passage: Passage
    score: float
    rank: int
    query: str = ""
    parts: Mapping[str, Part] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class Selection:
    """The hits worth reading, those cut, and why. `fired`: whether the rule cut anything."""

    kept: tuple[Hit, ...]
    dropped: tuple[Hit, ...] = ()
    reason: str = ""
    fired: bool = False


@dataclass(frozen=True, slots=True)
class Exchange:
    """A reply of a model and what it is told then: the result of a tool, or what to mend."""

    reply: str
    parts: tuple[str | ImageRef, ...]


@dataclass(frozen=True, slots=True)
class Prompt:
    """What a generator gets. `evidence[i]` is what marker [i + 1] means.

    Attributes:
        parts: texts and images in turn, for models; weightless generators read question and
            evidence. An image that is none of the question's belongs to the evidence.
        template: the name and version of the template that `parts` were written by.
        context_pixels: at most so many pixels of each image of the evidence are shown; None for as
            many as of those of the question.
        turns: what was said after `parts`, in order.
    """

    question: Question
    evidence: tuple[Hit, ...]
    parts: tuple[str | ImageRef, ...] = ()
    template: str = ""
    context_pixels: int | None = None
    turns: tuple[Exchange, ...] = ()


@dataclass(frozen=True, slots=True)
class Omission:
    """What a prompt left out of a hit, for want of room or because the model takes fewer images.

    Attributes:
        marker: of the hit; 0 for what belongs to the question.
        kind: "shrunk": an image is shown smaller; "image": it is told in words; "text": the text
            was cut; "passage": all of it was left out.
        detail: how much, in words.
    """

    marker: int
    kind: Literal["shrunk", "image", "text", "passage"]
    detail: str


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number that an answer gives: a measure with its unit, or a count, which has none."""

    value: float
    unit: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What a tool found: words, pictures to look at, and places in the pictures it was given."""

    text: str
    images: tuple[ImageRef, ...] = ()
    regions: tuple[QuestionRegion, ...] = ()


@dataclass(frozen=True, slots=True)
class Usage:
    """What a generation took: tokens, and money in the currency of the price; None: not known."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    cost: float | None = None


@dataclass(frozen=True, slots=True)
class Generation:
    """A generator's text.

    Attributes:
        text: the answer, without what the model thought aloud.
        log_probabilities: of the tokens of `text`, natural, as the model gave them before any
            temperature; None where it is not known.
        option_scores: the mean log-probability of each option of the question, in order; empty
            where the generator does not score options.
        finish_reason: "stop"; "length" for a text that was cut; "unclosed" where thinking began
            and no answer followed.
        confidence: in [0, 1] where the generator has one of its own.
        thoughts: what the model thought aloud.
        regions: places in the question's images that the text gives, in original pixels.
        quantities: numbers that the text gives.
        trace: what a loop did, step by step.
    """

    text: str
    log_probabilities: tuple[float, ...] | None = None
    option_scores: tuple[float, ...] = ()
    usage: Usage = Usage()
    finish_reason: str = "stop"
    confidence: float | None = None
    abstained: bool = False
    thoughts: str = ""
    regions: tuple[QuestionRegion, ...] = ()
    quantities: tuple[Quantity, ...] = ()
    trace: tuple[Mapping[str, Any], ...] = field(default=(), hash=False)


@dataclass(frozen=True, slots=True)
class Claim:
    """One sentence of an answer, without its markers, and whether its evidence supports it."""

    text: str
    markers: tuple[int, ...] = ()
    support: Support = "unchecked"
    score: float | None = None


@dataclass(frozen=True, slots=True)
class Citation:
    """What a marker points to. `score` is the retrieval score of the hit."""

    marker: int
    passage: Passage
    score: float


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer that explains itself.

    Attributes:
        excluded: hits that the guard removed.
        near_duplicates: kept hits whose picture looks like the question's; reported, not removed.
        regions: places in the question's images that the answer speaks of.
        quantities: numbers that it gives.
        error: what went wrong, such as a marker that points to nothing; None if nothing did.
        prompt: what the generator read, texts and images in turn.
        template: the name and version of what the prompt was written by.
        left_out: what the prompt left out of the selection, for want of room.
        thoughts: what the model thought aloud before it answered.
        signals: numbers in [0, 1] that confidence can be told from, by name.
        option_scores: the mean log-probability of each option; empty where it is not known.
        timings: seconds by stage.
        trace: what a loop did, step by step.
    """

    question: Question
    text: str
    id: str = ""
    claims: tuple[Claim, ...] = ()
    citations: tuple[Citation, ...] = ()
    selection: Selection = Selection(kept=())
    excluded: tuple[Hit, ...] = ()
    near_duplicates: tuple[Hit, ...] = ()
    regions: tuple[QuestionRegion, ...] = ()
    quantities: tuple[Quantity, ...] = ()
    confidence: float | None = None
    abstained: bool = False
    error: str | None = None
    model: str = ""
    usage: Usage = Usage()
    prompt: tuple[str | ImageRef, ...] = ()
    template: str = ""
    left_out: tuple[Omission, ...] = ()
    thoughts: str = ""
    signals: Mapping[str, float] = field(default_factory=dict, hash=False)
    option_scores: tuple[float, ...] = ()
    timings: Mapping[str, float] = field(default_factory=dict, hash=False)
    trace: tuple[Mapping[str, Any], ...] = field(default=(), hash=False)


@dataclass(frozen=True, slots=True)
class Item:
    """One row of a benchmark: a question and what counts as right.

    Attributes:
        id: names the row within its split.
        references: right answers as the benchmark writes them, any of which counts; for "choice"
            the text of the right option, for "choices" the texts of all that must be chosen.
        kind: what form the right answer has.
        closed: whether the benchmark counts the row among its closed questions.
        inferred: whether `closed` was told from the reference, as the files do not say it.
        regions: the boxes or points that the right answer gives.
        gold_passages: what holds the answer: ids of passages, or names of documents.
        cluster: the image or patient that rows share; None where nothing is shared.
        language: ISO 639-1 code of question and answer.
        fields: further columns that results are grouped by, or that a kind needs ("unit",
            "rationale", "caption").
    """

    id: str
    question: Question
    references: tuple[str, ...] = ()
    kind: AnswerKind = "text"
    closed: bool = False
    inferred: bool = False
    regions: tuple[QuestionRegion, ...] = ()
    gold_passages: tuple[str, ...] = ()
    cluster: str | None = None
    language: str = "en"
    split: str = "test"
    fields: Mapping[str, Any] = field(default_factory=dict, hash=False)
