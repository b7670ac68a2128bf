"""Prefix score of OmniMedVQA: the option that the model finds likeliest, without generation."""

from collections.abc import Sequence
from math import isnan

from medrag.evaluation.parsing.letters import plain
from medrag.evaluation.scorers.protocol import Case, Mode, Scored


class Prefix:
    """Share of choices whose likeliest option, by mean log-probability of its tokens, is right.

    The text of the answer plays no part. An item without a score for each option gives nan, and is
    counted as unscored. Of equal scores the first wins. Both modes agree.
    """

    name = "prefix"
    headline: tuple[str, ...] = ("accuracy",)
    about = (
        "Choices: share where the option of the highest mean log-probability is right. Needs a "
        "generator that scores options."
    )
    source = "Hu et al., OmniMedVQA, CVPR 2024: prefix-based score"
    defects: tuple[str, ...] = ()

    def __init__(self, *, mode: Mode) -> None:
        self.mode: Mode = mode

    def score(self, cases: Sequence[Case]) -> list[dict[str, float]]:
        return [{"accuracy": _accuracy(case)} if _counts(case) else {} for case in cases]

    def totals(self, scored: Scored) -> dict[str, float]:
        rows = [values["accuracy"] for _, values in scored if "accuracy" in values]
        return {"n_unscored": float(sum(map(isnan, rows)))}


def _counts(case: Case) -> bool:
    return case.item.kind == "choice" and bool(case.item.question.options)


def _accuracy(case: Case) -> float:
    scores, options = case.answer.option_scores, case.item.question.options
    if len(scores) != len(options) or any(map(isnan, scores)):
        return float("nan")
    likeliest = plain(options[scores.index(max(scores))])
    return float(likeliest in {plain(each) for each in case.item.references})
