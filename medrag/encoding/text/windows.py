"""Long texts as several windows, cut between words: nothing of them is lost."""

import re
from collections.abc import Callable, Sequence

from medrag.encoding.text.texts import Text, joined

Spans = list[tuple[int, int]]
# A text that is cut out may be tokenised into a few tokens more than it had inside.
_SLACK = 4
# Fewer tokens for each window than this are no passage any more.
LEAST_ROOM = 16
_WORD = re.compile(r"\S+")


def windows(
    titles: Sequence[str],
    texts: Sequence[str],
    tokens: Callable[[Sequence[str]], list[Spans]],
    room: int | None,
) -> list[list[Text]]:
    """Cut each text into windows that fit into `room` tokens under its title.

    Windows overlap by an eighth, so that what stands at a cut is read whole in one of them. A title
    of more than a quarter of the room is read once, as the beginning of its text.

    Args:
        tokens: gives the character spans of each text's tokens.
        room: tokens for title and text together; None for no limit.

    Returns:
        For each text its windows, at least one, as (title, part of the text).
    """
    if room is None:
        return [[pair] for pair in zip(titles, texts, strict=True)]
    found = []
    heads = tokens(titles) if titles else []
    bodies = tokens(texts) if texts else []
    for title, text, head, body in zip(titles, texts, heads, bodies, strict=True):
        if len(head) + len(body) <= room:
            found.append([(title, text)])
            continue
        if len(head) > room // 4:
            # Too long to stand over every window: it is read once, as the beginning of the text.
            text = joined(title, text)
            title, head, body = "", [], tokens([text])[0]
        spans = cut(body, room - len(head) - _SLACK)
        found.append([(title, text[a:b].strip()) for a, b in spans])
    return found


def words(texts: Sequence[str]) -> list[Spans]:
    """Give the character spans of words: tokens for a model whose own are not known here."""
    return [[match.span() for match in _WORD.finditer(text)] for text in texts]


def cut(tokens: Spans, size: int) -> Spans:
    """Give overlapping character spans of at most `size` tokens, cut between words if possible."""
    spans: Spans = []
    start = 0
    while start < len(tokens):
        stop = min(start + size, len(tokens))
        if stop < len(tokens):
            stop = _between_words(tokens, stop, earliest=start + size // 2) or stop
        spans.append((tokens[start][0], tokens[stop - 1][1]))
        if stop == len(tokens):
            break
        start = _between_words(tokens, stop - size // 8, earliest=start + 1) or stop
    return spans


def _between_words(tokens: Spans, place: int, *, earliest: int) -> int | None:
    """Find the last token, from `place` back, that stands apart from the one before it."""
    return next(
        (at for at in range(place, earliest - 1, -1) if tokens[at][0] > tokens[at - 1][1]), None
    )
