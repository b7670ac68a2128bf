"""What a scoring protocol is, and what all corrected ones count beside their measures."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from medrag.evaluation.parsed import Abstained, Parsed, Text, Unparsed
from medrag.evaluation.parsing.cleaning import final_text, open_answer
from medrag.language.markers import MARKER
from medrag.records import Answer, Item

Mode = Literal["faithful", "corrected"]
# Beside the measures of a protocol, in corrected mode only.
STATE_MEASURES = ("parsed", "answered", "accuracy_of_parsed", "accuracy_of_answered")
_MARKED = re.compile(rf" ?{MARKER.pattern}")


@dataclass(frozen=True, slots=True)
class Case:
    """One answered item, and what its answer was read as."""

    item: Item
    answer: Answer
    parsed: Parsed


Scored = Sequence[tuple[Case, Mapping[str, float]]]


class ScoringProtocol(Protocol):
    """How answers become numbers.

    Attributes:
        headline: names of measures, the most telling first.
        about: what it counts, in sentences.
        source: whose protocol it is.
        defects: where the released scorer does not do what it seems to, each as "name: sentence";
            faithful mode reproduces them, corrected mode does not have them.
    """

    name: str
    mode: Mode
    headline: tuple[str, ...]
    about: str
    source: str
    defects: tuple[str, ...]

    def score(self, cases: Sequence[Case]) -> list[dict[str, float]]:
        """Give the measures of each case, in order; those that do not apply are left out."""
        ...

    def totals(self, scored: Scored) -> dict[str, float]:
        """Give what the released scorer prints besides means; nan where it divides by nothing."""
        ...


def answer_text(case: Case) -> str:
    """Give the text that a released scorer would see: without citation markers, else as it is."""
    # Without a "[" there is no marker; a pattern that begins with a blank is slow on many.
    return _MARKED.sub("", case.answer.text) if "[" in case.answer.text else case.answer.text


def said_text(case: Case) -> str:
    """Give the words of an answer for corrected modes: without reasoning, tags and leads.

    Also of answers that were read as another form than words, and of those that could not be read.
    """
    if isinstance(case.parsed, Text):
        return case.parsed.text
    return open_answer(final_text(case.answer.text).text)


def states(case: Case, accuracy: float | None) -> dict[str, float]:
    """Tell whether the answer was read and given, and the accuracy among those that were.

    Args:
        accuracy: of this item; None where the protocol measures none.
    """
    parsed, answered = not isinstance(case.parsed, Unparsed), not isinstance(case.parsed, Abstained)
    values = {"parsed": float(parsed), "answered": float(answered)}
    if accuracy is not None and parsed:
        values["accuracy_of_parsed"] = accuracy
    if accuracy is not None and answered:
        values["accuracy_of_answered"] = accuracy
    return values


def state_totals(scored: Scored) -> dict[str, float]:
    """Count answers that could not be read and those that abstain."""
    kinds = [type(case.parsed) for case, _ in scored]
    return {
        "n_unparsed": float(kinds.count(Unparsed)),
        "n_abstained": float(kinds.count(Abstained)),
    }


def share(part: float, whole: float) -> float:
    """Divide; nan where there is nothing to divide by."""
    return part / whole if whole else float("nan")
