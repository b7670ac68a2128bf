"""The form of an answer: which items share one, what is right, and how a reader would write it.

A form is what is known of an answer before it is seen: from the benchmark's own columns, or from
the words of the question. What only the reference tells is none, or a floor would be told a part
of the answer.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from medrag.generation.asked import answer_sign, option_meant
from medrag.generation.extractive.polar import is_polar as asks_yes_or_no
from medrag.language import words
from medrag.language.known import read_as
from medrag.prompting.templates import letter
from medrag.records import Item, Question

# Items of one form are answered from training items of the same form.
CLOSED, OPEN = "closed", "open"
_CHOSEN = ("choice", "choices")
# Their right answers are regions, which no most frequent text stands for.
_WITHOUT_TEXT = ("boxes",)


@dataclass(frozen=True, slots=True)
class Told:
    """One answer of a floor: `text` as a reader would give it, `confidence` in [0, 1] or None."""

    text: str
    confidence: float | None = None


NOTHING = Told("")


def form_of(item: Item) -> str | None:
    """Name what is known of an answer before it is seen; None if a text cannot be its floor.

    - Options make a choice, and a whole report is one by its benchmark.
    - "closed": what the benchmark's files count among their closed questions, also where a few of
      them are answered by other words than yes and no. Where the files do not say it
      (`Item.inferred`), the question alone tells: it begins as one for yes or no does ("is",
      "does", "can"), and offers no "or".
    - "open": all others. Whether a number, a word or even yes is right of them only their answers
      tell.
    """
    if item.kind in _WITHOUT_TEXT:
        return None
    if item.kind in _CHOSEN:
        return item.kind if item.question.options else None
    if item.kind == "report":
        return item.kind
    closed = _begins_polar(item.question.text, item.language) if item.inferred else item.closed
    return CLOSED if closed else OPEN


def chooses(item: Item) -> bool:
    """Tell whether an item is answered by its options."""
    return form_of(item) in _CHOSEN


def is_polar(item: Item) -> bool:
    """Tell whether an item is answered by yes or no as far as its form tells."""
    return form_of(item) == CLOSED


def right_answer(item: Item) -> tuple[str, ...]:
    """Give the right answer as it is counted: bare words; for options the texts of all right ones.

    Returns:
        Empty if the item has no reference.
    """
    if chooses(item):
        return tuple(sorted({bare(text) for text in item.references}))
    if not item.references:
        return ()
    if is_polar(item) and (sign := answer_sign(item.references[0])):
        return ("yes" if sign > 0 else "no",)
    return (bare(item.references[0]),)


def bare(text: str) -> str:
    """Reduce a text to its words in lower case, so that equal answers count together.

    A text without words, such as "+", is kept as it is.
    """
    return " ".join(word.lower() for word in words(text)) or text.strip()


def places_of(item: Item, answer: Sequence[str]) -> tuple[int, ...]:
    """Find the options that an answer names; empty if it names something else."""
    options = [bare(option) for option in item.question.options]
    if not answer or any(text not in options for text in answer):
        return ()
    return tuple(sorted(options.index(text) for text in answer))


def nearest_places(item: Item, case: Item) -> tuple[int, ...]:
    """Find the options that the right answers of a case name: the same words, or else most of them.

    Returns:
        Empty if one of them is like no option, or like several.
    """
    options = [bare(option) for option in item.question.options]
    found = {option_meant(text, options) for text in right_answer(case)}
    return () if None in found else tuple(sorted(place for place in found if place is not None))


def lettered(item: Item, places: Sequence[int]) -> str:
    """Write chosen options as a reader does: "B. pneumothorax", several joined by semicolons."""
    options = item.question.options
    return "; ".join(f"{letter(place)}. {options[place].strip()}" for place in places)


@lru_cache(maxsize=1 << 14)
def _begins_polar(text: str, language: str) -> bool:
    return asks_yes_or_no(Question(text=text), read_as(language))
