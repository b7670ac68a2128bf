"""Where the claims of an answer stand in its text, and which of them state something."""

import re
from typing import NamedTuple

from medrag.language import leading_markers, sentences, without_markers
from medrag.records import Answer
from medrag.verification.contradictions import known_language

# What stands behind the last word of a sentence.
_CLOSING = " \t\r\n.!?…\"'”’»)}*_"
# A marker at the end, also one that points to nothing; none is longer.
_LAST_MARKER = re.compile(r"\[\s*[0-9][0-9\s,;–—-]{0,60}\]\Z")
_ASKS = re.compile(r"\?[\"'”’»)\]}*_\s]*\Z")
_BULLET = re.compile(r"\s*(?:[-*•–—]|\(?(?:\d{1,3}|[a-z])[.)])\s")
_MARKED = re.compile(r"\s*(?:#{1,6}\s|(\*\*|__)[^*_]*[^*_.!]\1:?\s*\Z)")
# The letter of an option, or a bare yes or no: they answer the question and state nothing.
_CHOICE = re.compile(
    r"\A\W*(?:(?:the\s+)?(?:(?:correct|right|best|final)\s+)?(?:answer|option|choice)s?\b"
    r"(?:\s+(?:is|are))?\W*)?(?:(?:option\s+)?\(?[A-Z]\b\W*(?:(?:,|and|or)\W*[A-Z]\b\W*)*"
    r"|(?:yes|no|true|false)\W*)\Z",
    re.IGNORECASE,
)
# Of the evidence itself, or of the writer: that the question is not answered.
_ABSTAINS = re.compile(
    r"\b(?:evidence|library|passages?|sources?|context|documents?|information|literature)\b"
    r"[^.]{0,60}?\b(?:(?:do(?:es)?|did|could|can)\s*(?:not|n't)|cannot|fails?\s+to)\s+(?:\w+\s+)?"
    r"(?:answer|say|mention|state|tell|contain|include|provide|cover|address|specify|give|discuss)"
    r"|\b(?:evidence|library|context)\b[^.]{0,20}\b(?:holds?|contains?|has|gives?|"
    r"provides?)\s+(?:no|"
    r"nothing|too\s+little|insufficient)\b"
    r"|\b(?:is|are)\s+(?:not\s+(?:enough|sufficient)|insufficient)\b[^.]{0,40}\banswer"
    r"|\bI\s+(?:cannot|can\s*not|can't|could\s+not|couldn't|do\s+not|don't|am\s+(?:not\s+able|"
    r"unable))\b",
    re.IGNORECASE,
)
_HEADING_WORDS = 8


class Stated(NamedTuple):
    """A claim of an answer, found in its text.

    Attributes:
        claim: its place in the answer's claims.
        start, end: characters of the sentence, with its markers.
        insert: where a marker would stand: behind the last word.
        states: False for headings, questions, choices of an option, and sentences that only say
            that nothing is known.
    """

    claim: int
    start: int
    end: int
    insert: int
    states: bool


def stated(answer: Answer) -> list[Stated]:
    """Find the claims of an answer in its text, in order; one that is not there is left out."""
    language = _language(answer)
    found: list[Stated] = []
    spans = _spans(answer.text, language)
    place = 0
    for number, claim in enumerate(answer.claims):
        for at in range(place, len(spans)):
            start, end = spans[at]
            if without_markers(answer.text[start:end]) == claim.text:
                found.append(_stated(answer.text, number, start, end))
                place = at + 1
                break
    return found


def _language(answer: Answer) -> str:
    kept = answer.selection.kept
    known = [hit.passage for hit in kept] or [each.passage for each in answer.citations]
    return known_language(known[0]) if known else "en"


def _spans(text: str, language: str) -> list[tuple[int, int]]:
    """Split into sentences; markers behind a full stop belong to the sentence before them."""
    spans: list[tuple[int, int]] = []
    last = 0
    for start, end in sentences(text, language):
        lead = leading_markers(text[start:end])
        if spans and lead and "\n" not in text[last:start]:
            spans[-1] = (spans[-1][0], start + lead)
            start += lead
            start += len(text[start:end]) - len(text[start:end].lstrip())
        if start < end:
            spans.append((start, end))
        last = end
    return spans


def _stated(text: str, number: int, start: int, end: int) -> Stated:
    sentence = text[start:end]
    bare = _without_end(sentence)
    return Stated(number, start, end, start + len(bare), not _is_empty(text, start, end))


def _without_end(sentence: str) -> str:
    """Cut off what stands behind the last word: marks, brackets, and markers."""
    while True:
        bare = sentence.rstrip(_CLOSING)
        last = _LAST_MARKER.search(bare[-80:])
        if last is not None:
            bare = bare[: len(bare) - len(last.group())]
        if bare == sentence or not bare:
            return bare or sentence
        sentence = bare


def _is_empty(text: str, start: int, end: int) -> bool:
    bare = without_markers(text[start:end])
    return bool(
        _ASKS.search(bare)
        or _CHOICE.match(bare)
        or _ABSTAINS.search(bare)
        or _is_heading(text, start, end)
    )


def _is_heading(text: str, start: int, end: int) -> bool:
    """Tell a heading: marked as one, ended by a colon, or a few words alone above other lines."""
    sentence = text[start:end].strip()
    low = text.rfind("\n", 0, start) + 1
    high = text.find("\n", end)
    if _MARKED.match(text[low : len(text) if high < 0 else high]) or sentence.endswith(
        (":", ":**")
    ):
        return True
    alone = not text[low:start].strip() and high >= 0 and not text[end:high].strip()
    return (
        alone
        and bool(text[high:].strip())
        and len(sentence.split()) <= _HEADING_WORDS
        and sentence[-1].isalnum()
        and not _BULLET.match(sentence)
    )
