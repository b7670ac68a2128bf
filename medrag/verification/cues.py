"""What a sentence denies, and what it leaves open: cues, and how far each reaches.

Denials are those of `medrag.language`, and in English further ones that tell what was there once
("has resolved") or stand around a verb ("is not seen").
"""

import re
from collections.abc import Iterator, Sequence
from functools import cache, lru_cache
from typing import NamedTuple

from medrag.language import language_of, negated_spans
from medrag.verification.concepts import keys_of, light_keys
from medrag.verification.contradictions import side_pattern
from medrag.verification.folded import Folded

WORD = re.compile(r"[^\W\d_]+[0-9]*(?:-[0-9]+[^\W\d_]*(?!\w))?|\d+[^\W\d_]+")
BREAK = re.compile(r";|\s[–—-]\s")
_HEDGES_BEFORE = Folded(
    r"\b(?:may|might|could|possibl[ey]|probabl[ey]|likely|possibility\s+of|"
    r"potential(?:ly)?|presumptive|tentative(?:ly)?|provisional(?:ly)?|conceivabl[ey]|"
    r"presumabl[ey]|"
    r"(?:possible|probable|likely|conceivable|unclear|unknown|uncertain)\s+(?:that|whether|if)|"
    r"presumed|perhaps|suspected|"
    r"suspicio(?:n|us)(?:\s+(?:for|of))?|concern(?:ing)?\s+for|suggest\w*|"
    r"question(?:able)?(?:\s+of)?|"
    r"neither\s+\w+\s+nor\s+(?:rules?\s+out|excludes?|disproves?)|"
    r"equivocal(?:\s+for)?|cannot\s+(?:exclude|rule\s+out)|can\s?not\s+exclude|not\s+exclude|"
    r"could\s+not\s+exclude|not\s+rule\s+out|differential\s+\w+\s+includes?|versus|"
    r"family\s+history(?:\s+of)?|scheduled\s+for|planned|awaiting|referred\s+for|"
    r"(?:considered|looked|sent|submitted|searched|evaluated|tested|screened|assessed|examined|"
    r"investigated|checked|worked\s+up)\s+for|risk\s+(?:of|for)|"
    r"appears?\s+to\s+be|seems?\s+to|thought\s+to|believed\s+to|whether|if|unless|"
    r"in\s+favou?r\s+of|to\s+rule\s+out|rule\s+out)\b",
)
_HEDGES_AFTER = Folded(
    r"\b(?:(?:is|are|was|were|remains?|seems?)\s+(?:(?!not\b)\w+\s+)?(?:possible|probable|likely|"
    r"suspected|"
    r"uncertain|unclear|unknown|doubtful|inconclusive|undetermined|unproven|indeterminate|"
    r"questionable|equivocal|considered|pending|planned|"
    r"awaited|scheduled|requested|ordered|arranged|hidden|obscured|illegible|missing|feared|"
    r"dreaded|booked|outside\s+the|concealed)|(?:remains?|is|are)\s+to\s+be\s+(?:seen|confirmed|"
    r"determined)|(?:impossible|not\s+possible|hard|difficult)\s+to\s+(?:tell|say|judge|assess)|"
    r"cannot\s+(?:be\s+)?(?:entirely\s+|completely\s+)?(?:excluded|ruled\s+out|"
    r"assessed|evaluated|determined|judged|obtained|seen|examined|measured|confirmed|read)|"
    r"(?:could|can)\s+not\s+be\s+(?:\w+\s+)?(?:excluded|ruled\s+out|"
    r"assessed|evaluated|determined|confirmed|judged|seen|visuali[sz]ed|obtained|examined|read|"
    r"measured|graded|imaged|reached|tested|traced|characteri[sz]ed)|"
    r"(?:(?:did|could)\s+not|do(?:es)?\s+not(?=\s+include)|cannot|failed\s+to)\s+(?:cover|include|"
    r"reach|reveal\s+whether|allow|permit)|"
    r"not\s+(?:be(?:en)?\s+)?(?:excluded|ruled\s+out|"
    r"assessed|evaluated|certain|clear|proven|conclusive|confirmed|established|examined|tested|"
    r"measured|performed|done|recorded|stated|mentioned|specified|"
    r"documented|given|known|available|reported|imaged|included|aspirated|biopsied|scanned|"
    r"explored|inspected|obtained|assessable)(?:\s+for\s+[^,;.]+)?|"
    r"not\s+(?:\w+\s+)?(?:seen|visuali[sz]ed|shown)\s+(?:because|due|owing|as)\b|yet\s+to\s+be|"
    r"(?:can|could|was|were|is|are)?\s*(?:be\s+)?neither\s+\w+\s+nor\s+(?:excluded|disproved|"
    r"ruled\s+out)|declined|"
    r"runs?\s+in\s+(?:the|his|her|their)\s+family|"
    r"(?:in|among)\s+(?:the|its)\s+differential|unknown|pending)\b",
)
# What was there, and is not any more.
_GONE = Folded(
    r"(?<!not )(?<!n't )(?<!partly )(?<!partially )(?<!incompletely )(?<!nearly )(?<!almost )"
    r"(?<!being )\b(?:(?:completely|fully|entirely|now|since)\s+)*"
    r"(?:resolved|disappeared|subsided|vanished|gone|abated|faded|receded|worn\s+off|resorbed|"
    r"(?:been|was|were)\s+(?:refuted|disproved|dismissed)|regressed\s+completely|"
    r"in\s+(?:complete\s+)?remission|(?:has|have|had)\s+(?:since\s+)?(?:cleared|settled|"
    r"passed(?!\s+(?:the|a|an)\b)|"
    r"been\s+(?:removed|eradicated|cured|eliminated|taken\s+(?:out|off|down)|pulled|extracted|"
    r"lifted|drained|evacuated))|(?:stopped|ceased|cleared\s+up)(?=\W*\Z|\s+(?:after|on|in|by|"
    r"within|with|"
    r"when|spontaneously|completely)\b)|"
    r"(?:is|are|was|were)\s+(?:missing|lacking|unavailable|out\s+of\s+the\s+question)|"
    r"(?:been|was|were)\s+(?:stopped|discontinued|cleared|withdrawn|withheld|omitted|cancelled|"
    r"abandoned))\b",
)
# Denials that the tables of languages do not have: after what they deny.
_DENIED_AFTER = Folded(
    r"\b(?:(?:is|are|was|were)\s+not|(?:has|have|had)\s+not(?:\s+been)?|does\s+not|do\s+not|"
    r"did\s+not|"
    r"isn't|aren't|wasn't|weren't|never)\s+(?:\w+ly\s+)?(?:seen|necessary|needed|required|"
    r"indicated|present|evident|visible|apparent|"
    r"possible|"
    r"identified|among|detected|found|noted|observed|there|persist\w*|continue\w*|demonstrated|"
    r"shown|"
    r"appreciated|exist\w*|occur\w*)\b|\bnot\s+present\b",
)
# "HIV excluded", in a list without verbs.
_BARE = Folded(
    r"(?<!been)(?<!was)(?<!were)(?<!is)(?<!are)(?<!be)(?<!not)(?<!and)(?<!or)(?<!as)\s+"
    r"(?:excluded|ruled\s+out|absent|unlikely)(?=\s*(?:[,;.]|\Z))",
)
# And before it.
_DENIED_BEFORE = Folded(
    r"\b(?:(?<!been )(?<!was )(?<!were )(?<!is )(?<!are )(?<!be )(?:excluded|"
    r"ruled\s+out)(?=\s+(?!by\b|from\b|in\b|on\b|with\b|after\b|because\b)\w)|"
    r"spares|sparing|unable\s+to|inability\s+to|incapable\s+of|"
    r"(?:refrains?|abstains?|abstained|refrained)\s+from|rid\s+of|nil|(?:stopped|quit|ceased|"
    r"gave\s+up)(?=\s+(?:taking|using|smoking|drinking|"
    r"the\b|\w+ing\b)))",
)
_IS_NOT = re.compile(r"\s*(?:is|are|was|were)\s+not\b", re.IGNORECASE)
_DENYING = re.compile(
    r"\b(?:nothing|no|not|without|nor|never|neither)\s+(?:to\s+|a\s+|any\s+)?\Z", re.IGNORECASE
)
_NOT_YET = re.compile(r"\bnot yet\b", re.IGNORECASE)
_NO_FURTHER = re.compile(r"\bno further\b", re.IGNORECASE)
# An article, unless a preposition stands before it ("of the lung").
_SUBJECT = re.compile(
    r"(?<![\w])(?<!of )(?<!in )(?<!on )(?<!at )(?<!to )(?<!for )(?<!from )(?<!with )(?<!by )"
    r"(?<!and )(?<!within )(?<!under )(?<!over )(?<!above )(?<!below )(?<!near )(?<!behind )"
    r"(?:the|her|his|its|their)\b",
    re.IGNORECASE,
)
# "absent on admission" denies what stands before it.
_ABSENT_AT = re.compile(
    r"\b(?:absent|negative|denied)\s+(?:on|in|at|from|during|after|by|before|within|since)\b",
    re.IGNORECASE,
)
# "negative for" denies what follows, not what was tested.
_NEGATIVE_FOR = re.compile(r"\W*(?:\w+\s+)?negative\s+for\b", re.IGNORECASE)
_LETTERS = re.compile(r"\b(?!and\b|but\b)[a-z]{2,}", re.IGNORECASE)
_COMMA_AND = re.compile(r",\s+and\s+", re.IGNORECASE)


def denied_spans(
    sentence: str, clauses: Sequence[tuple[int, int]], language: str
) -> list[tuple[int, int]]:
    """Find what is denied: by the cues of the language, and in English by what has gone.

    Args:
        clauses: spans of the sentence; an English cue of our own reaches no further than its own.
    """
    may = _may_deny(sentence, language)
    if language != "en":
        return negated_spans(sentence, language) if may else []
    # Of one length, so that places stay: "no further treatment" denies treatment.
    plain = _NO_FURTHER.sub("no other  ", sentence)
    plain = _NOT_YET.sub("not    ", plain)
    spans = negated_spans(plain, language) if may else []
    # "is not enlarged" denies that it is enlarged, not that it is there.
    spans = [
        (start, end)
        for start, end in spans
        if not ((after := _IS_NOT.match(plain, end)) and _says_more(plain, after.end(), language))
    ]
    spans = [
        (_behind_and(plain, start, end), end)
        for start, end in spans
        if not _ABSENT_AT.search(plain, max(0, start - 10), start + 8)
        and not _NEGATIVE_FOR.match(plain, end)
    ]
    cues = _cues(sentence)
    for place, _ in (*cues.gone, *_DENIED_AFTER.spans(sentence)):
        begin = _begin(place, sentence, clauses)
        spans.append((_phrase(sentence, begin, place), place))
    for place, _ in _BARE.spans(sentence):
        begin = _begin(place, sentence, clauses)
        comma = max(sentence.rfind(mark, begin, place) for mark in ",:")
        spans.append((max(begin, comma + 1), place))
    for _, place in cues.denied_before:
        spans.append((place, _end(place, sentence, clauses)))
    return sorted(set(spans))


def _behind_and(sentence: str, start: int, end: int) -> int:
    """Start behind ", and" where that joins two clauses, not the last of a list."""
    match = _COMMA_AND.search(sentence, start, end)
    if match is None or "," in sentence[start : match.start()]:
        return start
    return match.end()


def _phrase(sentence: str, begin: int, end: int) -> int:
    """Find where the subject begins: "after two days the fever" denies no days."""
    starts = [match.start() for match in _SUBJECT.finditer(sentence, begin, end)]
    return starts[-1] if starts else begin


def _says_more(sentence: str, start: int, language: str) -> bool:
    clause = re.split(r"[,;.:]", sentence[start:], maxsplit=1)[0]
    return bool(frozenset(keys_in(clause, language)) - light_keys())


def _stops(sentence: str) -> list[tuple[int, int]]:
    found = [match.span() for match in BREAK.finditer(sentence)]
    return found + [
        match.span()
        for match in re.finditer(r"\b(?:but|while|whereas|although|however)\b", sentence)
    ]


def open_spans(sentence: str, clauses: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Find what English leaves open: behind "may", before "cannot be excluded"."""
    spans = []
    cues = _cues(sentence)
    for first, last in cues.hedges_after:
        begin = _begin(first, sentence, clauses)
        if not _LETTERS.search(sentence, begin, first):
            # "tests have been sent and are pending"
            begin = max((start for start, _ in clauses if start < begin), default=begin)
        spans.append((begin, last))
    for first, last in cues.hedges_before:
        # "nothing suggests" denies; "in May" is a month.
        if sentence[first:last] == "May" and first:
            continue
        if _DENYING.search(sentence, 0, first):
            continue
        if not within(first, spans):
            spans.append((first, _end(last, sentence, clauses)))
    return spans


def _begin(place: int, sentence: str, clauses: Sequence[tuple[int, int]]) -> int:
    begins = [b for _, b in _stops(sentence) if b <= place]
    return max([*begins, *(start for start, _ in clauses if start <= place)], default=0)


def _end(place: int, sentence: str, clauses: Sequence[tuple[int, int]]) -> int:
    ends = [a for a, _ in _stops(sentence) if a >= place]
    return min([*ends, *(end for _, end in clauses if end >= place)], default=len(sentence))


def cue_spans(sentence: str) -> list[tuple[int, int]]:
    """Find the English cues themselves: they say nothing else."""
    return [span for spans in _cues(sentence) for span in spans]


class _Cues(NamedTuple):
    """Where a sentence has English cues, by what they do to what stands before or after them."""

    hedges_before: tuple[tuple[int, int], ...]
    hedges_after: tuple[tuple[int, int], ...]
    gone: tuple[tuple[int, int], ...]
    denied_before: tuple[tuple[int, int], ...]


@lru_cache(maxsize=1 << 6)
def _cues(sentence: str) -> _Cues:
    patterns = (_HEDGES_BEFORE, _HEDGES_AFTER, _GONE, _DENIED_BEFORE)
    return _Cues(*(tuple(pattern.spans(sentence)) for pattern in patterns))


def keys_in(text: str, language: str) -> Iterator[str]:
    """Give what the words of a text mean, in order; sides left out."""
    bare = side_pattern(language).sub(" ", text)
    for match in WORD.finditer(bare):
        yield from keys_of(match.group().lower(), language)


def within(place: int, spans: Sequence[tuple[int, int]]) -> bool:
    """Tell whether a place lies in one of some spans."""
    return bool(spans) and any(start <= place < end for start, end in spans)


def _may_deny(sentence: str, language: str) -> bool:
    return not _first_words(language).isdisjoint(re.findall(r"[^\W_]+", sentence.lower()))


@cache
def _first_words(language: str) -> frozenset[str]:
    """The first word of each cue: a sentence without any holds no cue, and most are so."""
    known = language_of(language)
    cues = known.negations_before + known.negations_after
    return frozenset(m.group() for cue in cues if (m := re.match(r"[^\W_]+", cue)))
