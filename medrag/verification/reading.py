"""What a sentence says: its words by meaning, each affirmed, denied or left open, with its side.

A sentence is read in units: clauses that have a verb of their own, or what a semicolon ends.
English is read whole; of other languages words, sides, negations and numbers are.
"""

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

from medrag.language import sentences
from medrag.verification.clauses import VERBS, clauses, first_word, pieces, split
from medrag.verification.concepts import (
    abnormal_keys,
    keys_of,
    light_keys,
    rewritten,
    size_keys,
    well_keys,
)
from medrag.verification.contradictions import side_pattern
from medrag.verification.cues import (
    BREAK,
    WORD,
    cue_spans,
    denied_spans,
    keys_in,
    open_spans,
    within,
)
from medrag.verification.mentions import mentions, sides_by_word, with_sides
from medrag.verification.quantities import Measure, measures

_NOT_BEFORE = re.compile(r"(?:\b(?:not|never)|n't)\s*\Z", re.IGNORECASE)
_ITEM = re.compile(r"[,;/]|\b(?:or|nor|and)\b", re.IGNORECASE)
_PLACE = re.compile(
    r"\b(?:in|of|at|on|within|from|under|above|below|near|along|behind|over|between|through|into|"
    r"around|among)\b",
    re.IGNORECASE,
)
_LED = re.compile(r"\A\s*(?:to|by|for|with|in|of|at|on|from)\b", re.IGNORECASE)
# A test that is negative denies what it was for.
_TESTED = re.compile(
    r"\b(?:tests?|tested|testing|cultures?|serology|screen\w*|stain\w*|search\w*|swabs?|pcr|"
    r"assays?)"
    r"\b[^,;]*\bfor\s+(.+)",
    re.IGNORECASE,
)
# What is said of time, cause and manner does not narrow what is denied.
_ASIDE = re.compile(
    r"\b(?:after|before|during|since|despite|until|to|by|with|for|when|following|because|as|that|"
    r"which|than|where|on\s+"
    r"(?:follow|exam|inspection|palpation|admission|discharge|imaging|ct|mri))\b",
    re.IGNORECASE,
)
_BARE_SIDE = re.compile(r"\W*(?:(?:and|but|that|on|in)\s+)*the\s+(?:left|right)\b", re.IGNORECASE)
# A clause that says of its subject only that it is not there.
_WHOLLY_DENIED = re.compile(
    r"\W*(?:is|are|was|were|has|have)\s+(?:been\s+|now\s+)?(?:not\s+(?:seen|present|visible|found)|"
    r"absent|negative|excluded|ruled\s+out|resolved|gone)\b",
    re.IGNORECASE,
)
_THE = re.compile(r"\W*(?:the|this|her|his|its|their)\b", re.IGNORECASE)
_SO_IS = re.compile(
    r"\W*(?:so|likewise|nor|neither|as)\s+(?:is|are|was|were|does|do|did|has|have)\b", re.IGNORECASE
)
_WHICH = re.compile(r",\s+(?:which|who|that)\s?\Z")
_NOUN = re.compile(r"\b(?:an?|the|his|her|its|their)\s", re.IGNORECASE)
_PRONOUN = re.compile(
    r"\W*(?:it|its|this|these|they|their|he|his|she|her|there|the\s+(?:latter|patient)|provided|so|"
    r"because|when|where|which|who|that|as|being|since|if)\b",
    re.IGNORECASE,
)
_NORMAL = ("normal",)


class Token(NamedTuple):
    """A word of a unit.

    Attributes:
        key: what it means.
        place: of its first character in the sentence.
        denied: whether a negation reaches it.
        open: whether the sentence leaves it open: "may", "cannot be excluded".
        sides: "left", "right", both or neither.
        own: whether a side stands with this very word.
    """

    key: str
    place: int
    denied: bool
    open: bool
    sides: frozenset[str]
    own: bool


class Denial(NamedTuple):
    """One thing that is denied.

    Attributes:
        keys: what it is.
        places: where, if it says so.
        head: the last of the keys, which the others describe.
        predicate: whether a verb is denied ("does not enhance"), which is said of a subject.
        the: whether it is a certain one ("the haematoma has resolved").
        aside: words of time, cause and manner, which do not narrow it.
    """

    keys: frozenset[str]
    places: frozenset[str]
    head: str
    predicate: bool
    the: bool
    aside: frozenset[str] = frozenset()


class Unit(NamedTuple):
    """A clause.

    Attributes:
        text: as it is read, phrases rewritten.
        start: of the text in its sentence.
        tokens: words that say something.
        keys: of the tokens.
        affirmed, denied: keys of the tokens that are neither denied nor open; of those denied.
        sides: each mention of a side, with the keys that it stands with (none: with the whole).
        measures: numbers, by places of the text.
        denials: what is denied.
        well: whether it says that what it speaks of is normal.
        hedged: whether it leaves something open.
        follows: whether it goes on with the one before ("It measures").
    """

    text: str
    start: int
    tokens: tuple[Token, ...]
    keys: frozenset[str]
    affirmed: frozenset[str]
    denied: frozenset[str]
    sides: tuple[tuple[frozenset[str], frozenset[str]], ...]
    measures: tuple[Measure, ...]
    denials: tuple[Denial, ...]
    well: bool
    hedged: bool
    follows: bool


@lru_cache(maxsize=1 << 12)
def units(text: str, language: str) -> tuple[Unit, ...]:
    """Read a text into units, in order; one without words or numbers is left out."""
    plain = with_sides(rewritten(text)) if language == "en" else text
    found: list[Unit] = []
    for start, end in sentences(plain, language):
        for piece in pieces(plain[start:end]):
            for unit in _units_of(piece, language):
                found.append(_with_noun(unit, found[-1]) if found and language == "en" else unit)
    return tuple(found)


@lru_cache(maxsize=1 << 14)
def _units_of(sentence: str, language: str) -> tuple[Unit, ...]:
    spans = clauses(sentence) if language == "en" else split(sentence, BREAK)
    denied = denied_spans(sentence, spans, language)
    opened = open_spans(sentence, spans) if language == "en" else []
    numbers = measures(sentence)
    read: list[Unit] = []
    for span in spans:
        unit = _unit(sentence, span, denied, opened, numbers, language)
        if read and language == "en" and first_word(unit.text) in VERBS:
            which = bool(_WHICH.search(sentence, 0, span[0]))
            unit = _with_subject(unit, read[-1], which=which)
        read.append(unit)
    return tuple(unit for unit in read if unit.tokens or unit.measures or unit.sides)


def merged(several: Sequence[Unit]) -> Unit:
    """Read units as one."""
    return Unit(
        text=" ".join(unit.text for unit in several),
        start=several[0].start,
        tokens=tuple(token for unit in several for token in unit.tokens),
        keys=frozenset().union(*(unit.keys for unit in several)),
        affirmed=frozenset().union(*(unit.affirmed for unit in several)),
        denied=frozenset().union(*(unit.denied for unit in several)),
        sides=tuple(side for unit in several for side in unit.sides),
        measures=tuple(each for unit in several for each in unit.measures),
        denials=tuple(each for unit in several for each in unit.denials),
        well=any(unit.well for unit in several),
        hedged=any(unit.hedged for unit in several),
        follows=several[0].follows,
    )


def _with_subject(unit: Unit, before: Unit, *, which: bool) -> Unit:
    """Give a clause without a subject that of the clause before it, or its last noun ("which")."""
    verb = next(
        (m.start() for m in re.finditer(r"[a-z]+", before.text.lower()) if m.group() in VERBS), 0
    )
    start = before.start
    subject = tuple(t for t in before.tokens if t.place < start + verb)
    if which and (nouns := list(_NOUN.finditer(before.text))):
        subject = tuple(t for t in before.tokens if t.place >= start + nouns[-1].end())
    keys = frozenset(t.key for t in subject)
    if keys and _WHOLLY_DENIED.match(unit.text):
        denial = Denial(keys, frozenset(), subject[-1].key, predicate=False, the=True)
        return unit._replace(
            tokens=(*(t._replace(denied=True, open=False) for t in subject), *unit.tokens),
            keys=unit.keys | keys,
            denied=unit.denied | keys,
            denials=(*unit.denials, denial),
        )
    sure = frozenset(t.key for t in subject if not t.open)
    return unit._replace(
        tokens=(*subject, *unit.tokens), keys=unit.keys | keys, affirmed=unit.affirmed | sure
    )


def _with_noun(unit: Unit, before: Unit) -> Unit:
    """Give "the left", which stands without a noun, that of the clause before it."""
    if unit.sides and unit.keys <= before.keys and _SO_IS.match(unit.text):
        sides = unit.sides[0][0]
        return before._replace(
            text=unit.text,
            tokens=tuple(token._replace(sides=sides) for token in before.tokens),
            sides=((sides, before.keys),),
            follows=True,
        )
    named = [near for _, near in before.sides if near]
    bare = [sides for sides, near in unit.sides if not near]
    if not bare or not named or not _BARE_SIDE.match(unit.text):
        return unit
    tokens = tuple(
        Token(key, unit.start - 1, denied=False, open=False, sides=bare[0], own=True)
        for key in sorted(named[-1] - unit.keys)
    )
    if unit.well:  # "the left is normal": not the finding of the right
        tokens = tuple(token for token in tokens if token.key not in abnormal_keys())
    keys = frozenset(token.key for token in tokens)
    return unit._replace(
        tokens=(*tokens, *unit.tokens), keys=unit.keys | keys, affirmed=unit.affirmed | keys
    )


def _unit(
    sentence: str,
    span: tuple[int, int],
    denied: Sequence[tuple[int, int]],
    opened: Sequence[tuple[int, int]],
    numbers: Sequence[Measure],
    language: str,
) -> Unit:
    start, end = span
    own = tuple(each for each in numbers if start <= each.start < end)
    words = list(_words(sentence, span, own, language))
    named = mentions(sentence, span, words, language)
    light = light_keys() if language == "en" else frozenset()
    with_side, whole = sides_by_word(named)
    at = _attributes(words)
    tokens = tuple(
        Token(
            key,
            place,
            index in at or within(place, denied),
            within(place, opened),
            with_side.get(index, whole),
            index in with_side,
        )
        for index, (place, _, keys) in enumerate(words)
        for key in keys
        if key not in light
    )
    denials = tuple(_denials(sentence, span, denied, opened, language))
    # "no cyst in the liver" does not deny the liver.
    where = frozenset().union(*(each.places for each in denials))
    where -= frozenset().union(*(each.keys for each in denials))
    tokens = tuple(t._replace(denied=False) if t.key in where else t for t in tokens)
    keys = frozenset(token.key for token in tokens)
    sides = tuple(
        (sides, frozenset(key for index in near for key in words[index][2] if key not in light))
        for sides, near in named
    )
    affirmed = frozenset(t.key for t in tokens if not t.denied and not t.open)
    return Unit(
        text=sentence[start:end],
        start=start,
        tokens=tokens,
        keys=keys,
        affirmed=affirmed,
        denied=frozenset(t.key for t in tokens if t.denied and not t.open),
        sides=sides,
        measures=own,
        denials=denials,
        well=language == "en" and not affirmed.isdisjoint(well_keys()),
        hedged=any(a < end and b > start for a, b in opened),
        follows=bool(_PRONOUN.match(sentence[start:end])),
    )


def _attributes(words: Sequence[tuple[int, int, tuple[str, ...]]]) -> set[int]:
    """Give the words of an extent that is called normal: "of normal width" denies that it is wide.

    "Size" stays: it names no finding.
    """
    wide = abnormal_keys() & size_keys()
    return {
        index
        for index in range(1, len(words))
        if words[index - 1][2][:1] == _NORMAL and not wide.isdisjoint(words[index][2])
    }


def _words(
    sentence: str, span: tuple[int, int], numbers: Sequence[Measure], language: str
) -> Iterator[tuple[int, int, tuple[str, ...]]]:
    """Give place, end and keys of each word that is no number, no side and no hedge."""
    taken = [(each.start, each.end) for each in numbers]
    taken += [match.span() for match in side_pattern(language).finditer(sentence, *span)]
    if language == "en":
        taken += cue_spans(sentence)
    for match in WORD.finditer(sentence, *span):
        if not within(match.start(), taken):
            yield match.start(), match.end(), keys_of(match.group().lower(), language)


def _denials(
    sentence: str,
    span: tuple[int, int],
    denied: Sequence[tuple[int, int]],
    opened: Sequence[tuple[int, int]],
    language: str,
) -> Iterator[Denial]:
    light = light_keys() if language == "en" else frozenset()
    for first, last in denied:
        start, end = max(first, span[0]), min(last, span[1])
        if start >= end or within(start, opened):
            continue
        predicate = bool(_NOT_BEFORE.search(sentence[:first]))
        for low, high in split(sentence[start:end], _ITEM):
            whole = _LED.sub("", sentence[start + low : start + high])
            item, *aside = _ASIDE.split(whole, maxsplit=1)
            if tested := _TESTED.search(sentence[start + low : start + high]):
                item, aside = tested.group(1), []
            place = _PLACE.search(item)
            cut = place.start() if place else len(item)
            said = [key for key in keys_in(item[:cut], language) if key not in light]
            if place and not said:  # "sign of failure"
                item, cut = item[place.end() :], len(item)
                said = [key for key in keys_in(item, language) if key not in light]
            if said:
                places = frozenset(keys_in(item[cut:], language)) - light
                the = bool(_THE.match(item))
                beside = frozenset(key for each in aside for key in keys_in(each, language)) - light
                yield Denial(frozenset(said), places, said[-1], predicate, the, beside)
