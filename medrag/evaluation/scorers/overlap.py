"""Overlap of reports and open answers with their references, item by item."""

from collections.abc import Callable, Mapping, Sequence

from medrag.evaluation.parsed import Abstained, Unparsed
from medrag.evaluation.scorers.protocol import (
    Case,
    Mode,
    Scored,
    answer_text,
    said_text,
    state_totals,
    states,
)
from medrag.evaluation.text_measures import best_overlap, cleaned_report, rouge_l_coco, tokens

_KINDS = ("text", "report")
_BY_BLANKS = (
    "words by blanks: words are parted by blanks alone, so that 'liver.' is not 'liver', and a "
    "text in a script without blanks is one word.",
)
_R2GEN_DEFECTS = (
    "reports are cut: answer and reference end at the longest sequence of R2Gen, 60 tokens for IU "
    "X-Ray and 100 for MIMIC-CXR.",
    "full stops are words: each sentence ends in a token of its own, which answer and reference "
    "share.",
    "figures lose their points: '1.5 cm' becomes '15 cm', and numbers of lists vanish.",
)
_ANY_DEFECTS = (
    "tags are read: reasoning, tags and 'answer:' are words of the answer.",
    "refusals have words: an answer that declines is scored for the words that it shares.",
)
# By name of a benchmark: the data set in R2Gen's words, and its longest sequence.
_R2GEN: Mapping[str, tuple[str, int]] = {
    "iu_xray": ("iu_xray", 60),
    "mimic_cxr_reports": ("mimic_cxr", 100),
}


class Overlap:
    """ROUGE-L as reports are compared by, and precision, recall and F1 of words.

    ROUGE-L is that of pycocoevalcap (beta 1.2) in both modes; what differs is what a word is.
    Faithful: for the two benchmarks of R2Gen both texts are cleaned and cut as R2Gen does it,
    though rare words are kept, for which it needs the training reports; elsewhere they are parted
    at blanks. Corrected: words of any script without punctuation; an answer that declines or is
    empty has 0. Of several references, each share is the highest that one of them gives.
    """

    name = "overlap"
    headline: tuple[str, ...] = ("rouge_l",)
    about = (
        "Reports and open answers: ROUGE-L (beta 1.2) with the reference, item by item, and beside "
        "it precision, recall and F1 of single words. Overlap says nothing of whether a finding is "
        "denied or affirmed; clinical measures do."
    )
    source = (
        "Lin, ROUGE, 2004, as pycocoevalcap computes it; cleaning of reports by Chen et al., "
        "R2Gen, EMNLP 2020"
    )

    def __init__(self, *, mode: Mode, benchmark: str | None = None) -> None:
        self.mode: Mode = mode
        cleaned = _R2GEN_DEFECTS if benchmark in _R2GEN else _BY_BLANKS
        self.defects: tuple[str, ...] = (*cleaned, *_ANY_DEFECTS)
        self._split = _splitter(mode, benchmark)

    def score(self, cases: Sequence[Case]) -> list[dict[str, float]]:
        places = [place for place, case in enumerate(cases) if _counts(case)]
        answers = [self._split(self._said(cases[place])) for place in places]
        references = [list(map(self._split, cases[place].item.references)) for place in places]
        values: list[dict[str, float]] = [{} for _ in cases]
        longest = rouge_l_coco(answers, references)
        for n, place in enumerate(places):
            words = best_overlap(answers[n], references[n])
            values[place] = {
                "rouge_l": float(longest[n]),
                "token_f1": words.f1,
                "token_precision": words.precision,
                "token_recall": words.recall,
            }
            if self.mode == "corrected":
                values[place] |= states(cases[place], None)
        return values

    def totals(self, scored: Scored) -> dict[str, float]:
        return {} if self.mode == "faithful" else state_totals(scored)

    def _said(self, case: Case) -> str:
        if self.mode == "faithful":
            return answer_text(case)
        return "" if isinstance(case.parsed, Unparsed | Abstained) else said_text(case)


def _counts(case: Case) -> bool:
    return case.item.kind in _KINDS and bool(case.item.references)


def _splitter(mode: Mode, benchmark: str | None) -> Callable[[str], list[str]]:
    if mode == "corrected":
        return lambda text: tokens(text, "words")
    if benchmark is None or benchmark not in _R2GEN:
        return lambda text: tokens(text, "split")
    dataset, longest = _R2GEN[benchmark]
    return lambda text: cleaned_report(text, dataset=dataset, max_tokens=longest).split()
