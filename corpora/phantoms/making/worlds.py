"""A world of phantoms: what signs mean in it, its patients and their likes, and its questions."""

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from . import words
from .pictures import GRID, places_of

Need = Literal["image", "library", "both", "neither"]
PAGES = 2
# The document of the graph.
FACTS = "facts.tsv"
# Of the questions about the library, the share that a page answers; the graph answers the others.
_OF_PAGES = 0.5


@dataclass(frozen=True, slots=True)
class Phantom:
    """A patient of whom there is a picture.

    Attributes:
        sign, count, places: what the picture shows, how often and where, in patches.
        tint: of its background.
        seed: of its noise.
    """

    name: str
    sign: str
    count: int
    places: tuple[int, ...]
    tint: int
    seed: int


@dataclass(frozen=True, slots=True)
class Asked:
    """A question and its answer.

    Attributes:
        phantom: whose picture it is asked with.
        gold: the document that holds the answer; None where no document does.
        misled: whether the report of the patient's like speaks for another answer.
    """

    id: str
    need: Need
    text: str
    answer: str
    phantom: Phantom
    gold: str | None = None
    misled: bool = False


@dataclass(frozen=True, slots=True)
class World:
    """What is so in one world; what signs mean and diseases need is drawn anew for each.

    Attributes:
        pages: of signs, in the order in which a page tells them.
        meanings: sign to disease.
        remedies: disease to remedy.
        patients: who are asked about.
        likes: of each patient another one, whose picture is like it and who has a report.
    """

    pages: tuple[tuple[str, ...], ...]
    meanings: dict[str, str]
    remedies: dict[str, str]
    patients: tuple[Phantom, ...]
    likes: tuple[Phantom, ...]
    questions: tuple[Asked, ...] = ()


def make_world(*, seed: int, split: str, patients: int, misleading: float) -> World:
    """Draw a world; equal arguments give equal worlds.

    Args:
        split: any name; another one is another world.
        patients: who are asked about, between three and four questions each.
        misleading: share of the patients whose like has another sign and another count than they
            have, exactly but for rounding.

    Raises:
        ValueError: if there is no patient, or the share is out of range.
    """
    if patients < 1:
        raise ValueError(f"patients must be at least 1, got {patients}")
    if not 0 <= misleading <= 1:
        raise ValueError(f"misleading must be in [0, 1], got {misleading}")
    draw = random.Random(f"phantoms {seed} {split}")
    signs = draw.sample(words.SIGNS, len(words.SIGNS))
    half = len(signs) // PAGES
    pages = tuple(tuple(signs[half * n : half * (n + 1)]) for n in range(PAGES))
    meanings = drawn_pairs(words.SIGNS, words.DISEASES, draw)
    remedies = drawn_pairs(words.DISEASES, words.REMEDIES, draw)
    people = tuple(_phantom(f"{split}-{n}", draw) for n in range(patients))
    misled = [n < round(misleading * patients) for n in range(patients)]
    draw.shuffle(misled)
    likes = tuple(_like(one, draw, wrong=wrong) for one, wrong in zip(people, misled, strict=True))
    world = World(pages, meanings, remedies, people, likes)
    return replace(world, questions=tuple(_questions(world, draw)))


def drawn_pairs(
    heads: tuple[str, ...], tails: tuple[str, ...], draw: random.Random
) -> dict[str, str]:
    """Give each head a tail of its own."""
    return dict(zip(heads, draw.sample(tails, len(heads)), strict=True))


def page_name(number: int) -> str:
    """Name the document of a page, from 0."""
    return f"page-{number + 1}"


def count_word(one: Phantom) -> str:
    """Say how many signs a picture shows."""
    return words.COUNTS[one.count - 1]


def _phantom(name: str, draw: random.Random) -> Phantom:
    count = draw.randint(1, len(words.COUNTS))
    return Phantom(
        name, draw.choice(words.SIGNS), count, places_of(count, draw),
        tint=draw.getrandbits(32), seed=draw.getrandbits(32),
    )  # fmt: skip


def _like(one: Phantom, draw: random.Random, *, wrong: bool) -> Phantom:
    """Draw a patient whose picture is like another's; `wrong`: but for the sign and how often."""
    sign, count, places = one.sign, one.count, one.places
    if wrong:
        sign = draw.choice([each for each in words.SIGNS if each != sign])
        count = draw.choice([n for n in range(1, len(words.COUNTS) + 1) if n != count])
        rest = [place for place in range(GRID * GRID) if place not in places]
        places = tuple(sorted([*places, *draw.sample(rest, 2)][:count]))
    return Phantom(f"{one.name}-like", sign, count, places, one.tint, draw.getrandbits(32))


def _questions(world: World, draw: random.Random) -> Iterator[Asked]:
    """Ask each patient's picture, the library, and both; every third one neither, or once more."""
    for n, (one, like) in enumerate(zip(world.patients, world.likes, strict=True)):
        asked = [_of_picture(one, like, draw), _of_library(world, one, draw)]
        asked.append(_of_both(world, one, like))
        if n % 3 == 0:
            asked.append(_of_neither(one, draw))
        if n % 3 == 1:
            asked.append(_of_picture(one, like, draw))
        for number, each in enumerate(asked):
            yield replace(each, id=f"{one.name}-{number}")


def _of_picture(one: Phantom, like: Phantom, draw: random.Random) -> Asked:
    kind = draw.choice(("which", "many", "shown"))
    if kind == "which":
        text, answers = words.WHICH_SIGN, (one.sign, like.sign)
    elif kind == "many":
        text, answers = words.HOW_MANY, (count_word(one), count_word(like))
    else:
        # Of a sign that either has, so that the two differ wherever they are not of one sign.
        asked = draw.choice([one.sign, like.sign if like.sign != one.sign else _other(one, draw)])
        text = words.is_shown(asked)
        answers = _yes_no(asked == one.sign), _yes_no(asked == like.sign)
    return Asked("", "image", text, answers[0], one, misled=answers[0] != answers[1])


def _of_library(world: World, one: Phantom, draw: random.Random) -> Asked:
    if draw.random() < _OF_PAGES:
        sign = draw.choice(words.SIGNS)
        gold = _page_of(world, sign)
        return Asked("", "library", words.meaning_of(sign), world.meanings[sign], one, gold)
    disease = draw.choice(words.DISEASES)
    text, answer = words.need_of(disease), world.remedies[disease]
    return Asked("", "library", text, answer, one, FACTS)


def _of_both(world: World, one: Phantom, like: Phantom) -> Asked:
    answer, gold = words.both_of(one.sign, world.meanings[one.sign]), _page_of(world, one.sign)
    misled = like.sign != one.sign
    return Asked("", "both", words.WHICH_BOTH, answer, one, gold, misled)


def _of_neither(one: Phantom, draw: random.Random) -> Asked:
    sign = draw.random() < 0.5
    word = draw.choice(words.SIGNS if sign else words.DISEASES)
    return Asked("", "neither", words.is_sign(word), _yes_no(sign), one)


def _other(one: Phantom, draw: random.Random) -> str:
    return draw.choice([each for each in words.SIGNS if each != one.sign])


def _yes_no(so: bool) -> str:
    return "yes" if so else "no"


def _page_of(world: World, sign: str) -> str:
    return page_name(next(n for n, page in enumerate(world.pages) if sign in page))
