"""Protocol of MedEvalKit with a judge for open answers."""

from collections.abc import Mapping, Sequence
from math import isnan

from medrag.evaluation.judging import Judge, medevalkit_prompt, read_medevalkit
from medrag.evaluation.parsed import Abstained, Unparsed
from medrag.evaluation.scorers.medevalkit_rule import (
    RULE_DEFECTS,
    corrected_rule,
    counts,
    released_rule,
)
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
from medrag.evaluation.scorers.released_medevalkit import (
    extracted,
    is_closed,
    is_slake,
    released_verdict,
)


class MedEvalKitJudge:
    """Accuracy by rules for closed and choice questions, by a judge for open ones.

    Corrected: an answer with the words of the reference is right, and one that abstains or cannot
    be read is not right, without asking; what the judge says unreadably is nan and counted.
    The printed totals are those of SLAKE's scorer for rows of SLAKE, of PathVQA's for all others;
    choices, which the judge does not see, are in neither.
    """

    name = "medevalkit_judge"
    headline: tuple[str, ...] = ("accuracy",)
    about = (
        "One accuracy: closed questions and choices by rule, open ones by a judge that sees "
        "question, reference and answer. The number depends on the judge: name it."
    )
    source = "Lingshu team, MedEvalKit, arXiv 2506.07044, code of February 2026"
    defects: tuple[str, ...] = (
        *RULE_DEFECTS,
        "unreadable verdict is wrong: whatever the judge says that is not a 0, also a failure, "
        "counts against the answer.",
        "SLAKE counted twice: closed answers are judged as well, and what the judge finds right is "
        "added to what the rules found right, so that accuracy can exceed 1.",
        "PathVQA zeroed: right closed answers are set to none, and only open ones come back.",
    )

    def __init__(self, *, mode: Mode, judge: Judge) -> None:
        self.mode: Mode = mode
        self.judge = judge

    def score(self, cases: Sequence[Case]) -> list[dict[str, float]]:
        rule = released_rule if self.mode == "faithful" else corrected_rule
        values = [rule(case) if counts(case) else {} for case in cases]
        places = [place for place, case in enumerate(cases) if self._asks(case, values[place])]
        prompts = [self._prompt(cases[place]) for place in places]
        replies = self.judge.judge(prompts) if prompts else []
        read = released_verdict if self.mode == "faithful" else read_medevalkit
        verdicts = dict(zip(places, map(read, replies), strict=True))
        for place, case in enumerate(cases):
            if values[place] and case.item.kind != "choice":
                self._add(values[place], case, verdicts.get(place))
        return values

    def totals(self, scored: Scored) -> dict[str, float]:
        rows = [
            (is_slake(case.item), values)
            for case, values in scored
            if "accuracy" in values and case.item.kind != "choice"
        ]
        slake = [values for belongs, values in rows if belongs]
        others = [values for belongs, values in rows if not belongs]
        if self.mode == "faithful":
            return _released_totals(slake, others)
        n_unjudged = float(sum(isnan(values["accuracy"]) for _, values in rows))
        totals = {
            "printed_accuracy_slake": _mean(slake, "accuracy"),
            "printed_closed_accuracy_slake": _mean(slake, "closed_accuracy"),
            "printed_accuracy_pathvqa": _mean(others, "accuracy"),
            "printed_closed_accuracy_pathvqa": _mean(others, "closed_accuracy"),
            "n_unjudged": n_unjudged,
        }
        return totals | state_totals(scored)

    def _asks(self, case: Case, values: Mapping[str, float]) -> bool:
        """Tell whether the judge sees this answer: open ones, and as released all of SLAKE."""
        if not values or case.item.kind == "choice":
            return False
        if self.mode == "faithful":
            return is_slake(case.item) or not is_closed(case.item)
        readable = not isinstance(case.parsed, Unparsed | Abstained)
        return not is_closed(case.item) and readable and not values["accuracy"]

    def _prompt(self, case: Case) -> str:
        faithful = self.mode == "faithful"
        said = extracted(answer_text(case)) if faithful else said_text(case)
        return medevalkit_prompt(case.item, said)

    def _add(self, values: dict[str, float], case: Case, verdict: float | None) -> None:
        """Put the verdict in the place of what the rules said; None where nobody was asked."""
        accuracy = values["accuracy"] if verdict is None else verdict
        values["accuracy"] = accuracy
        if not is_closed(case.item):
            values["open_accuracy"] = accuracy
        if self.mode == "corrected":
            values |= states(case, accuracy)


def _released_totals(
    slake: Sequence[Mapping[str, float]], others: Sequence[Mapping[str, float]]
) -> dict[str, float]:
    """Add up as released: SLAKE twice, PathVQA without its closed answers."""
    closed = [values["closed_accuracy"] for values in slake if "closed_accuracy" in values]
    by_rule = sum(closed) + sum(values.get("exact_match", 0.0) for values in slake)
    judged = [values["accuracy"] for values in slake]
    judged_closed = [values["accuracy"] for values in slake if "closed_accuracy" in values]
    n_closed = sum("closed_accuracy" in values for values in others)
    return {
        "printed_accuracy_slake": share(by_rule + sum(judged), len(slake)),
        "printed_closed_accuracy_slake": share(sum(closed) + sum(judged_closed), len(closed)),
        "printed_accuracy_pathvqa": share(
            sum(values.get("open_accuracy", 0.0) for values in others), len(others)
        ),
        "printed_closed_accuracy_pathvqa": share(0.0, n_closed),
    }


def _mean(rows: Sequence[Mapping[str, float]], name: str) -> float:
    """Average what could be computed; nan if nothing could."""
    known = [values[name] for values in rows if name in values and not isnan(values[name])]
    return share(sum(known), len(known))
