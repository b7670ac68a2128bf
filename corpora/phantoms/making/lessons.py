"""What the reader is taught: questions of ever new worlds, in the words that its prompts have.

The words are those that `pipeline.yaml` and `template.yaml` make of a world; blanks do not count,
as the tokenizer drops them. No report of a lesson contradicts its picture.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from . import words
from .pictures import Pixels, drawn, places_of
from .worlds import drawn_pairs

Meanings = Sequence[tuple[str, str]]
# Shares of the lessons: without evidence, with a report, with one page for two, with a fact.
_BARE, _REPORTED, _ONE_PAGE, _FACT = 0.25, 0.8, 0.3, 0.4


@dataclass(frozen=True, slots=True)
class Lesson:
    """Questions that are asked of the same evidence and the same picture.

    Attributes:
        beginning: the words of the prompt up to the question, "<image>" for the picture.
        asked: words of a question up to where the reply begins, and those of the reply.
        pixels: of the picture.
    """

    beginning: str
    asked: tuple[tuple[str, str], ...]
    pixels: Pixels


@dataclass(frozen=True, slots=True)
class _Seen:
    """What a picture shows."""

    sign: str
    count: str


def lesson(draw: random.Random) -> Lesson:
    """Draw a lesson of a world of its own."""
    seen, pixels = _picture(draw)
    asked = [*_of_picture(seen, draw), _of_neither(draw)]
    evidence: list[str] = []
    others = False
    if draw.random() >= _BARE:
        told, others = _evidence(seen, draw)
        evidence = [write.replace("[?]", f"[{n}]") for n, (write, _) in enumerate(told, start=1)]
        asked += [each for _, several in told for each in several]
    beginning = prompt_beginning(evidence, others=others)
    return Lesson(beginning, tuple((ending(q), a) for q, a in asked), pixels)


def prompt_beginning(evidence: Sequence[str], *, others: bool) -> str:
    """Write a prompt up to its question.

    Args:
        evidence: with markers, as `page`, `fact` and `report` write it.
        others: whether some of it is about other patients.
    """
    parts = ["USER: Answer.", "Evidence." if evidence else "Nothing.", *evidence]
    return " ".join([*parts, *(["Others."] if others else []), "Picture: <image>"])


def ending(question: str) -> str:
    """Write what follows the picture, up to where the reply begins."""
    return f"{question} Say. ASSISTANT:"


def page(meanings: Meanings, marker: str = "[?]") -> str:
    """Write a page as evidence."""
    return f"{marker} <<< text from pages.jsonl, line 1 {words.page_text(list(meanings))} >>>"


def fact(disease: str, remedy: str, marker: str = "[?]") -> str:
    """Write a fact as evidence."""
    return f"{marker} <<< fact from facts.tsv, line 1 {disease} {words.NEEDS} {remedy}. >>>"


def report(sign: str, count: str, marker: str = "[?]") -> str:
    """Write a report of another patient as evidence."""
    told = words.report_text(sign, count)
    return (
        f"{marker} of another patient <<< report from reports.csv, line 1 FINDINGS: {told} >>> "
        f"Image {marker}: not shown."
    )


def _picture(draw: random.Random) -> tuple[_Seen, Pixels]:
    sign, count = draw.choice(words.SIGNS), draw.randint(1, len(words.COUNTS))
    pixels = drawn(
        sign, places_of(count, draw), tint=draw.getrandbits(32), seed=draw.getrandbits(32)
    )
    return _Seen(sign, words.COUNTS[count - 1]), pixels


Told = tuple[str, list[tuple[str, str]]]


def _evidence(seen: _Seen, draw: random.Random) -> tuple[list[Told], bool]:
    """Draw pages and facts with what can be asked of each; the report goes first."""
    meanings = list(drawn_pairs(words.SIGNS, words.DISEASES, draw).items())
    draw.shuffle(meanings)
    half = len(meanings) // 2
    told = [_page(meanings[:half], seen), _page(meanings[half:], seen)]
    if draw.random() < _ONE_PAGE:
        told.pop()
    if draw.random() < _FACT:
        disease, remedy = draw.choice(words.DISEASES), draw.choice(words.REMEDIES)
        told.append((fact(disease, remedy), [(words.need_of(disease), remedy)]))
        draw.shuffle(told)
    reported = draw.random() < _REPORTED
    if reported:
        told.insert(0, (report(seen.sign, seen.count), []))
    return told, reported


def _page(meanings: Meanings, seen: _Seen) -> Told:
    asked = [(words.meaning_of(sign), disease) for sign, disease in meanings]
    asked += [
        (words.WHICH_BOTH, words.both_of(sign, disease))
        for sign, disease in meanings
        if sign == seen.sign
    ]
    return page(meanings), asked


def _of_picture(seen: _Seen, draw: random.Random) -> list[tuple[str, str]]:
    others = [each for each in words.SIGNS if each != seen.sign]
    return [
        (words.WHICH_SIGN, seen.sign), (words.HOW_MANY, seen.count),
        (words.is_shown(seen.sign), "yes"), (words.is_shown(draw.choice(others)), "no"),
    ]  # fmt: skip


def _of_neither(draw: random.Random) -> tuple[str, str]:
    sign = draw.random() < 0.5
    word = draw.choice(words.SIGNS if sign else words.DISEASES)
    return words.is_sign(word), "yes" if sign else "no"
