"""The form of an answer: which items share one, what is right, and how a reader would write it."""

from collections.abc import Sequence
from dataclasses import dataclass

from medrag.generation.asked import answer_sign
from medrag.language import words
from medrag.records import Item

# Items of one form are answered from training items of the same form.
CLOSED = "closed"
_CHOSEN = ("choice", "choices")
# Their right answers are regions, which no most frequent text stands for.
_WITHOUT_TEXT = ("boxes",)
_MOST = 0.5


@dataclass(frozen=True, slots=True)
class Told:
    """One answer of a floor: `text` as a reader would give it, `confidence` in [0, 1] or None."""

    text: str
    confidence: float | None = None


NOTHING = Told("")


def form_of(item: Item) -> str | None:
    """Name what is known of an answer before it is seen; None if a text cannot be its floor.

    The closed questions of a benchmark share one form, also where a few of them are answered by
    other words than yes and no: which these are only their answers tell.
    """
    if item.kind in _WITHOUT_TEXT:
        return None
    if item.kind in _CHOSEN:
        return item.kind if item.question.options else None
    return CLOSED if item.closed or item.kind == "yes_no" else item.kind


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
    found = {_most_alike(text, options) for text in right_answer(case)}
    return () if None in found else tuple(sorted(place for place in found if place is not None))


def _most_alike(text: str, options: Sequence[str]) -> int | None:
    if text in options:
        return options.index(text)
    shares = [_overlap(text, option) for option in options]
    best = max(shares)
    return shares.index(best) if best >= _MOST and shares.count(best) == 1 else None


def _overlap(one: str, other: str) -> float:
    """Give twice the words that two texts share as a share of the words of both."""
    first, second = set(one.split()), set(other.split())
    return 2 * len(first & second) / max(1, len(first) + len(second))


def lettered(item: Item, places: Sequence[int]) -> str:
    """Write chosen options as a reader does: "B. pneumothorax", several joined by semicolons."""
    options = item.question.options
    return "; ".join(f"{chr(ord('A') + place)}. {options[place].strip()}" for place in places)
