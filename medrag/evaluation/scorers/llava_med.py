"""Protocol of LLaVA-Med: accuracy on closed questions, word recall on open ones."""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

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
from medrag.evaluation.scorers.words import (
    answer_words,
    closest_overlap,
    vqa_normalised,
    vqa_overlap,
)

_KINDS = ("yes_no", "text", "number")
_NOTHING = {"open_recall": 0.0, "open_precision": 0.0, "open_f1": 0.0, "exact_match": 0.0}


class LlavaMed:
    """Closed accuracy and open recall, and beside them precision, F1, exact match, open accuracy.

    Open accuracy maps an answer to the nearest of `candidates`, the answers of the training split.
    """

    name = "llava_med"
    about = (
        "Closed questions: share answered right. Open questions: share of the reference's words "
        "that the answer holds (recall), with precision, F1 and exact match. Recall rises with the "
        "length of an answer; F1 does not. BLEU, which the released scorer prints as well, is "
        "among the text measures."
    )
    source = "Li et al., LLaVA-Med, NeurIPS 2023: run_eval of release v1.0.0"
    defects: tuple[str, ...] = (
        "no in normal: 'yes' and 'no' are looked for as letters, so that 'normal', 'not' and "
        "'node' hold a no.",
        "closed without yes or no: a closed answer counts only if it holds yes or no, so that a "
        "reference such as 'left' is reached by accident alone.",
        "reference inside: a closed answer is right if the reference stands anywhere in it, also "
        "beside its opposite or in reasoning.",
        "only yes and no: what says yes or no in other words or another language is wrong.",
        "repeated words: true positives are counted over the answer's words, so that repeating a "
        "right word raises recall and precision.",
        "tags are read: reasoning and answer tags are words of the answer.",
        "exact match is a share: it is the share of the answer's words that stand in the "
        "reference, in any order.",
        "glued words: one hyphen or comma with a blank beside it makes all others vanish, and "
        "words before and after them become one; scripts without blanks are one word.",
        "first candidate: an answer that shares no word with any candidate is taken for the first "
        "one, and one word of a candidate counts as much as all.",
        "wrong answers dropped: a closed answer that holds yes or no but not the reference is not "
        "counted at all in the printed accuracy.",
        "counts exchanged: the printed numbers of open and closed questions are exchanged.",
    )

    def __init__(self, *, mode: Mode, candidates: Sequence[str] | None = None) -> None:
        self.mode: Mode = mode
        self.headline: tuple[str, ...] = ("closed_accuracy", "open_recall")
        self.headline += ("open_f1",) if mode == "corrected" else ()
        self._candidates = None if candidates is None else _Candidates(candidates, mode)

    def score(self, cases: Sequence[Case]) -> list[dict[str, float]]:
        return [self._score(case) if case.item.kind in _KINDS else {} for case in cases]

    def totals(self, scored: Scored) -> dict[str, float]:
        closed = [case for case, values in scored if "closed_accuracy" in values]
        n_open = float(sum("open_recall" in values for _, values in scored))
        right = sum(values.get("closed_accuracy", 0.0) for _, values in scored)
        if self.mode == "corrected":
            printed = {
                "printed_closed_accuracy": share(right, len(closed)),
                "n_open": n_open,
                "n_closed": float(len(closed)),
            }
            return printed | state_totals(scored)
        counted = right + sum(not _holds_yes_or_no(case) for case in closed)
        return {
            "printed_closed_accuracy": right / counted if counted else 0.0,
            "n_open": float(counted),
            "n_closed": n_open,
        }

    def _score(self, case: Case) -> dict[str, float]:
        if self.mode == "faithful":
            values = _faithful_closed(case) if case.item.closed else _faithful_open(case)
        elif case.item.closed:
            accuracy = is_right_closed(case)
            values = {"closed_accuracy": accuracy, **states(case, accuracy)}
        else:
            values = _open(case) | states(case, None)
        if self._candidates is not None and not case.item.closed:
            values["open_accuracy"] = self._candidates.accuracy(case)
        return values


def _reference(case: Case) -> str:
    return vqa_normalised(case.item.references[0].lower()) if case.item.references else ""


def _normalised(case: Case) -> str:
    return vqa_normalised(answer_text(case).lower())


def _holds_yes_or_no(case: Case) -> bool:
    answer = _normalised(case)
    return "yes" in answer or "no" in answer


def _faithful_closed(case: Case) -> dict[str, float]:
    hit = _holds_yes_or_no(case) and _reference(case) in _normalised(case)
    return {"closed_accuracy": float(hit)}


def _faithful_open(case: Case) -> dict[str, float]:
    # Normalised twice, as released: the second pass undoes what the first left behind.
    answer = vqa_normalised(_normalised(case)).split()
    reference = vqa_normalised(_reference(case)).split()
    found = vqa_overlap(answer, reference)
    known = sum(word in set(answer) for word in dict.fromkeys(reference))
    return {
        "open_recall": found.recall,
        "open_precision": found.precision,
        "open_f1": found.f1,
        "exact_match": known / len(answer) if answer else 0.0,
    }


def _open(case: Case) -> dict[str, float]:
    """Compare with the reference that the answer shares most with, by F1."""
    if isinstance(case.parsed, Unparsed | Abstained):
        return dict(_NOTHING)
    best = closest_overlap(said_text(case), case.item.references)
    exact = {"exact_match": is_right(case)}
    return {
        "open_recall": best.recall, "open_precision": best.precision, "open_f1": best.f1, **exact,
    }  # fmt: skip


class _Candidates:
    """Answers of the training split, found by their words."""

    def __init__(self, candidates: Sequence[str], mode: Mode) -> None:
        if not candidates:
            raise ValueError("candidates must hold an answer; without any, give None")
        self.mode: Mode = mode
        self.words = [self._split(each) for each in candidates]
        self.sizes = np.array([max(len(set(words)), 1) for words in self.words])
        holding: dict[str, list[int]] = defaultdict(list)
        for place, words in enumerate(self.words):
            for word in set(words):
                holding[word].append(place)
        self.holding = {word: np.array(places) for word, places in holding.items()}

    def accuracy(self, case: Case) -> float:
        if self.mode == "corrected" and isinstance(case.parsed, Unparsed | Abstained):
            return 0.0
        said = answer_text(case) if self.mode == "faithful" else said_text(case)
        place = self._nearest(set(self._split(said)))
        references = case.item.references[: 1 if self.mode == "faithful" else None]
        return float(place is not None and self.words[place] in map(self._split, references))

    def _split(self, text: str) -> tuple[str, ...]:
        if self.mode == "corrected":
            return answer_words(text)
        return tuple(vqa_normalised(vqa_normalised(text.lower())).split())

    def _nearest(self, words: set[str]) -> int | None:
        """Find the first of the candidates that are most alike.

        Faithful: by the share of a candidate's words that the answer holds, and the first of all if
        none is shared. Corrected: by the F1 of both, and none if none is shared.
        """
        places = [self.holding[word] for word in words if word in self.holding]
        if not places:
            return 0 if self.mode == "faithful" else None
        shared = np.bincount(np.concatenate(places), minlength=len(self.words))
        whole = self.sizes if self.mode == "faithful" else self.sizes + len(words)
        return int(np.argmax(shared / whole))
