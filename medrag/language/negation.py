"""Which words of a sentence are denied: cue phrases and how far each reaches.

Source:
    Chapman, Bridewell, Hanbury, Cooper & Buchanan, "A simple algorithm for identifying negated
    findings and diseases in discharge summaries", J. Biomed. Inform. 34, 2001 (NegEx): cues before
    and after a finding, pseudo-negations, and words that end a cue's reach. Here a cue reaches to
    the end of its clause instead of a fixed number of words, and a comma or an "and" ends it only
    where a clause with a verb of its own follows. The lists are our own.
"""

import re
from functools import cache
from typing import Literal

from medrag.language.analysis import stems
from medrag.language.tables import Language, language_of

Mention = Literal["affirmed", "negated", "absent"]

# Characters that a cue reaches at most: more than any list of findings in a report. A model that
# repeats itself for pages would otherwise cost the square of its length.
_FARTHEST = 600
_STOP = re.compile(r"[;:!?]|\.(?=\s|$)")
_COMMA = re.compile(r",(?!\d)")
_WORD = re.compile(r"[^\W_]+")


def is_negated(sentence: str, term: str, language: str = "en") -> bool:
    """Tell whether a sentence names a term and denies every mention of it.

    Raises:
        ValueError: if the language is not in `LANGUAGES`.
    """
    return mention(sentence, term, language) == "negated"


def mention(sentence: str, term: str, language: str = "en") -> Mention:
    """Tell whether a sentence affirms a term, denies it, or does not name it.

    The words of the term are compared by their stems and must stand in order, with no more than
    two other words between neighbours ("pleural effusions" names "pleural effusion"). A term
    without a word that is not a stop word is absent.

    Raises:
        ValueError: if the language is not in `LANGUAGES`.
    """
    found = _places(sentence, term, language)
    if not found:
        return "absent"
    denied = negated_spans(sentence, language)
    if all(any(start < e and end > s for s, e in denied) for start, end in found):
        return "negated"
    return "affirmed"


def negated_spans(sentence: str, language: str = "en") -> list[tuple[int, int]]:
    """Find the character spans that negation cues reach, the cues themselves left out.

    Raises:
        ValueError: if the language is not in `LANGUAGES`.
    """
    cues = _cues(language)
    lowered = _unfolded_lower(sentence)
    shielded = [match.span() for match in cues.pseudo.finditer(lowered)]
    spans: list[tuple[int, int]] = []
    for match in cues.before.finditer(lowered):
        if not _within(match.span(), shielded):
            spans.append((match.end(), _reach(lowered, match.end(), cues)))
    for match in cues.after.finditer(lowered):
        if not _within(match.span(), shielded):
            spans.append((_clause_start(lowered, match.start(), cues), match.start()))
    return sorted(span for span in spans if span[0] < span[1])


class _Cues:
    def __init__(self, known: Language) -> None:
        self.pseudo = _phrases(known.pseudo_negations)
        self.before = _phrases(known.negations_before)
        self.after = _phrases(known.negations_after)
        self.ends = _phrases(known.scope_ends)
        self.joins = _phrases(known.conjunctions)
        self.verbs = _phrases(known.clause_verbs)
        self.negated_lists = _phrases(known.list_ends)


@cache
def _cues(language: str) -> _Cues:
    return _Cues(language_of(language))


def _phrases(phrases: tuple[str, ...]) -> re.Pattern[str]:
    """Compile phrases into one pattern, longest first; "*" stands for the rest of a word."""
    if not phrases:
        return re.compile(r"(?!)")
    ordered = sorted(phrases, key=len, reverse=True)
    bodies = [re.escape(p).replace(r"\*", r"\w*").replace(r"\ ", r"[\s-]+") for p in ordered]
    return re.compile(r"(?<!\w)(?:" + "|".join(bodies) + r")(?!\w)")


def _unfolded_lower(text: str) -> str:
    if text.isascii():
        return text.lower()
    # Lower-casing may change lengths ("İ"); positions must stay those of the sentence.
    return "".join(low if len(low := char.lower()) == 1 else char for char in text).replace(
        "’", "'"
    )


def _within(span: tuple[int, int], others: list[tuple[int, int]]) -> bool:
    return any(start <= span[0] < end or start < span[1] <= end for start, end in others)


def _reach(text: str, start: int, cues: _Cues) -> int:
    """Find where a cue that stands before its findings stops to deny."""
    end = min(len(text), start + _FARTHEST)
    for pattern in (_STOP, cues.ends):
        if match := pattern.search(text, start, end):
            end = min(end, match.start())
    breaks = [m.span() for p in (_COMMA, cues.joins) for m in p.finditer(text, start, end)]
    for begin, after in sorted(breaks):
        if _new_clause(text, after, end, cues):
            return begin
    return end


def _new_clause(text: str, start: int, end: int, cues: _Cues) -> bool:
    """Tell whether what follows a comma or an "and" is a clause, not the next of a list."""
    lead = _WORD.search(text, start, end)
    if lead is None or cues.negated_lists.fullmatch(lead.group()):
        return False
    comma = _COMMA.search(text, start, end)
    stop = comma.start() if comma else end
    return cues.verbs.search(text, start, stop) is not None


def _clause_start(text: str, end: int, cues: _Cues) -> int:
    """Find where a cue that stands after its findings starts to deny."""
    start = max(0, end - _FARTHEST)
    for pattern in (_STOP, cues.ends):
        for match in pattern.finditer(text, start, end):
            # "Effusion: negative" denies what stands before the colon.
            if text[match.end() : end].strip():
                start = max(start, match.end())
    joins = [m.span() for p in (_COMMA, cues.joins) for m in p.finditer(text, start, end)]
    for begin, after in sorted(joins, reverse=True):
        if cues.verbs.search(text, start, begin):
            return after
    return start


def _places(sentence: str, term: str, language: str) -> list[tuple[int, int]]:
    """Find the spans in which a sentence names a term."""
    wanted = stems(term, language)
    if not wanted:
        return []
    tokens = [
        (stem, match.start(), match.end())
        for match in _WORD.finditer(sentence)
        for stem in stems(match.group(), language)
    ]
    places = []
    for first, (stem, start, _) in enumerate(tokens):
        if stem == wanted[0]:
            last = _follow(tokens, first, wanted)
            if last is not None:
                places.append((start, tokens[last][2]))
    return places


def _follow(tokens: list[tuple[str, int, int]], first: int, wanted: list[str]) -> int | None:
    place = first
    for stem in wanted[1:]:
        near = range(place + 1, min(place + 4, len(tokens)))
        step = next((i for i in near if tokens[i][0] == stem), None)
        if step is None:
            return None
        place = step
    return place
