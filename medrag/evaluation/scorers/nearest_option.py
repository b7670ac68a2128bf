"""Nearest-option accuracy of PMC-VQA and OmniMedVQA."""

from collections.abc import Sequence

from medrag.evaluation.parsed import Letters, Unparsed
from medrag.evaluation.parsing.cleaning import final_text
from medrag.evaluation.parsing.letters import plain
from medrag.evaluation.scorers.correctness import is_right
from medrag.evaluation.scorers.nearest import nearest
from medrag.evaluation.scorers.protocol import (
    Case,
    Mode,
    Scored,
    answer_text,
    state_totals,
    states,
)

# A slip of the pen in a word of six letters; less alike are words that mean something else.
_ALIKE = 0.8
# An answer much longer than the options says more than one of them.
_LONGER = 4


class NearestOption:
    """Share of choices whose nearest option is right.

    Faithful: the option with the most similar letters (`difflib`). Corrected: the option that was
    read; where none was, the nearest, if its letters agree to four fifths and no other is as near.
    """

    name = "nearest_option"
    headline: tuple[str, ...] = ("accuracy",)
    about = "Choices: share where the option nearest to the answer is right."
    source = (
        "Zhang et al., PMC-VQA, 2023; Hu et al., OmniMedVQA, CVPR 2024: question-answering score"
    )
    defects: tuple[str, ...] = (
        "empty text: an answer that shares no letter with any option is taken for the first one.",
        "letters are compared: 'B' is taken for the option whose text is most like the letter B, "
        "and a sentence for the option of the most similar letters, also where it refuses or "
        "names several.",
        "capitals count: 'Lung' and 'lung' differ by a letter.",
        "tags are read: reasoning and answer tags are letters of the answer.",
    )

    def __init__(self, *, mode: Mode) -> None:
        self.mode: Mode = mode

    def score(self, cases: Sequence[Case]) -> list[dict[str, float]]:
        scored = _faithful if self.mode == "faithful" else _corrected
        return [scored(case) if _counts(case) else {} for case in cases]

    def totals(self, scored: Scored) -> dict[str, float]:
        return {} if self.mode == "faithful" else state_totals(scored)


def _counts(case: Case) -> bool:
    return case.item.kind == "choice" and bool(case.item.question.options)


def _faithful(case: Case) -> dict[str, float]:
    options = case.item.question.options
    place, _ = nearest(options, answer_text(case))
    return {"accuracy": float(options[place] in case.item.references)}


def _corrected(case: Case) -> dict[str, float]:
    place = _alike(case) if isinstance(case.parsed, Unparsed) else None
    if place is not None:
        case = Case(case.item, case.answer, Letters((place,)))
    accuracy = is_right(case)
    return {"accuracy": accuracy, **states(case, accuracy)}


def _alike(case: Case) -> int | None:
    texts = [plain(option) for option in case.item.question.options]
    if not isinstance(case.parsed, Unparsed) or case.parsed.reason.startswith("several"):
        return None
    said = plain(final_text(case.answer.text).text)
    if not said or len(said) > _LONGER * max(map(len, texts)):
        return None
    place, ratio = nearest(texts, said)
    others = [text for other, text in enumerate(texts) if other != place]
    alone = not others or nearest(others, said)[1] < ratio
    return place if ratio >= _ALIKE and alone else None
