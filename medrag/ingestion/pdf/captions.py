"""Captions: paragraphs that name a figure or a table and its number, and sentences that refer."""

import re
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from medrag.ingestion.pdf.layout import Paragraph

_NUMBER = r"[A-Z]{0,2}\d+(?:[.\-–]\d+)*[a-z]?\b"
_FIGURE = re.compile(
    rf"(?P<label>fig(?:ure|\.)?|plate|scheme|abb(?:ildung|\.))\s*(?P<number>{_NUMBER})"
    r"(?P<mark>\s*[.:|–—]|\))?\s*",
    re.I,
)
_TABLE = re.compile(
    rf"(?P<label>table|tab\.|tabelle)\s*(?P<number>{_NUMBER}|[IVX]+\b)(?P<mark>\s*[.:|–—]|\))?\s*",
    re.I,
)
_HINTS = ("fig", "Fig", "FIG", "plate", "Plate", "scheme", "Scheme", "Abb")
_MENTION = re.compile(
    r"(?:figures?|figs?|plates?|schemes?|abb(?:ildung(?:en)?)?)\.?\s*"
    rf"({_NUMBER}(?:\s*(?:\([a-z]\))?\s*(?:,|;|and|und|to|through|&|–|-)\s*{_NUMBER})*)",
    re.I,
)
_ONE_NUMBER = re.compile(_NUMBER)
_CAPTION_CHARACTERS = 3000

SentenceFinder = Callable[[str], list[tuple[int, int]]]


class Caption(NamedTuple):
    """A caption and the paragraph it is written in; `text` is what follows label and number."""

    label: str
    number: str
    text: str
    paragraph: Paragraph


def figure_caption(paragraph: Paragraph, body: float) -> Caption | None:
    """Read a paragraph as the caption of a figure; None if it is a sentence of the text."""
    return _caption(_FIGURE, paragraph, body)


def table_caption(paragraph: Paragraph, body: float) -> Caption | None:
    """Read a paragraph as the caption of a table; None if it is a sentence of the text."""
    return _caption(_TABLE, paragraph, body)


def mentioned_numbers(text: str) -> list[tuple[int, str]]:
    """Find the figures that a text refers to: where, and by which number."""
    found: list[tuple[int, str]] = []
    for start in _label_starts(text):
        match = _MENTION.match(text, start)
        if match:
            found += [(start, number) for number in _ONE_NUMBER.findall(match[1])]
    return found


def mentions(
    numbers: Iterable[str], texts: Sequence[str], sentences_of: SentenceFinder
) -> dict[str, list[str]]:
    """Collect the sentences that refer to figures, in reading order, each once per figure."""
    wanted = {number: dict[str, None]() for number in numbers}
    for text in texts:
        referred = [(at, n) for at, n in mentioned_numbers(text) if _known(n, wanted)]
        if not referred:
            continue
        for at, number in referred:
            wanted[_known(number, wanted) or number][_sentence_at(text, at, sentences_of)] = None
    return {number: list(found) for number, found in wanted.items()}


def _label_starts(text: str) -> list[int]:
    """Find the words that may name a figure; plain searches, far faster than a pattern."""
    starts: list[int] = []
    for hint in _HINTS:
        at = text.find(hint)
        while at >= 0:
            if not at or not text[at - 1].isalpha():
                starts.append(at)
            at = text.find(hint, at + 1)
    return sorted(starts)


def _sentence_at(text: str, at: int, sentences_of: SentenceFinder) -> str:
    start, end = text.rfind("\n", 0, at) + 1, text.find("\n", at)
    line = text[start : end if end >= 0 else len(text)]
    spans = sentences_of(line)
    first, last = next(span for span in reversed(spans) if span[0] <= at - start)
    return " ".join(line[first:last].split())


def _known(number: str, wanted: dict[str, dict[str, None]]) -> str | None:
    """Find the figure that a number means: 4.2b is a part of figure 4.2."""
    if number in wanted:
        return number
    whole = number.rstrip("abcdefghijklmnopqrstuvwxyz")
    return whole if whole in wanted else None


def _caption(pattern: re.Pattern[str], paragraph: Paragraph, body: float) -> Caption | None:
    match = pattern.match(paragraph.start)
    if match is None or sum(len(line.text) for line in paragraph.lines) > _CAPTION_CHARACTERS:
        return None
    rest = paragraph.start[match.end() :]
    # "Figure 3 shows ..." begins a sentence of the text; a caption is marked, set smaller, or
    # goes on with a title.
    marked = match["mark"] is not None or paragraph.size < body - 0.4 or not rest
    if not marked and not rest[:1].isupper():
        return None
    text = " ".join([rest, *(line.text for line in paragraph.lines[1:])]).strip()
    return Caption(match["label"], match["number"], text, paragraph)
