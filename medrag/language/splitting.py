"""Sentences of medical prose, as character spans."""

import re

from medrag.language.tables import Language, language_of

_LINE = re.compile(r"[^\n\r\f\v\x1c-\x1e\x85\u2028\u2029]+")
_END = re.compile(r"(?<![.!?…])[.!?…]+[\"'”’»)\]}]*(?=\s)")
_LAST_TOKEN = re.compile(r"\S+\Z")
_LETTERS_AND_DOTS = re.compile(r"[^\W\d_](?:\.[^\W\d_])+")
_LIST_NUMBER = re.compile(r"[(\[]?(?:\d{1,3}|[A-Za-z]|[ivx]{1,5})")
# Characters before a full stop that are looked at: no abbreviation is longer.
_TOKEN = 200
_OPENING = "([{\"'“‘«¿¡*•–—-"


def sentences(text: str, language: str = "en") -> list[tuple[int, int]]:
    """Split a text into sentences.

    A line break ends a sentence; a full stop after an abbreviation ("Fig. 1.2", "Dr. Hall"), an
    initial, a list number or before a lower-case word does not.

    Returns:
        (start, end) character spans in order, without blanks at their ends. Spans do not overlap
        and hold every character that is not blank; none for a blank text.

    Raises:
        ValueError: if the language is not in `LANGUAGES`.
    """
    known = language_of(language)
    spans: list[tuple[int, int]] = []
    for line in _LINE.finditer(text):
        start = line.start()
        for end in _END.finditer(text, line.start(), line.end()):
            if _ends_sentence(text, start, end, line.end(), known):
                spans.append((start, end.end()))
                start = end.end()
        spans.append((start, line.end()))
    return [trimmed for span in spans if (trimmed := _trimmed(text, span))]


def _trimmed(text: str, span: tuple[int, int]) -> tuple[int, int] | None:
    start, end = span
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    return (start, end) if start < end else None


def _ends_sentence(
    text: str, start: int, end: re.Match[str], line_end: int, known: Language
) -> bool:
    following = text[end.end() : min(line_end, end.end() + 60)].split(maxsplit=1)
    if not following:
        return True
    word = following[0].lstrip(_OPENING)
    if not end.group().startswith(".") or end.group().startswith(".."):
        return not _starts_lower(word)
    before = text[max(start, end.start() - _TOKEN) : end.start()]
    token = _LAST_TOKEN.search(before)
    if token is None:
        return False
    return not (
        _starts_lower(word)
        or _is_list_number(before, token)
        or _is_abbreviation(token.group().lstrip(_OPENING), word, known)
    )


def _starts_lower(word: str) -> bool:
    # "mRNA" and "pH" start sentences though their first letter is small.
    rest = word[1:].rstrip(".,;:!?)")
    return word[:1].islower() and (not rest or rest.islower())


def _is_list_number(before: str, token: re.Match[str]) -> bool:
    """Tell "1." at the start of a sentence or after a colon from the end of "in group 1."."""
    if not _LIST_NUMBER.fullmatch(token.group()):
        return False
    lead = before[: token.start()].rstrip()
    return not lead or lead[-1] in ":;•" or lead in "-*–—"


def _is_abbreviation(token: str, following: str, known: Language) -> bool:
    lowered = token.lower()
    starter = following.rstrip(".,;:!?").lower() in known.stop_words
    if lowered in known.abbreviations_before_number:
        return following[:1].isdigit()
    if lowered in known.abbreviations:
        return True
    if len(token) == 1 and token.isalpha() and token.isupper():
        return not starter
    return bool(_LETTERS_AND_DOTS.fullmatch(token)) and not starter
