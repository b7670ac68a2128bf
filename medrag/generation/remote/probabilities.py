"""Log-probabilities of the tokens of an answer, out of those of all that a model wrote."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple


class Token(NamedTuple):
    """What one token adds to the text, as UTF-8, and its natural log-probability."""

    raw: bytes
    log_probability: float


def tokens_of(told: Any) -> tuple[Token, ...] | None:
    """Read the "logprobs" of a choice; None where there are none, or one is no number.

    Source:
        OpenAI API reference, "The chat completion object".
    """
    content = told.get("content") if isinstance(told, Mapping) else None
    if not isinstance(content, Sequence) or isinstance(content, str):
        return None
    tokens = [_token(each) for each in content]
    known = [each for each in tokens if each is not None]
    return tuple(known) if len(known) == len(tokens) else None


def aligned(tokens: Sequence[Token], text: str, start: int, end: int) -> tuple[float, ...] | None:
    """Give the log-probabilities of the tokens that a stretch of a text is made of.

    A token that reaches across an end of the stretch counts.

    Args:
        tokens: of all that the model wrote: they may hold its thoughts before the text, and special
            tokens about it.
        text: as the server gave it.
        start, end: the stretch, in characters of the text.

    Returns:
        None where the tokens do not hold the text.
    """
    written, wanted = b"".join(each.raw for each in tokens), text.encode("utf-8", "replace")
    # The last place: a thought may hold the same words.
    at = written.rfind(wanted)
    if at < 0:
        return None
    first = at + len(text[:start].encode("utf-8", "replace"))
    last = first + len(text[start:end].encode("utf-8", "replace"))
    found, place = [], 0
    for each in tokens:
        if each.raw and first < last and place < last and place + len(each.raw) > first:
            found.append(each.log_probability)
        place += len(each.raw)
    return tuple(found)


def _token(told: Any) -> Token | None:
    if not isinstance(told, Mapping):
        return None
    value = told.get("logprob")
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    raw = _raw(told)
    # Rounding may leave the likeliest of tokens just above 0.
    return None if raw is None else Token(raw, min(float(value), 0.0))


def _raw(told: Mapping[str, Any]) -> bytes | None:
    """Read what a token adds: one token may hold the half of a character, which no text can."""
    numbers, text = told.get("bytes"), told.get("token")
    if isinstance(numbers, list):
        try:
            return bytes(numbers)
        except (TypeError, ValueError):
            return None
    return text.encode("utf-8", "replace") if isinstance(text, str) else None
