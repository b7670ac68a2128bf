"""Yes or no: let the evidence vote, with what it denies counted as denied."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from medrag.generation.asked import answer_sign, content_stems
from medrag.generation.extractive.evidence import Pool, Unit
from medrag.generation.extractive.pictures import nearness, same_question
from medrag.language import asks_yes_or_no, negated_spans, stems
from medrag.records import Passage, Question

Word = Literal["Yes", "No"]

# A sentence votes if it holds this share of the question's words, its first and last among them;
# the short phrases of reports and captions leave more unsaid, and need the last only.
_SHARE = 0.75
_QUORUM = {"report": 0.5, "image": 0.5, "figure": 0.6}
# Most words that may stand between those of the question.
_SPREAD = 5
# Votes that the evidence must be worth before the margin of a one-sided vote nears 1.
_DOUBT = 0.25
_KIND_OF = re.compile(
    r"(?:is|are|was|were)\s+(?!there\b|this\b|these\b|it\b).+?\s+an?\s+(?:\w+[\s-])?\w+\W*", re.I
)
_PRESENCE = re.compile(r"(?:is|are|was|were) there\b|any\b", re.I)
_OF_PATIENTS = frozenset({"report", "case", "image", "figure"})
_COPULA = re.compile(
    r"(?:\w+\s+){0,2}(?:is|are|was|were|being|as|is_a|called)\b(?:\W+\w+){0,4}?", re.I
)
_WORD = re.compile(r"[^\W_]+")
_TAG = re.compile(r"[^\w\s]")


@dataclass(frozen=True, slots=True)
class Verdict:
    """The outcome of a vote.

    Attributes:
        word: "Yes" or "No"; None if nothing voted or the votes are even.
        margin: in [0, 1), the difference of the two sides as a share of all votes, less for few.
        supports: the sentences of the winning side, strongest first.
    """

    word: Word | None
    margin: float
    supports: tuple[Unit, ...]


@dataclass(frozen=True, slots=True)
class Vote:
    """What one sentence says: positive for yes, negative for no."""

    weight: float
    unit: Unit


def is_polar(question: Question, language: str = "en") -> bool:
    """Tell whether a question is answered by yes or no; "is it A or B?" is not."""
    if question.options:
        named = {_TAG.sub("", option).strip().lower() for option in question.options}
        return named == {"yes", "no"}
    return asks_yes_or_no(question.text, language)


def vote(question: Question, pool: Pool) -> Verdict:
    """Let every sentence that names what the question asks for vote yes or no.

    A sentence votes no where it denies a word that it shares with the question. Its vote weighs
    more the more of the question it holds, the closer together, and the better its passage ranks.
    A case that was asked nearly the same votes with its answer. A fact votes if both of its ends
    are named. Whether something is there in a picture or a patient is for reports, cases and
    captions to say, not for a book that explains it; of a picture only what stands with pictures
    says anything, the more the nearer they are.
    """
    votes = [cast for unit in pool.units if (cast := _vote(question, unit, pool)) is not None]
    votes = _about_patients(question, votes)
    for_yes = sum(one.weight for one in votes if one.weight > 0)
    for_no = -sum(one.weight for one in votes if one.weight < 0)
    if for_yes == for_no:
        return Verdict(None, 0.0, ())
    word: Word = "Yes" if for_yes > for_no else "No"
    margin = abs(for_yes - for_no) / (for_yes + for_no + _DOUBT)
    return Verdict(word, margin, _side(votes, word))


def _about_patients(question: Question, votes: list[Vote]) -> list[Vote]:
    if not (question.images or _PRESENCE.match(question.text.strip())):
        return votes
    patients = [one for one in votes if one.unit.hit.passage.kind in _OF_PATIENTS]
    if patients or question.images:
        return patients
    return [one for one in votes if one.unit.hit.passage.kind not in ("term", "fact")]


def _side(votes: Sequence[Vote], word: Word) -> tuple[Unit, ...]:
    sign = 1 if word == "Yes" else -1
    agreeing = [one for one in votes if one.weight * sign > 0]
    return tuple(one.unit for one in sorted(agreeing, key=lambda one: -abs(one.weight)))


def _vote(question: Question, unit: Unit, pool: Pool) -> Vote | None:
    by_picture = bool(question.images) and pool.compares_pictures
    near = nearness(unit, by_picture=by_picture)
    if unit.hit.passage.kind == "case":
        share = same_question(question.text, unit.hit.passage, pool.language, by_picture=by_picture)
        weight = share ** (2 if by_picture else 4) * near
        sign = answer_sign(unit.hit.passage.fields.get("answer"))
    else:
        asked = content_stems(question.text, pool.language)
        sign = -1 if _denies(unit, asked, pool.language) else 1
        weight = near * _weight(question.text, asked, unit, pool)
    return Vote(sign * weight, unit) if sign * weight else None


def _weight(text: str, asked: tuple[str, ...], unit: Unit, pool: Pool) -> float:
    """Weigh a sentence by how much of a question it holds, and how close together."""
    share, spread = _held(asked, unit)
    quorum = _QUORUM.get(unit.hit.passage.kind)
    if share < (quorum or _SHARE) or spread > _SPREAD:
        return 0.0
    if quorum is None and asked[0] not in unit.stems:
        return 0.0
    if unit.hit.passage.kind == "fact" and not _states(asked, unit.hit.passage, pool.language):
        return 0.0
    if _asks_what_kind(text, pool.language) and not _says_what_kind(asked, unit):
        return 0.0
    return float(share**4 / (1 + spread / _SPREAD))


def _states(asked: tuple[str, ...], fact: Passage, language: str) -> bool:
    """Tell whether a fact joins what a question names, and not something narrower.

    Of a kind of thing its first words may stay unsaid: a cell type cancer is a cancer. The head is
    asked for first: "is gout an arthritis?" and not "is an arthritis gout?".
    """
    head = stems(str(fact.fields.get("head") or ""), language)
    tail = stems(str(fact.fields.get("tail") or ""), language)
    if not head or not tail or not set(head) <= set(asked):
        return False
    if _TAG.sub(" ", str(fact.fields.get("relation") or "")).replace("_", " ") != "is a":
        return set(tail) <= set(asked)
    rest = set(asked) - set(head) or set(tail)
    return asked[0] in head and asked[-1] == tail[-1] and rest <= set(tail)


def _held(asked: tuple[str, ...], unit: Unit) -> tuple[float, int]:
    """Give the share of a question's words that a sentence holds, and the words between them.

    The share is 0 if the last word of the question is not among them: it is what the question
    asks of the others ("is the heart enlarged").
    """
    if not asked or asked[-1] not in unit.stems:
        return 0.0, 0
    held = [stem for stem in asked if stem in unit.stems]
    places = [[i for i, one in enumerate(unit.stems) if one == stem] for stem in held]
    widths = []
    for anchor in places[-1]:
        nearest = [min(where, key=lambda place: abs(place - anchor)) for where in places]
        widths.append(max(nearest) - min(nearest) + 1)
    return len(held) / len(asked), min(widths) - len(held)


def _asks_what_kind(text: str, language: str) -> bool:
    """Tell whether a question asks if one thing is another ("is the aorta a vein?")."""
    return language == "en" and _KIND_OF.match(text.strip()) is not None


def _says_what_kind(asked: tuple[str, ...], unit: Unit) -> bool:
    """Tell whether a sentence says of the first that it is the last of what is asked."""
    if unit.hit.passage.kind == "fact":
        return True
    words = list(_WORD.finditer(unit.text))
    named = [(one.span(), set(stems(one.group(), "en"))) for one in words]
    first = [span for span, own in named if asked[0] in own]
    last = [span for span, own in named if asked[-1] in own]
    return any(
        _COPULA.fullmatch(unit.text[start[1] : end[0]].strip()) is not None
        for start in first
        for end in last
        if start[1] < end[0]
    )


def _denies(unit: Unit, asked: tuple[str, ...], language: str) -> bool:
    """Tell whether a sentence denies one of the words that it shares with the question."""
    spans = negated_spans(unit.text, language)
    return any(
        stem in asked for start, end in spans for stem in stems(unit.text[start:end], language)
    )
