"""Accuracy on closed questions alone, as classifiers over a fixed vocabulary report it."""

from collections.abc import Sequence

from medrag.evaluation.scorers.correctness import is_right_closed
from medrag.evaluation.scorers.protocol import (
    Case,
    Mode,
    Scored,
    answer_text,
    state_totals,
    states,
)


class ClosedOnly:
    """Share of closed questions answered right; open ones are passed over.

    Faithful: the answer is the reference, but for capitals and blanks at its ends, as a class of a
    fixed vocabulary is or is not another. Corrected: the answer is read first.
    """

    name = "closed_only"
    headline: tuple[str, ...] = ("closed_accuracy",)
    about = "Closed questions: share answered right. Open questions do not count."
    source = (
        "the accuracy over a fixed answer vocabulary of M3AE, PubMedCLIP and MEVF, and on "
        "closed-style items of VILA-M3"
    )
    defects: tuple[str, ...] = (
        "only the class: an answer in any other words than those of the reference, such as "
        "'Yes, it is', is wrong.",
        "tags are read: reasoning and answer tags are part of the answer.",
    )

    def __init__(self, *, mode: Mode) -> None:
        self.mode: Mode = mode

    def score(self, cases: Sequence[Case]) -> list[dict[str, float]]:
        return [self._score(case) if _counts(case) else {} for case in cases]

    def totals(self, scored: Scored) -> dict[str, float]:
        return {} if self.mode == "faithful" else state_totals(scored)

    def _score(self, case: Case) -> dict[str, float]:
        if self.mode == "faithful":
            given = answer_text(case).strip().lower()
            right = any(given == each.strip().lower() for each in case.item.references)
            return {"closed_accuracy": float(right)}
        accuracy = is_right_closed(case)
        return {"closed_accuracy": accuracy, **states(case, accuracy)}


def _counts(case: Case) -> bool:
    return case.item.closed and case.item.kind not in ("boxes", "report")
