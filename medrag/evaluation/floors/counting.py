"""Floors that count answers: the most frequent one, that of the same question, and chance."""

import random
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from medrag.evaluation.floors.forms import (
    NOTHING,
    Told,
    bare,
    chooses,
    form_of,
    is_polar,
    lettered,
    places_of,
    right_answer,
)
from medrag.records import Item

K = TypeVar("K", bound=Hashable)
V = TypeVar("V", bound=Hashable)

Answer = tuple[str, ...]
# Answers with their shares, the most frequent first.
Ranked = tuple[tuple[Answer, float], ...]
# A form, and a question, its beginning or a set of options within it.
Key = tuple[str | None, str | frozenset[str]]


@dataclass(frozen=True, slots=True)
class Counts:
    """How often each answer is right; of equal counts the one that stands first comes first.

    Attributes:
        answers: by form.
        questions: by form and words of the question.
        beginnings: by form and the first two words of the question.
        options: by form and set of options.
        places: of the right options, by form.
        texts: the right answers of all items as they are mostly written, by form.
        wordings: how each answer is mostly written.
    """

    answers: Mapping[str | None, Ranked]
    questions: Mapping[Key, Ranked]
    beginnings: Mapping[Key, Ranked]
    options: Mapping[Key, Ranked]
    places: Mapping[str | None, tuple[tuple[tuple[int, ...], float], ...]]
    texts: Mapping[str | None, Sequence[str]]
    wordings: Mapping[Answer, str]


def counted(items: Sequence[Item]) -> Counts:
    """Count the right answers of items; those without a reference or a form have no say."""
    told = [(item, form_of(item), right_answer(item)) for item in items]
    known = [(item, form, right) for item, form, right in told if form is not None and right]
    chosen = [(item, form, right) for item, form, right in known if chooses(item)]
    written = _most_frequent((right, item.references[0].strip()) for item, _, right in known)
    wordings = {right: ranked[0][0] for right, ranked in written.items()}
    texts: dict[str | None, list[str]] = defaultdict(list)
    for _, form, right in known:
        texts[form].append(wordings[right])
    return Counts(
        answers=_most_frequent((form, right) for _, form, right in known),
        questions=_most_frequent(((form, _asked(item)), right) for item, form, right in known),
        beginnings=_most_frequent(((form, _beginning(item)), right) for item, form, right in known),
        options=_most_frequent(((form, _options(item)), right) for item, form, right in chosen),
        places=_most_frequent((form, places_of(item, right)) for item, form, right in chosen),
        texts=texts,
        wordings=wordings,
    )


def _most_frequent(pairs: Iterable[tuple[K, V]]) -> dict[K, tuple[tuple[V, float], ...]]:
    """Rank the second of each pair among those of the same first, with their shares."""
    counts: dict[K, Counter[V]] = defaultdict(Counter)
    for key, value in pairs:
        counts[key][value] += 1
    totals = {key: each.total() for key, each in counts.items()}
    return {
        key: tuple((value, n / totals[key]) for value, n in each.most_common())
        for key, each in counts.items()
    }


def constant(item: Item, counts: Counts) -> Told:
    """Give the most frequent answer of the form, with its share as confidence.

    Where other items have the same set of options it is the option most often right among them,
    and else the letter that is right most often.
    """
    if not chooses(item):
        return _worded(item, counts.answers.get(form_of(item), ()), counts)
    told = _worded(item, counts.options.get((form_of(item), _options(item)), ()), counts)
    if told is not NOTHING:
        return told
    for chosen, share in counts.places.get(form_of(item), ()):
        if chosen and chosen[-1] < len(item.question.options):
            return Told(lettered(item, chosen), share)
    return NOTHING


def of_question(item: Item, counts: Counts) -> Told:
    """Give the most frequent answer to the same words, else to the first two, else of the form."""
    for table, key in (
        (counts.questions, _asked(item)),
        (counts.beginnings, _beginning(item)),
    ):
        told = _worded(item, table.get((form_of(item), key), ()), counts)
        if told is not NOTHING:
            return told
    return constant(item, counts)


def by_chance(items: Sequence[Item], counts: Counts, seed: int) -> Iterator[Told]:
    """Draw each answer evenly: yes or no, an option, or the answer of a training item.

    Where any number of options may be right each is taken or not, and at least one is. What is
    drawn for an item depends on the seed and its id alone.
    """
    for item in items:
        drawing = random.Random(f"{seed} {item.id}")
        if is_polar(item):
            yield Told(drawing.choice(("yes", "no")))
        elif chooses(item):
            yield Told(lettered(item, _drawn_places(item, drawing)))
        elif texts := counts.texts.get(form_of(item)):
            yield Told(drawing.choice(texts))
        else:
            yield NOTHING


def _drawn_places(item: Item, drawing: random.Random) -> list[int]:
    places = range(len(item.question.options))
    if item.kind == "choice":
        return [drawing.choice(places)]
    taken = [place for place in places if drawing.random() < 1 / 2]
    return taken or [drawing.choice(places)]


def _worded(item: Item, answers: Ranked, counts: Counts) -> Told:
    """Write the most frequent answer that the item can have."""
    for answer, share in answers:
        if is_polar(item) and answer in (("yes",), ("no",)):
            return Told(answer[0], share)
        if not chooses(item):
            return Told(counts.wordings[answer], share)
        if places := places_of(item, answer):
            return Told(lettered(item, places), share)
    return NOTHING


def _asked(item: Item) -> str:
    return bare(item.question.text)


def _beginning(item: Item) -> str:
    return " ".join(_asked(item).split()[:2])


def _options(item: Item) -> frozenset[str]:
    return frozenset(bare(option) for option in item.question.options)
