"""Which words of a sentence a side stands with."""

import re
from collections.abc import Sequence

from medrag.verification.clauses import VERBS
from medrag.verification.contradictions import NAMED_SIDES, side_pattern

_OPPOSITE = {"left": "right", "right": "left"}
_NAMED = re.compile(r"\b(?:left|right)\b", re.IGNORECASE)
_OTHER_SIDE = re.compile(
    r"\b(?:its\s+contralateral\s+counterpart|the\s+other\s+side|contralateral(?:ly)?|"
    r"(?:the|its)\s+(?:fellow|other)(?=\s+(?:eye|ear|kidney|lung|leg|arm|side|breast|hand|foot|"
    r"knee|hip|"
    r"ovary|testis|lobe|adrenal|limb|shoulder|one)))\b|\b(?:ipsilateral(?:ly)?|on\s+(?:that|"
    r"the\s+same)\s+side)\b",
    re.IGNORECASE,
)
# "longer than the left": the side is that of something else.
_THAN = re.compile(r"\bthan\s+(?:(?:that\s+)?(?:on|in|of)\s+)?(?:the\s+)?\Z", re.IGNORECASE)
# "the left, not the right"
_NOT_THE = re.compile(r"\bnot\s+(?:(?:on|in|of)\s+)?(?:the\s+)?\Z", re.IGNORECASE)
_PART = re.compile(r"[,;]|\band\b", re.IGNORECASE)
_AND = re.compile(r"\s+and\s", re.IGNORECASE)
_AND_SIDE = re.compile(r"\s*(?:/|,?\s*(?:and|or)|\+|&)\s*(?:(?:in\s+)?the\s+)?", re.IGNORECASE)


def with_sides(text: str) -> str:
    """Name the side that "contralateral" and "ipsilateral" mean: by the side named before."""

    def named(match: re.Match[str]) -> str:
        before = _NAMED.findall(text, 0, match.start())
        if not before:
            return match.group()
        last = before[-1].lower()
        same = "ipsi" in match.group().lower() or "same" in match.group() or "that" in match.group()
        return f"the {last}" if same else f"the {_OPPOSITE[last]}"

    return _OTHER_SIDE.sub(named, text)


def mentions(
    sentence: str,
    span: tuple[int, int],
    words: Sequence[tuple[int, int, tuple[str, ...]]],
    language: str,
) -> list[tuple[frozenset[str], list[int]]]:
    """Give each side that is named, with the words that follow it without a break."""
    found: list[tuple[frozenset[str], list[int]]] = []
    spans: list[tuple[int, int]] = []
    for match in side_pattern(language).finditer(sentence, *span):
        if _THAN.search(sentence, 0, match.start()) or _NOT_THE.search(sentence, 0, match.start()):
            continue
        near: list[int] = []
        last = match.end()
        for index, (place, end, keys) in enumerate(words):
            if place < last:
                continue
            between = sentence[last:place].strip(" -")
            if between or not keys or (language == "en" and sentence[place:end].lower() in VERBS):
                break
            near.append(index)
            last = end
        found.append((NAMED_SIDES[str(match.lastgroup)], near))
        spans.append(match.span())
    for number in reversed(range(len(found) - 1)):
        # "the left and the right knee"
        between = sentence[spans[number][1] : spans[number + 1][0]]
        if not found[number][1] and _AND_SIDE.fullmatch(between):
            found[number] = (found[number][0], found[number + 1][1])
    for number, (sides, near) in enumerate(found):
        if not near:
            start = _before(sentence, span, spans[number][0], words)
            found[number] = (sides, _without_noun(sentence, number, found, spans, start))
    return found


def _without_noun(
    sentence: str,
    number: int,
    found: Sequence[tuple[frozenset[str], list[int]]],
    spans: Sequence[tuple[int, int]],
    before: Sequence[int],
) -> list[int]:
    """Give what a side that no word follows stands with."""
    taken = {index for _, others in found for index in others}
    near = [index for index in before if index not in taken]
    # "20 in the right and 40 in the left eye"
    if number + 1 < len(found) and _AND.match(sentence, spans[number][1]):
        near += found[number + 1][1]
    # "on the right and on the left"
    return near or (found[number - 1][1] if number else [])


def sides_by_word(
    mentions: Sequence[tuple[frozenset[str], list[int]]],
) -> tuple[dict[int, frozenset[str]], frozenset[str]]:
    """Give the sides that stand with each word, and the one that is of all the other words."""
    own: dict[int, frozenset[str]] = {}
    for sides, near in mentions:
        for index in near:
            own[index] = own.get(index, frozenset()) | sides
    every = {sides for sides, _ in mentions}
    return own, next(iter(every)) if len(every) == 1 else frozenset()


def _before(
    sentence: str,
    span: tuple[int, int],
    place: int,
    words: Sequence[tuple[int, int, tuple[str, ...]]],
) -> list[int]:
    """Give the words of its part that a side follows ("an effusion on the left")."""
    cuts = [match.end() for match in _PART.finditer(sentence, span[0], place)]
    start = cuts[-1] if cuts else span[0]
    return [n for n, (at, _, keys) in enumerate(words) if start <= at < place and keys]
