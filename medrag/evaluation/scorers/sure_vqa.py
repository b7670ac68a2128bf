"""Protocol of SURE-VQA: a judge rates every answer, on a scale that its question has."""

from collections.abc import Sequence
from math import isnan

from medrag.evaluation.judging import Judge, rating_share, sure_vqa_ratings, sure_vqa_scale
from medrag.evaluation.parsed import Abstained, Letters, Unparsed
from medrag.evaluation.scorers.correctness import is_right
from medrag.evaluation.scorers.protocol import (
    Case,
    Mode,
    Scored,
    answer_text,
    said_text,
    share,
    state_totals,
    states,
)

_KINDS = ("yes_no", "choice", "choices", "number", "text")


class SureVqa:
    """Mean rating of a judge, brought to [0, 1].

    Corrected: a right answer gets the top, and one that declines or cannot be read gets 0, without
    asking; a chosen option is shown to the judge by its text. A reply that cannot be read is nan
    in both modes: the released mean leaves it out in silence, corrected mode counts it
    ("n_unjudged"). The prompts are our own.
    """

    name = "sure_vqa"
    headline: tuple[str, ...] = ("judge_rating",)
    about = (
        "All questions: the mean rating of a judge that sees question, reference and answer; open "
        "answers from 1 to 5, closed ones 0 or 1, several labels 0, 0.5 or 1, all brought to 0 to "
        "1. The number depends on the judge: name it."
    )
    source = "Baumann et al., SURE-VQA, 2024"
    defects: tuple[str, ...] = (
        "equality by words: only an answer with the words of the reference is right without "
        "asking, so that a letter, or a no in other words, is left to the judge.",
        "nothing is judged: an empty answer, and one that declines or decides nothing, is put to "
        "the judge like any other.",
        "tags are read: reasoning and tags are part of the answer.",
    )

    def __init__(self, *, mode: Mode, judge: Judge) -> None:
        self.mode: Mode = mode
        self.judge = judge

    def score(self, cases: Sequence[Case]) -> list[dict[str, float]]:
        shares = [self._known(case) if _counts(case) else None for case in cases]
        places = [n for n, case in enumerate(cases) if _counts(case) and shares[n] is None]
        items = [cases[place].item for place in places]
        ratings = sure_vqa_ratings(
            items, [self._said(cases[place]) for place in places], self.judge
        )
        for place, rating in zip(places, ratings.values, strict=True):
            shares[place] = rating_share(cases[place].item, rating)
        return [
            {} if value is None else self._values(case, value)
            for case, value in zip(cases, shares, strict=True)
        ]

    def totals(self, scored: Scored) -> dict[str, float]:
        """Give the means over ratings that were read, of open answers as printed, from 1 to 5."""
        rows = [
            (sure_vqa_scale(case.item) == "open", values["judge_rating"])
            for case, values in scored
            if "judge_rating" in values
        ]
        read = [(is_open, value) for is_open, value in rows if not isnan(value)]
        open_ones = [1 + 4 * value for is_open, value in read if is_open]
        closed = [value for is_open, value in read if not is_open]
        printed = {
            "printed_open_rating": share(sum(open_ones), len(open_ones)),
            "printed_closed_rating": share(sum(closed), len(closed)),
        }
        if self.mode == "faithful":
            return printed
        return printed | {"n_unjudged": float(len(rows) - len(read))} | state_totals(scored)

    def _known(self, case: Case) -> float | None:
        """Give the rating where nobody needs to be asked."""
        if self.mode == "faithful":
            return None
        if isinstance(case.parsed, Unparsed | Abstained):
            return 0.0
        return is_right(case) or None

    def _said(self, case: Case) -> str:
        if self.mode == "faithful":
            return answer_text(case)
        if isinstance(case.parsed, Letters):
            chosen = [case.item.question.options[place] for place in case.parsed.options]
            return ", ".join(chosen) or "none of them"
        return said_text(case)

    def _values(self, case: Case, value: float) -> dict[str, float]:
        values = {"judge_rating": value}
        return values if self.mode == "faithful" else values | states(case, value)


def _counts(case: Case) -> bool:
    return case.item.kind in _KINDS and bool(case.item.references)
