"""One row of a benchmark."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from medrag.records.questions import Question, QuestionRegion

AnswerKind = Literal["yes_no", "choice", "choices", "number", "boxes", "text", "report"]


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
