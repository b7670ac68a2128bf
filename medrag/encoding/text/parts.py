"""Texts that are longer than a model reads, in parts that it reads whole.

For models of pictures and texts, which read a sentence or two, by tokenizers that only count.
Models of passages read `windows`: they overlap, and need the place of every token in the text.
"""

import re
from collections.abc import Callable, Sequence

Count = Callable[[Sequence[str]], list[int]]

# Ends of sentences, lines, and the list marks of reports: a finding stays in one piece.
_SENTENCES = re.compile(r"(?<=[.!?;:])\s+|\n+")
_WORDS = re.compile(r"\s+")


def in_parts(texts: Sequence[str], count: Count, room: int) -> list[list[str]]:
    """Split each text into parts of at most `room` tokens; a short one is one part, as it is.

    A part ends where a sentence does if that is possible, else between words, else within one.
    Every word is in exactly one part.

    Args:
        texts: with at least one token each, or the text itself is its part.
        count: gives the tokens of each text, without a model's own marks.
        room: at least 1.

    Raises:
        ValueError: if `room` is not positive.
    """
    if room < 1:
        raise ValueError(f"room must be at least 1 token, got {room}")
    sizes = count(texts) if texts else []
    return [
        [text] if size <= room else _split(text, count, room)
        for text, size in zip(texts, sizes, strict=True)
    ]


def _split(text: str, count: Count, room: int) -> list[str]:
    for pattern in (_SENTENCES, _WORDS):
        pieces = [piece for piece in pattern.split(text) if piece.strip()]
        if len(pieces) > 1:
            return _packed(pieces, count, room)
    stripped = text.strip()
    if len(stripped) < 2:
        return [stripped]
    middle = len(stripped) // 2
    halves = (stripped[:middle], stripped[middle:])
    return [part for half in in_parts(halves, count, room) for part in half]


def _packed(pieces: Sequence[str], count: Count, room: int) -> list[str]:
    """Join neighbours while they fit together; what does not fit alone is split further."""
    groups: list[list[str]] = []
    size = 0
    for piece, n in zip(pieces, count(pieces), strict=True):
        if groups and size + n <= room:
            groups[-1].append(piece)
            size += n
        else:
            groups.append([piece])
            size = n
    return [part for group in groups for part in _joined(group, count, room)]


def _joined(pieces: Sequence[str], count: Count, room: int) -> list[str]:
    """Join pieces to one part, or to several if they have more tokens together than apart."""
    whole = " ".join(pieces)
    if count([whole])[0] <= room:
        return [whole]
    if len(pieces) == 1:
        return _split(whole, count, room)
    middle = len(pieces) // 2
    halves = (pieces[:middle], pieces[middle:])
    return [part for half in halves for part in _joined(half, count, room)]
