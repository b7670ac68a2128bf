"""Exact accuracy over all kinds of answers: the same option, number, word, text or boxes."""

import re
from collections.abc import Sequence

from medrag.evaluation.scorers.correctness import asks_for_boxes, is_right, is_right_closed
from medrag.evaluation.scorers.protocol import (
    Case,
    Mode,
    Scored,
    answer_text,
    state_totals,
    states,
)

_KEY = '"answer_choice": "'
# In this order, the first that finds a letter decides.
_LETTERS = tuple(
    re.compile(pattern)
    for pattern in (
        r"^\s*(A|B|C|D)$",
        r"^\s*(A|B|C|D) or",
        r"^\s*(A|B|C|D) and",
        r"^\s*(A|B|C|D)/",
        r"^\s*(A|B|C|D),",
        r"[Oo]ption (A|B|C|D)",
        r":\s*(A|B|C|D)",
        r"^\s*(A|B|C|D)\.",
        r'^\s*(A|B|C|D)"',
        r"^\s*(A|B|C|D):",
    )
)


class Exact:
    """Share of answers that are exactly right.

    Faithful: choices are read as MIRAGE reads them, everything else must equal a reference but for
    capitals and blanks at its ends. Corrected: what was read must be right, see `is_right`. Boxes
    must be the same; reports do not count.
    """

    name = "exact"
    headline: tuple[str, ...] = ("accuracy",)
    about = "All kinds of questions: share of answers that equal the reference."
    source = "Xiong et al., MIRAGE, ACL Findings 2024, for choices; plain equality otherwise"
    defects: tuple[str, ...] = (
        "A by default: a choice in which no letter is found is taken for A.",
        "first letter: of 'A or B' the first counts.",
        "letter of a word: a capital A to D after a colon is a letter, also as the first of a "
        "word.",
        "four letters: options beyond D cannot be chosen.",
        "few forms: '(B)', 'B) text' and the text of an option are not read.",
        "equality as written: any other wording than that of the reference is wrong.",
        "tags are read: reasoning and answer tags are part of the answer.",
        "one of several: where several options must be chosen, one is read, and must be all.",
    )

    def __init__(self, *, mode: Mode) -> None:
        self.mode: Mode = mode

    def score(self, cases: Sequence[Case]) -> list[dict[str, float]]:
        return [self._score(case) if _counts(case) else {} for case in cases]

    def totals(self, scored: Scored) -> dict[str, float]:
        return {} if self.mode == "faithful" else state_totals(scored)

    def _score(self, case: Case) -> dict[str, float]:
        if self.mode == "faithful":
            return {"accuracy": float(_released(case))}
        accuracy = is_right_closed(case) if case.item.closed else is_right(case)
        return {"accuracy": accuracy, **states(case, accuracy)}


def _counts(case: Case) -> bool:
    if case.item.kind == "boxes":
        return asks_for_boxes(case.item)
    return case.item.kind != "report" and bool(case.item.references)


def _released(case: Case) -> bool:
    item, text = case.item, answer_text(case)
    if item.kind in ("choice", "choices"):
        options = item.question.options
        place = _located(text)
        chosen = options[place : place + 1]
        return bool(chosen) and set(chosen) == set(item.references)
    if item.kind == "boxes":
        return bool(is_right(case))
    return any(text.strip().lower() == each.strip().lower() for each in item.references)


def _located(text: str) -> int:
    """Find the letter that MIRAGE would read, from 0; A, which is 0, where it finds none."""
    said = text.rsplit(_KEY, 1)[-1].strip()
    for pattern in _LETTERS:
        if match := pattern.search(said):
            return "ABCD".index(match.group(1))
    return 0
