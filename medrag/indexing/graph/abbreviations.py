"""Short forms of names: initials, and those that a text defines beside the long form."""

import re
from collections.abc import Iterator

from medrag.language import language_of

_LETTERS = re.compile(r"[^\W\d_]+|\d+")
_BRACKETED = re.compile(r"\(\s*([^()]{2,80}?)\s*\)")
_WORD_BEFORE = re.compile(r"([^\s()]+)\s*$")
_DASHED = re.compile(r"^(\S{2,10}) - (\S.*)$|^(.*\S) - (\S{2,10})$")
_NUMERAL = re.compile(r"[IVX]+")
_LONGEST = 10


def is_abbreviation(name: str) -> bool:
    """Tell whether a name is one short word of mostly capitals."""
    letters = [letter for letter in name if letter.isalpha()]
    capitals = sum(letter.isupper() for letter in letters)
    return len(name) <= 8 and " " not in name and capitals >= 2 and 2 * capitals >= len(letters)


def initials(name: str, *, stop_words: bool = True) -> set[str]:
    """Give the first letters of a name's words; none of a name of one word, and maybe a numeral.

    Args:
        stop_words: give those of all words, too, besides those of the telling ones.
    """
    stop = language_of("en").stop_words
    every = _LETTERS.findall(name)
    telling = [word for word in every if word.lower() not in stop]
    if sum(len(word) > 1 and not _NUMERAL.fullmatch(word) for word in telling) < 2:
        return set()
    return {
        "".join(word[0].upper() for word in words)
        for words in ((every, telling) if stop_words else (telling,))
        if len(words) <= _LONGEST
    }


def is_short_for(short: str, long: str) -> bool:
    """Tell whether the letters of a short form stand in a long one in order, the first at a start.

    Source:
        Schwartz & Hearst, "A simple algorithm for identifying abbreviation definitions in
        biomedical text", PSB 2003.
    """
    letters = [letter for letter in short.lower() if letter.isalnum()]
    if len(letters) < 2 or len(long) <= len(short):
        return False
    lowered = long.lower()
    place = len(lowered)
    for number in range(len(letters) - 1, -1, -1):
        place = lowered.rfind(letters[number], 0, place)
        while number == 0 and place > 0 and lowered[place - 1].isalnum():
            place = lowered.rfind(letters[number], 0, place)
        if place < 0:
            return False
    return True


def named_forms(name: str) -> Iterator[str]:
    """Give a name, and what is left and right of a short form that it states.

    "deafness dystonia syndrome (DDS)" is also both parts of it; "A, B and C (ABC) syndrome" is "A,
    B and C syndrome" and "ABC syndrome"; "COPD - chronic obstructive pulmonary disease" both parts.
    """
    yield name
    for match in _BRACKETED.finditer(name):
        before, short, after = name[: match.start()], match.group(1), name[match.end() :]
        if is_abbreviation(short) and is_short_for(short, before.strip()):
            yield f"{before.strip()} {after.strip()}".strip()
            yield f"{short} {after.strip()}".strip()
    if dashed := _DASHED.match(name):
        short, long = (dashed[1], dashed[2]) if dashed[1] else (dashed[4], dashed[3])
        if is_abbreviation(short) and is_short_for(short, long):
            yield short
            yield long


def definitions(text: str) -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
    """Find short forms that a text defines: the places of the short form, and of the long one.

    "chronic obstructive pulmonary disease (COPD)" and "COPD (chronic obstructive pulmonary
    disease)"; the long form of the first ends at its place and may begin before it.
    """
    for match in _BRACKETED.finditer(text):
        inside = match.span(1)
        before = _WORD_BEFORE.search(text[max(0, match.start() - 200) : match.start()])
        if before is None:
            continue
        offset = max(0, match.start() - 200)
        lead = (offset + before.start(1), offset + before.end(1))
        if is_abbreviation(match.group(1)):
            if is_short_for(match.group(1), text[offset : lead[1]]):
                yield inside, lead
        elif is_abbreviation(before.group(1)) and is_short_for(before.group(1), match.group(1)):
            yield lead, inside
