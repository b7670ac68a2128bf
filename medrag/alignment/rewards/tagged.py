"""Whether a reply keeps the form that it was asked for."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from medrag.alignment.rewards.example import Example
from medrag.alignment.rewards.protocol import Floats, check_same
from medrag.generation.reply import Tags

_THINK, _ANSWER = ("<think>", "</think>"), ("<answer>", "</answer>")


class FormatReward:
    """Give 1 to a reply that is its tags and what they hold, and nothing else; otherwise 0.

    With both pairs that is thoughts, then the answer, each pair once, neither blank, and blanks
    alone between and around them. Capitals of tags do not matter.

    Args:
        think, answer: opening and closing tag; None where none are asked for.

    Raises:
        ValueError: if neither is asked for, or a tag is none; see `Tags`.

    Source:
        Lai et al., Med-R1, arXiv 2503.13939; Guo et al., DeepSeek-R1, arXiv 2501.12948.
    """

    name = "format"

    def __init__(
        self,
        *,
        think: Sequence[str] | None = _THINK,
        answer: Sequence[str] | None = _ANSWER,
    ) -> None:
        self.tags = tags_of(think, answer)
        if self.tags.think is None and self.tags.answer is None:
            raise ValueError("a format without tags asks for nothing; name think or answer")

    def reward(self, replies: Sequence[str], examples: Sequence[Example]) -> Floats:
        """Give 0 or 1 for each reply; never nan."""
        return self.parts(replies, examples)[self.name]

    def parts(self, replies: Sequence[str], examples: Sequence[Example]) -> Mapping[str, Floats]:
        """Tell of each pair whether it stands once, in order, and holds something."""
        check_same(replies, examples)
        read = [_read(reply, self.tags) for reply in replies]
        found = {"format": np.array([float(each.whole) for each in read])}
        if self.tags.think is not None:
            found["think"] = np.array([float(each.think) for each in read])
        if self.tags.answer is not None:
            found["answer"] = np.array([float(each.answer) for each in read])
        return found


def tags_of(think: Sequence[str] | None, answer: Sequence[str] | None) -> Tags:
    """Make tags of settings, in which an empty list is none.

    Raises:
        ValueError: if they are no opening and closing tag.
    """
    return Tags(_pair("think", think), _pair("answer", answer))


class _Form(NamedTuple):
    whole: bool
    think: bool
    answer: bool


def _pair(name: str, given: Sequence[str] | None) -> tuple[str, str] | None:
    if not given:
        return None
    if isinstance(given, str) or len(given) != 2:
        raise ValueError(f"{name} must be an opening and a closing tag, got {given!r}")
    return given[0], given[1]


def _read(reply: str, tags: Tags) -> _Form:
    # Lowered letter by letter, so that places stay: some capitals become two letters.
    text = "".join(each.lower() if len(each.lower()) == 1 else each for each in reply)
    held = [None if pair is None else _held(text, pair) for pair in (tags.think, tags.answer)]
    think, answer = (each is not None for each in held)
    rest, at = "", 0
    in_order = True
    for pair, span in zip((tags.think, tags.answer), held, strict=True):
        if pair is not None and span is not None:
            in_order &= at <= span[0]
            rest += text[at : span[0]]
            at = span[1]
    asked = [pair is not None for pair in (tags.think, tags.answer)]
    whole = [think, answer] == asked and in_order and not (rest + text[at:]).strip()
    return _Form(whole, think, answer)


def _held(text: str, pair: tuple[str, str]) -> tuple[int, int] | None:
    """Give from where to where a pair stands, tags included; None unless once and not blank."""
    opening, closing = pair[0].lower(), pair[1].lower()
    if text.count(opening) != 1 or text.count(closing) != 1:
        return None
    start, end = text.index(opening), text.index(closing)
    if end < start + len(opening) or not text[start + len(opening) : end].strip():
        return None
    return start, end + len(closing)
