"""From tokens to an answer: its text, its thoughts, and which of the tokens it is made of."""

import re
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from medrag.generation.regions import Convention, Shown, regions_of
from medrag.generation.reply import Tags, answer_span
from medrag.records import QuestionRegion

# What a decoder gives for a character of which bytes are missing still.
_BROKEN = "\ufffd"


@dataclass(frozen=True, slots=True)
class Reply:
    """What a model wrote.

    Attributes:
        text: the answer, without thoughts and special tokens.
        marked: the same with its special tokens, some of which mark boxes.
        thoughts: what stands outside of the answer.
        closed: False where thoughts began and no answer followed.
        tokens: which of them the answer is made of; one that stands across its edge is among them.
    """

    text: str
    marked: str
    thoughts: str
    closed: bool
    tokens: slice


def special_tokens(tokenizer: Any) -> list[str]:
    """List what a tokenizer of transformers holds for no words of a text."""
    added = tokenizer.added_tokens_decoder.values()
    special = {*tokenizer.all_special_tokens, *(str(each) for each in added if each.special)}
    return sorted(each for each in special if each)


class Replies:
    """Read replies of one model.

    Args:
        tokenizer: of transformers.
        tags: by which it sets thoughts and answer apart.
    """

    def __init__(self, tokenizer: Any, tags: Tags) -> None:
        self.tokenizer = tokenizer
        self.tags = tags
        kept = {tag.lower() for tag in self._every_tag()}
        unspoken = [each for each in special_tokens(tokenizer) if each.lower() not in kept]
        self._unspoken = re.compile("|".join(map(re.escape, unspoken)) or "(?!)")

    def read(self, tokens: Sequence[int], *, thinking: bool) -> Reply:
        """Read one reply.

        Args:
            tokens: without the one that ends it.
            thinking: whether the prompt ended inside thoughts.
        """
        whole = self._decoded(tokens)
        span = answer_span(whole, self.tags, thinking=thinking)
        marked = whole[span.start : span.end]
        text, thoughts = self._spoken(marked).strip(), self._spoken(span.thoughts)
        part = slice(0, 0)
        if text:
            part = self._tokens(tokens, span.start, span.end, len(whole))
        return Reply(text, marked, thoughts, span.closed, part)

    def so_far(self, tokens: Sequence[int], *, thinking: bool) -> str:
        """Give what is sure to belong to an answer that still comes: it will begin so.

        A model that thinks, or sets its answer in tags, is believed to answer only once its
        thoughts have ended and its answer has begun.
        """
        whole = self._decoded(tokens).rstrip(_BROKEN)
        small = whole.lower()
        for pair, place in ((self.tags.think, 1), (self.tags.answer, 0)):
            if pair is not None and pair[place].lower() not in small:
                return ""
        span = answer_span(whole, self.tags, thinking=thinking)
        text = self._spoken(whole[span.start : span.end]).strip()
        begun = max((self._begun(text, tag) for tag in self._every_tag()), default=0)
        return text[: len(text) - begun].rstrip()

    def _every_tag(self) -> list[str]:
        return [tag for pair in (self.tags.think, self.tags.answer) for tag in pair or ()]

    @staticmethod
    def _begun(text: str, tag: str) -> int:
        """Count the characters at the end of a text with which a tag may begin."""
        ends = (n for n in range(min(len(tag), len(text)), 0, -1))
        return next((n for n in ends if text[-n:].lower() == tag[:n].lower()), 0)

    def _tokens(self, tokens: Sequence[int], start: int, end: int, n: int) -> slice:
        """Find the tokens that a stretch of the decoded text is made of."""
        if start == 0 and end == n:
            return slice(0, len(tokens))
        counts = range(len(tokens) + 1)

        def written(count: int) -> int:
            return len(self._decoded(tokens[:count]).rstrip(_BROKEN))

        first = bisect_left(counts, start, key=written)
        # One token may end the thoughts and begin the answer.
        first -= written(first) > start
        return slice(first, bisect_left(counts, end, key=written))

    def _decoded(self, tokens: Sequence[int]) -> str:
        text: str = self.tokenizer.decode(list(tokens), skip_special_tokens=False)
        return text

    def _spoken(self, text: str) -> str:
        return self._unspoken.sub("", text)


class Teller:
    """Tell an answer piece by piece; never half a character, and no thoughts."""

    def __init__(self, replies: Replies, tell: Callable[[str], None], *, thinking: bool) -> None:
        self._replies = replies
        self._tell = tell
        self._thinking = thinking
        self._told = ""

    def hear(self, tokens: Sequence[int]) -> None:
        """Tell what the tokens so far add to the answer."""
        self._tell_up_to(self._replies.so_far(tokens, thinking=self._thinking))

    def end(self, text: str) -> None:
        """Tell what is left of the whole answer."""
        self._tell_up_to(text)

    def _tell_up_to(self, text: str) -> None:
        if len(text) > len(self._told) and text.startswith(self._told):
            self._tell(text[len(self._told) :])
            self._told = text


def places_shown(
    text: str, convention: Convention | None, shown: Sequence[Shown], *, n_evidence: int
) -> tuple[QuestionRegion, ...]:
    """Read the places that an answer gives in the pictures of the question that were shown.

    Args:
        convention: what numbers of a place mean; None for a model that gives no places.
        shown: of each picture of the question; zeros for one that the model could not mean.

    Returns:
        As `medrag.generation.regions.regions_of`; images count as in the question.
    """
    if convention is None or not text:
        return ()
    seen = [each if min(each) > 0 else None for each in shown]
    return regions_of(text, convention, seen, n_evidence=n_evidence)
