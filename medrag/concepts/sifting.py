"""Which questions are concepts: visual, new, without a class's name, told apart by reports."""

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from medrag.concepts.prompts import same_prompt, visual_prompt
from medrag.language import printable, stems, untagged

_FIRST_WORD = re.compile(r"[^\W\d_]+")
# Questions that share more of their words than this are shown to the judge as maybe the same.
_ALIKE = 0.5
_SAME = 0.99
_LONGEST = 200


class Judge(Protocol):
    """Reply to prompts; None where no reply came."""

    def judge(self, prompts: Sequence[str]) -> list[str | None]: ...


def said(reply: str | None) -> bool | None:
    """Read yes or no by the first word of a reply; None for anything else."""
    first = _FIRST_WORD.search(reply or "")
    word = first.group(0).lower() if first else ""
    return {"yes": True, "no": False}.get(word)


def names_a_class(question: str, classes: Collection[str]) -> bool:
    """Tell whether a question gives away a class: all words of its name stand in it."""
    asked = set(stems(question, "en"))
    return any(set(named) <= asked for named in (stems(each, "en") for each in classes) if named)


def well_formed(question: str) -> bool:
    """Tell whether a text is one question of a sensible length, with nothing hidden in it."""
    plain = printable(question) == question and untagged(question) == question
    asks = question.endswith("?") and question.count("?") == 1
    return 0 < len(question) <= _LONGEST and asks and plain


def visual(questions: Sequence[str], judge: Judge, *, modality: str) -> list[bool]:
    """Ask of each question whether a picture alone answers it; no reply counts as no."""
    replies = judge.judge([visual_prompt(each, modality=modality) for each in questions])
    return [said(reply) is True for reply in replies]


def new(questions: Sequence[str], known: Sequence[str], judge: Judge) -> list[bool]:
    """Tell which questions ask what none before them asks, in `known` or in the list itself.

    Those of nearly equal words are the same; of those that share half of their words the judge is
    asked about the nearest.
    """
    earlier = [*known]
    found: list[bool] = []
    for question in questions:
        nearest = max(earlier, key=lambda each: overlap(question, each), default=None)
        share = 0.0 if nearest is None else overlap(question, nearest)
        same = share >= _SAME
        if nearest is not None and _ALIKE <= share < _SAME:
            same = said(judge.judge([same_prompt(question, nearest)])[0]) is True
        found.append(not same)
        if not same:
            earlier.append(question)
    return found


def overlap(one: str, other: str) -> float:
    """Give the share of the words of two questions that they have in common, in [0, 1]."""
    a, b = set(stems(one, "en")), set(stems(other, "en"))
    return len(a & b) / len(a | b) if a | b else 0.0


def groundable(counts: Mapping[bool | None, int], *, least: float = 0.1) -> bool:
    """Tell whether reports say yes and no to a concept, each in a share of at least `least`.

    Args:
        counts: reports by what they say; those that say neither do not count. Where none says
            either, the concept is not groundable.

    Source:
        KnoBo, arXiv 2405.14839: min(yes, no) / (yes + no) >= 0.1 over 100 reports.
    """
    yes, no = counts.get(True, 0), counts.get(False, 0)
    return yes + no > 0 and min(yes, no) / (yes + no) >= least
