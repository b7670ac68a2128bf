"""Questions for a difference: what contrasts two things, or what each of them is."""

import re
from dataclasses import replace

from medrag.generation.extractive.evidence import Pool, Similarity
from medrag.generation.extractive.open_question import Found, asked_stems, coverage, defines, find
from medrag.records import Question

_SIDES = tuple(
    re.compile(pattern, re.I)
    for pattern in (
        r"\bdifferences? (?:is there |exists? )?between (?P<a>.+?) and (?P<b>.+?)[\s?.!]*$",
        r"\bhow (?:do|does|can|are|is) (?P<a>.+?) and (?P<b>.+?) (?:differ|different|compare)\b",
        r"\bhow (?:do|does|is|are) (?P<a>.+?) (?:differ|different) from (?P<b>.+?)[\s?.!]*$",
        r"\b(?:compare|contrast|distinguish|tell) (?P<a>.+?) (?:and|with|to|from) "
        r"(?P<b>.+?)[\s?.!]*$",
    )
)
_CONTRASTS = re.compile(
    r"\b(?:whereas|while|unlike|in contrast|by contrast|differs?|different|difference|but|"
    r"compared (?:to|with)|rather than|distinguish\w*)\b",
    re.I,
)
_MOST_WORDS = 6


def sides(text: str) -> tuple[str, str] | None:
    """Give the two things whose difference a question asks for; None if it asks for none."""
    for pattern in _SIDES:
        match = pattern.search(text.strip())
        if match and max(len(match[side].split()) for side in "ab") <= _MOST_WORDS:
            return match["a"], match["b"]
    return None


def compared(question: Question, pool: Pool, similarity: Similarity | None = None) -> list[Found]:
    """Find a sentence that contrasts both sides, then what says what each of them is.

    Returns:
        At most three sentences; none if the question asks for no difference, or nothing is found
        that contrasts both and nothing for one of them.
    """
    both = sides(question.text)
    if both is None:
        return []
    asked = [asked_stems(side, pool.language) for side in both]
    if not all(asked):
        return []
    contrast = _contrast(question, asked, pool, similarity)
    each = [_defined(side, pool, similarity) for side in both]
    found = [one for one in (contrast, *each) if one is not None]
    return found if contrast is not None or None not in each else []


def _contrast(
    question: Question, asked: list[frozenset[str]], pool: Pool, similarity: Similarity | None
) -> Found | None:
    for one in find(question, pool, similarity):
        held = frozenset(one.unit.stems)
        if all(side <= held for side in asked) and _CONTRASTS.search(one.unit.text):
            return one
    return None


def _defined(side: str, pool: Pool, similarity: Similarity | None) -> Found | None:
    asked = asked_stems(side, pool.language)
    for one in find(Question(text=f"What is {side}?"), pool, similarity):
        if defines(asked, one.unit, pool.language):
            return replace(one, coverage=coverage(asked, one.unit))
    return None
