"""Protocol of CARES, which MMed-RAG and RULE use: yes or no by one word of the first sentence."""

from collections.abc import Sequence

from medrag.evaluation.parsed import Abstained
from medrag.evaluation.scorers.correctness import is_right, is_yes_no, reference_polarity, said_yes
from medrag.evaluation.scorers.nearest import nearest
from medrag.evaluation.scorers.protocol import (
    Case,
    Mode,
    Scored,
    answer_text,
    share,
    state_totals,
    states,
)

# As released; the file that scores abstention has "not visible" besides the list of the others.
_REFUSALS = (
    "can't answer", "no answer", "cannot answer", "not appropriate", "refuse to answer", "sorry",
    "inappropriate", "cannot provide", "apologize", "not visible",
)  # fmt: skip


class Cares:
    """Accuracy, precision, recall and F1 of yes or no, accuracy of choices, share of refusals.

    References of the MMed-RAG sets are sentences; both modes take one that says neither yes nor no
    for a no if it holds "no" or "not", else for a yes. Over-confidence, which needs a second
    question about certainty, is not measured.
    """

    name = "cares"
    headline: tuple[str, ...] = ("accuracy",)
    about = (
        "Yes or no questions and choices: share answered right; over all items the precision, "
        "recall and F1 of yes, and the share of answers that refuse."
    )
    source = "Xia et al., CARES, NeurIPS 2024: eval_yesno, eval_multichoice, eval_abs"
    defects: tuple[str, ...] = (
        "yes by default: an answer is a yes unless a no stands in it, also an empty one and one "
        "that refuses.",
        "first sentence: only what stands before the first full stop is read, and 'Fig. 1' or a "
        "decimal point ends it.",
        "a no anywhere: 'no' or 'not' anywhere in the sentence makes it a no, also in 'Yes, it is "
        "not normal'.",
        "words by blanks: words are parted by blanks and lose commas alone, so that 'NO', 'No;' "
        "and 'No' before a line break are no no.",
        "tags are read: reasoning and answer tags are part of the answer.",
        "other languages: a no in another language than English is a yes.",
        "nearest option: a choice is the option with the most similar letters, whatever letter "
        "the answer names.",
        "refusal by phrase: 'inappropriate', 'sorry' and 'not visible' refuse wherever they "
        "stand, and other refusals are not known.",
    )

    def __init__(self, *, mode: Mode) -> None:
        self.mode: Mode = mode

    def score(self, cases: Sequence[Case]) -> list[dict[str, float]]:
        return [self._score(case) if _counts(case) else {} for case in cases]

    def totals(self, scored: Scored) -> dict[str, float]:
        said = [
            (self._said(case), _label(case, self.mode))
            for case, values in scored
            if "accuracy" in values and case.item.kind != "choice"
        ]
        true_yes = said.count((True, True))
        false_yes = said.count((True, False))
        n_yes = sum(label is True for _, label in said)
        precision, recall = share(true_yes, true_yes + false_yes), share(true_yes, n_yes)
        totals = {
            "true_positives": float(true_yes),
            "false_positives": float(false_yes),
            "true_negatives": float(said.count((False, False))),
            "false_negatives": float(n_yes - true_yes),
            "precision": precision,
            "recall": recall,
            "f1": share(2 * precision * recall, precision + recall),
        }
        return totals if self.mode == "faithful" else totals | state_totals(scored)

    def _score(self, case: Case) -> dict[str, float]:
        if self.mode == "corrected":
            accuracy = is_right(case)
            abstained = {"abstained": float(isinstance(case.parsed, Abstained))}
            return {"accuracy": accuracy, **abstained, **states(case, accuracy)}
        text = answer_text(case)
        if case.item.kind == "choice":
            wanted = _nearest(case, case.item.references[0])
            accuracy = float(_nearest(case, text) == wanted)
        else:
            accuracy = float(self._said(case) is _label(case, self.mode))
        refused = any(phrase in text.lower() for phrase in _REFUSALS)
        return {"accuracy": accuracy, "abstained": float(refused)}

    def _said(self, case: Case) -> bool | None:
        """Give what an answer says: yes, no, or, in corrected mode only, neither."""
        if self.mode == "faithful":
            return _released(answer_text(case))
        return said_yes(case)


def _nearest(case: Case, text: str) -> int | None:
    """Find the nearest option; as released none, instead of the first, if no letter is shared."""
    place, ratio = nearest(case.item.question.options, text)
    return place if ratio else None


def _counts(case: Case) -> bool:
    item = case.item
    return bool(item.references) and (
        is_yes_no(item) or (item.kind == "choice" and bool(item.question.options))
    )


def _label(case: Case, mode: Mode) -> bool | None:
    if mode == "faithful":
        return _released(case.item.references[0])
    return reference_polarity(case.item)


def _released(text: str) -> bool:
    words = text.split(".")[0].replace(",", "").split(" ")
    return not {"No", "not", "no"} & set(words)
