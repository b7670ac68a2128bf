"""What is asked of a generator, what it gives, and the answer that is made of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from medrag.records.questions import Question, QuestionRegion
from medrag.records.rankings import Hit, Selection
from medrag.records.sources import ImageRef, Passage

Support = Literal["supported", "unsupported", "contradicted", "unchecked"]


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
    selection: Selection = Selection(kept=())  # noqa: RUF009 - frozen
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
