"""Telling an answer while it comes, and only ever what will stand in it.

What was told cannot be taken back. Thoughts, tags that may be beginning and what may be the
beginning of the server's key are therefore held back. Where a stream breaks and comes anew, what
was told already is not told again; where it then turns out differently, `RESTARTED` is told, and
after it the answer from its first word.
"""

from collections.abc import Callable

from medrag.generation.reply import Tags, answer_span

# Told where all that was told before does not count any more.
RESTARTED = "\n\n[The answer begins anew.]\n\n"
# A long text is looked at again when it has grown by a hundredth: finding tags takes its length.
_SHARE = 100


class Teller:
    """Tells the pieces of one answer.

    Args:
        tell: gets each new piece.
        tags: that set thoughts and answer apart.
        thinking: whether the reply begins inside thoughts.
        secret: what must not be told; "" for nothing.
    """

    def __init__(
        self, tell: Callable[[str], None], *, tags: Tags, thinking: bool, secret: str
    ) -> None:
        self._tell = tell
        self._tags = tags
        self._thinking = thinking
        self._secret = secret
        self._told = ""
        self._next = 0

    def begin(self) -> None:
        """Be told that a reply begins, maybe anew."""
        self._next = 0

    def show(self, text: str) -> None:
        """Tell what is new in the text of a reply that goes on."""
        if len(text) >= self._next:
            self._next = len(text) + 1 + len(text) // _SHARE
            self._add(self._sure(text))

    def close(self, answer: str) -> None:
        """Tell what is left of the answer, which is as it will be kept."""
        if answer == self._told:
            return
        if not answer.startswith(self._told):
            self._restart()
        self._add(answer)

    def _add(self, answer: str) -> None:
        if self._told.startswith(answer):
            return
        if not answer.startswith(self._told):
            self._restart()
        self._tell(answer[len(self._told) :])
        self._told = answer

    def _restart(self) -> None:
        if self._told:
            self._tell(RESTARTED)
        self._told = ""

    def _sure(self, text: str) -> str:
        """Give what will stand in the answer, however the reply goes on."""
        opening = self._tags.answer and self._tags.answer[0].lower()
        if opening and opening not in text.lower():
            return ""
        span = answer_span(text, self._tags, thinking=self._thinking)
        answer = text[span.start : span.end]
        if self._secret:
            # First of all: the end of the key may look like its beginning.
            answer = answer.replace(self._secret, "[key]")
        if span.end == len(text.rstrip()):
            answer = answer[: len(answer) - self._unsure(answer)].rstrip()
        return answer

    def _unsure(self, answer: str) -> int:
        """Count the characters at the end that may be the beginning of something else."""
        tags = [*(self._tags.think or ()), *(self._tags.answer or ())]
        lowered = answer.lower()
        most = max(
            [_overlap(lowered, tag.lower()) for tag in tags] + [_overlap(answer, self._secret)],
            default=0,
        )
        # The first half of a character, of which the second is to come.
        return max(most, int(answer[-1:] >= "\ud800" and answer[-1:] <= "\udbff"))


def _overlap(text: str, word: str) -> int:
    """Count the characters at the end of a text that begin a word, and are not all of it."""
    for n in range(min(len(word) - 1, len(text)), 0, -1):
        if text.endswith(word[:n]):
            return n
    return 0
