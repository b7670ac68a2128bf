"""Sentences as clauses: at semicolons, and where what is joined on has a verb of its own."""

import re
from collections.abc import Iterator

from medrag.verification import vocabulary
from medrag.verification.cues import BREAK

_JOINED = re.compile(
    r",?\s(?:but|while|whereas|although|though|however|yet)\s|,?\sand\s|,\s(?:which|with\s+no)?\s?",
    re.IGNORECASE,
)
# Verbs that show that a clause of its own follows "and" or a comma.
VERBS = frozenset(vocabulary.VERBS.split())
# Characters of a sentence. A text without full stops would cost the square of its length.
_LONGEST = 1500


def pieces(sentence: str) -> Iterator[str]:
    """Cut what is longer than any sentence between words: cues are sought in all that is left."""
    while len(sentence) > _LONGEST:
        cut = sentence.rfind(" ", 1, _LONGEST)
        cut = cut if cut > 0 else _LONGEST
        yield sentence[:cut]
        sentence = sentence[cut:]
    yield sentence


def clauses(sentence: str) -> list[tuple[int, int]]:
    """Cut at semicolons, and at a conjunction or comma behind which a clause has its own verb."""
    spans = []
    for start, end in split(sentence, BREAK):
        last = start
        joints = list(_JOINED.finditer(sentence, start, end))
        for number, match in enumerate(joints):
            stop = joints[number + 1].start() if number + 1 < len(joints) else end
            if _has_verb(sentence[last : match.start()]) and _has_verb(
                sentence[match.end() : stop]
            ):
                spans.append((last, match.start()))
                last = match.end()
        spans.append((last, end))
    return spans


def split(text: str, pattern: re.Pattern[str]) -> list[tuple[int, int]]:
    """Give the spans between the matches of a pattern, those without a word left out."""
    spans = []
    last = 0
    for match in pattern.finditer(text):
        spans.append((last, match.start()))
        last = match.end()
    spans.append((last, len(text)))
    return [span for span in spans if text[span[0] : span[1]].strip()]


def _has_verb(text: str) -> bool:
    return any(word in VERBS for word in re.findall(r"[a-z]+", text.lower()))


def first_word(text: str) -> str:
    """Give the first word in lower case, or ""."""
    match = re.match(r"\W*([a-z]+)", text.lower())
    return match.group(1) if match else ""
