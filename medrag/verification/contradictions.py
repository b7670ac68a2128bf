"""Where a claim names another side than its evidence, or affirms what its evidence denies.

A rule of thumb without a model. A sentence falls into parts, at punctuation and conjunctions; each
part has the stems of its words, the sides that it names, and may be denied. Two parts speak of the
same thing if the evidence holds more than half of the claim's stems in one part. Words of anatomy
and of reporting ("lobe", "upper", "shows") are not counted: a left and a right lobe are no
contradiction by themselves.

What it cannot see: synonyms, sides that only a pronoun refers to, and parts that say the opposite
in other words ("enlarged", "of normal size").
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache, lru_cache
from itertools import chain
from types import MappingProxyType
from typing import NamedTuple

from medrag.language import language_of, negated_spans, sentences, stems
from medrag.language.known import read_as
from medrag.records import Passage

NAMED_SIDES = MappingProxyType(
    {
        "left": frozenset({"left"}),
        "right": frozenset({"right"}),
        "both": frozenset({"left", "right"}),
    }
)
# Whole words by language: left, right, both.
_SIDES: Mapping[str, tuple[str, str, str]] = MappingProxyType(
    {
        "en": (r"left(?:wards?)?", r"right(?:wards?)?", r"bilateral(?:ly)?|both"),
        "de": (
            r"link(?:e[rnms]?|s)",
            r"recht(?:e[rnms]?|s)",
            r"beid(?:e[rnm]?|seits)|bilateral\w*",
        ),
        "fr": (r"gauches?", r"droite?s?", r"bilatéra\w+|deux"),
        "es": (r"izquierd[oa]s?", r"derech[oa]s?", r"bilateral(?:es)?|amb[oa]s"),
        "it": (r"sinistr[oaie]", r"destr[oaie]", r"bilateral[ei]|entramb[ie]"),
        "pt": (r"esquerd[oa]s?", r"direit[oa]s?", r"bilatera(?:l|is)|amb[oa]s"),
        "nl": (r"linker\w*|links\w*", r"rechter\w*|rechts\w*", r"beide|bilatera\w+|tweezijdig\w*"),
    }
)
# Words that parts share without speaking of the same finding.
_COMMON = """
lung lungs lobe lobar upper lower middle mid side sided hemithorax apex base basal zone field region
area image picture scan film radiograph x ray view show shown see seen note noted demonstrate reveal
patient evident present finding evidence sign suggest appear visible absent negative identified
"""
_MORE_THAN = 0.5
_WORD = re.compile(r"[^\W_]+")
_PUNCTUATION = r"[,;:!?()]|\.(?=\s|$)"


class Contradictions(NamedTuple):
    """What of a claim stands against its evidence."""

    laterality: bool
    negation: bool


class Part(NamedTuple):
    """A part of a sentence: stems of its words, the sides named, and whether it is denied.

    `sure`: whether the sides are those of the stems; not so where one part names the left and the
    right by a word each ("a left effusion displaces the right lung").
    """

    stems: frozenset[str]
    sides: frozenset[str]
    denied: bool
    sure: bool = True


def contradictions(claim: str, passages: Sequence[Passage]) -> Contradictions:
    """Compare a claim with the passages that it cites.

    Laterality: the evidence names a side for what the claim speaks of, but not that of the claim
    ("bilateral" names both). Negation: it affirms what the claim denies, or denies what the claim
    affirms, and nowhere says the same as the claim.

    The language is that of the first passage; one that is not in `LANGUAGES` is read as English.
    """
    texts = tuple((each.text, known_language(each)) for each in passages)
    return _contradictions(claim, texts)


# An answer's claims are asked about twice: for their support, and for the contradictions.
@lru_cache(maxsize=1 << 8)
def _contradictions(claim: str, texts: tuple[tuple[str, str], ...]) -> Contradictions:
    laterality = negation = False
    for part in sentence_parts(claim, texts[0][1]) if texts else ():
        matching = list(_matching(part, texts))
        same = [each for each in matching if each.denied == part.denied]
        named = frozenset().union(*(each.sides for each in same))
        laterality |= bool(named) and part.sure and not part.sides <= named
        opposed = any(
            each.denied != part.denied and _may_be_one_side(part, each) for each in matching
        )
        negation |= opposed and not same
    return Contradictions(laterality, negation)


def known_language(passage: Passage) -> str:
    """Give the language of a passage, English where it is not in `LANGUAGES`."""
    return read_as(passage.source.language)


@lru_cache(maxsize=1 << 14)
def sentence_parts(sentence: str, language: str) -> tuple[Part, ...]:
    """Divide a sentence into its parts; a part of common words alone is left out.

    A side that stands alone ("left and right lungs") belongs to the next part.
    """
    denied = _denied(sentence, language)
    parts: list[Part] = []
    waiting: frozenset[str] = frozenset()
    for start, end in _segments(sentence, language):
        segment = sentence[start:end]
        named = [str(match.lastgroup) for match in side_pattern(language).finditer(segment)]
        sides = frozenset().union(*(NAMED_SIDES[each] for each in named))
        outside, inside = _stems(sentence, (start, end), denied, language)
        if sides and not (inside or outside):
            waiting |= sides
            continue
        sure = len(set(named)) < 2
        sides |= waiting if sides else frozenset()
        waiting = frozenset()
        if outside:
            parts.append(Part(outside, sides, denied=False, sure=sure))
        if inside:
            parts.append(Part(inside, sides, denied=True, sure=sure))
    return tuple(parts)


@lru_cache(maxsize=1 << 12)
def stem_set(text: str, language: str) -> frozenset[str]:
    """Give the stems of a text, kept for the passages that were asked for last."""
    return frozenset(stems(text, language))


@lru_cache(maxsize=1 << 11)
def _sentences(text: str, language: str) -> tuple[tuple[str, frozenset[str]], ...]:
    found = (text[start:end] for start, end in sentences(text, language))
    return tuple((sentence, _by_word(sentence, language)) for sentence in found)


def _by_word(sentence: str, language: str) -> frozenset[str]:
    """Give the stems of a sentence; the analyzer is slow to start, and words come again."""
    each = (_word_stems(word, language) for word in _WORD.findall(sentence.lower()))
    return frozenset(chain.from_iterable(each))


@lru_cache(maxsize=1 << 15)
def _word_stems(word: str, language: str) -> tuple[str, ...]:
    return tuple(stems(word, language))


def _matching(part: Part, texts: Sequence[tuple[str, str]]) -> Iterator[Part]:
    """Give the parts of the evidence that speak of the same thing."""
    least = _MORE_THAN * len(part.stems)
    for text, language in texts:
        if len(part.stems & stem_set(text, language)) <= least:
            continue
        for sentence, held in _sentences(text, language):
            if len(part.stems & held) > least:
                for other in sentence_parts(sentence, language):
                    if len(part.stems & other.stems) > least:
                        yield other


def _denied(sentence: str, language: str) -> list[tuple[int, int]]:
    # A sentence without the first word of any cue holds no cue, and most are so.
    if _first_words(language).isdisjoint(_WORD.findall(sentence.lower())):
        return []
    return negated_spans(sentence, language)


@cache
def _first_words(language: str) -> frozenset[str]:
    known = language_of(language)
    phrases = known.negations_before + known.negations_after
    return frozenset(match.group() for phrase in phrases if (match := _WORD.match(phrase)))


def _may_be_one_side(one: Part, other: Part) -> bool:
    return not one.sides or not other.sides or bool(one.sides & other.sides)


def _stems(
    sentence: str, span: tuple[int, int], denied: Sequence[tuple[int, int]], language: str
) -> tuple[frozenset[str], frozenset[str]]:
    """Give the stems of a segment outside and inside what is denied, sides left out."""
    start, end = span
    bare = side_pattern(language).sub(lambda match: " " * len(match.group()), sentence[start:end])
    inside, outside, last = "", "", 0
    for first, after in denied:
        low, high = max(first - start, last), min(after - start, len(bare))
        if low < high:
            outside += f"{bare[last:low]} "
            inside += f"{bare[low:high]} "
            last = high
    return _telling(outside + bare[last:], language), _telling(inside, language)


def _telling(text: str, language: str) -> frozenset[str]:
    found = _by_word(text, language)
    return found - _common() if language == "en" else found


def _segments(sentence: str, language: str) -> Iterator[tuple[int, int]]:
    last = 0
    for match in _breaks(language).finditer(sentence):
        yield last, match.start()
        last = match.end()
    yield last, len(sentence)


@cache
def _common() -> frozenset[str]:
    return frozenset(stems(_COMMON, "en"))


@cache
def _breaks(language: str) -> re.Pattern[str]:
    known = language_of(language)
    phrases = sorted(
        {*known.conjunctions, *known.list_ends, *known.scope_ends}, key=len, reverse=True
    )
    words = "|".join(re.escape(phrase).replace(r"\ ", r"\s+") for phrase in phrases)
    return re.compile(rf"{_PUNCTUATION}|(?<!\w)(?:{words})(?!\w)", re.IGNORECASE)


@cache
def side_pattern(language: str) -> re.Pattern[str]:
    """Find the words of sides; `lastgroup` is a key of `NAMED_SIDES`."""
    left, right, both = _SIDES[language]
    pattern = rf"(?<!\w)(?:(?P<left>{left})|(?P<right>{right})|(?P<both>{both}))(?!\w)"
    return re.compile(pattern, re.IGNORECASE)
