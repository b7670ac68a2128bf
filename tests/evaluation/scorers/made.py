"""Cases made of a few words, and judges of a few lines."""

from collections.abc import Mapping, Sequence
from typing import Any

from medrag.evaluation.parsing import parse_answer
from medrag.evaluation.scorers import Case
from medrag.records import Answer, AnswerKind, Item, Question


def made(
    answer: str,
    *references: str,
    kind: AnswerKind = "text",
    closed: bool = False,
    question: str = "",
    options: Sequence[str] = (),
    language: str = "en",
    fields: Mapping[str, Any] | None = None,
    option_scores: Sequence[float] = (),
) -> Case:
    asked = Question(question, options=tuple(options))
    item = Item(
        "1", asked, references, kind, closed or kind == "yes_no",
        language=language, fields=fields or {},
    )  # fmt: skip
    given = Answer(asked, answer, option_scores=tuple(option_scores))
    return Case(item, given, parse_answer(answer, item))


def from_row(row: Mapping[str, Any]) -> Case:
    return made(
        row["answer"],
        *row["reference"],
        kind=row["kind"],
        closed=row["closed"],
        question=row["question"],
        options=row.get("options", ()),
        language=row.get("language", "en"),
        fields=row.get("fields"),
        option_scores=row.get("option_scores", ()),
    )


class SaysAlways:
    """A judge with one reply; keeps what it was asked."""

    def __init__(self, reply: str | None, *, name: str = "always") -> None:
        self.name = name
        self.reply = reply
        self.asked: list[str] = []

    def judge(self, prompts: Sequence[str]) -> list[str | None]:
        self.asked += prompts
        return [self.reply] * len(prompts)
