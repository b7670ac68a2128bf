"""Protocol of MedEvalKit without a judge: one accuracy over closed, open and choice questions."""

from collections.abc import Sequence

from medrag.evaluation.parsed import Abstained, Unparsed
from medrag.evaluation.scorers.correctness import is_right, is_right_closed
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
    chosen_option,
    extracted,
    is_closed,
    is_slake,
    judged_closed,
    judged_yes_no,
    parsed_response,
    reference,
    released_overlap,
)
from medrag.evaluation.scorers.words import closest_overlap

_KINDS = ("yes_no", "text", "number", "choice")
RULE_DEFECTS = (
    "no in normal: 'yes' and 'no' are looked for as letters, so that 'normal', 'not' and 'know' "
    "hold a no.",
    "yes and no by letters: an answer is right only if the letters of one of the two words stand "
    "in it and those of the other do not, whatever it says besides.",
    "only yes and no: what says yes or no in other words or another language is wrong.",
    "SLAKE case: the rule for yes and no is kept for small letters, but SLAKE writes 'Yes' and "
    "'No'; such an answer must equal the reference as a whole.",
    "blank after answer: what follows 'answer:' keeps its leading blank and equals no reference.",
    "open answers as a whole: an open answer must equal the reference letter by letter, so that a "
    "full stop, an article or a number word makes it wrong.",
    "precision, recall and F1 exchanged: what is called precision is F1, recall is precision, and "
    "F1 is recall.",
    "words as sets: a repeated word counts once, and a full stop belongs to its word.",
    "empty text fails: precision, recall and F1 of an empty answer stop the released code.",
    "tags left open: an answer tag or box that is not closed is not seen.",
    "nearest option: a response without a letter or the text of an option is taken for the option "
    "with the most similar letters; an empty one for the first.",
)


class MedEvalKitRule:
    """Accuracy by rules, and token overlap of open answers.

    Closed are rows of SLAKE that say so (told by the columns answer_type, q_lang, base_type or
    content_type in the item's fields), and of other sets those whose reference is yes or no.
    """

    name = "medevalkit_rule"
    headline: tuple[str, ...] = ("accuracy",)
    about = (
        "One accuracy: closed questions by a rule, open ones by exact match, choices by letter, "
        "text or nearest option. Beside it closed accuracy, and exact match, precision, recall and "
        "F1 of open answers. BLEU and ROUGE are among the text measures."
    )
    source = "Lingshu team, MedEvalKit, arXiv 2506.07044, code of February 2026"
    defects: tuple[str, ...] = RULE_DEFECTS

    def __init__(self, *, mode: Mode) -> None:
        self.mode: Mode = mode

    def score(self, cases: Sequence[Case]) -> list[dict[str, float]]:
        measured = released_rule if self.mode == "faithful" else corrected_rule
        return [measured(case) if counts(case) else {} for case in cases]

    def totals(self, scored: Scored) -> dict[str, float]:
        rows = [values["accuracy"] for _, values in scored if "accuracy" in values]
        printed = {"printed_accuracy": share(sum(rows), len(rows))}
        return printed if self.mode == "faithful" else printed | state_totals(scored)


def counts(case: Case) -> bool:
    """Tell whether MedEvalKit has a rule for an item of this kind."""
    return case.item.kind in _KINDS


def released_rule(case: Case) -> dict[str, float]:
    """Score one answer as the released rules do."""
    item, answer = case.item, reference(case.item)
    if item.kind == "choice":
        chosen = chosen_option(item.question.options, answer_text(case))
        right = bool(item.question.options) and item.question.options[chosen] in item.references
        return {"accuracy": float(right)}
    response = extracted(answer_text(case))
    if not is_slake(item):
        response, answer = response.lower().strip(), answer.lower().strip()
    if is_closed(item):
        # The guard of SLAKE compares with small letters only, and its file has "Yes" and "No".
        judged = judged_yes_no if answer in ("yes", "no") else judged_closed
        right = judged(answer, response)
        return {"accuracy": float(right), "closed_accuracy": float(right)}
    return _released_open(answer, response)


def corrected_rule(case: Case) -> dict[str, float]:
    """Score one answer as it was read."""
    if case.item.kind == "choice":
        accuracy = is_right(case)
        return {"accuracy": accuracy, **states(case, accuracy)}
    if is_closed(case.item):
        accuracy = is_right_closed(case)
        return {"accuracy": accuracy, "closed_accuracy": accuracy, **states(case, accuracy)}
    accuracy = is_right(case)
    values = {"accuracy": accuracy, "exact_match": accuracy, **_overlap(case)}
    return values | states(case, accuracy)


def _released_open(answer: str, response: str) -> dict[str, float]:
    said = parsed_response(response)
    exact = float(said == answer.lower())
    found = released_overlap(said, answer)
    return {
        "accuracy": exact,
        "exact_match": exact,
        # As released: (F1, precision, recall) is unpacked as (precision, recall, F1).
        "open_precision": found.f1,
        "open_recall": found.precision,
        "open_f1": found.recall,
    }


def _overlap(case: Case) -> dict[str, float]:
    names = ("open_precision", "open_recall", "open_f1")
    if isinstance(case.parsed, Unparsed | Abstained):
        return dict.fromkeys(names, 0.0)
    return dict(zip(names, closest_overlap(said_text(case), case.item.references), strict=True))
