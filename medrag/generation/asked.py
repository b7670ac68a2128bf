"""What questions and answers have in common: for readers that go by cases, and for their floors."""

from collections.abc import Sequence

from medrag.language import stems

# Words that ask whether something is there and name nothing.
_EMPTY = (
    "there present seen visible evidence sign image picture film scan show demonstrate patient "
    "kind type form sort"
)
# To which cases are weighed by the share of common words and by the similarity of pictures.
WORD_POWER, PICTURE_POWER = 2.0, 16.0
# The least share of common words at which an answer means an option.
_SAME_OPTION = 0.5
_YES, _NO = ("yes", "true", "present"), ("no", "false", "absent", "none")


def content_stems(text: str, language: str) -> tuple[str, ...]:
    """List the stems that say what a question is about, each once, in order."""
    every = dict.fromkeys(stems(text, language))
    empty = set(stems(_EMPTY, "en"))
    return tuple(stem for stem in every if stem not in empty) or tuple(every)


def answer_sign(answer: object) -> int:
    """Read an answer as yes (1), no (-1) or neither (0)."""
    words = str(answer).lower().replace(",", " ").replace(".", " ").split()
    first = words[0] if words else ""
    return 1 if first in _YES else -1 if first in _NO else 0


def common_share(
    asked: Sequence[str], told: Sequence[str], *, least: float, least_with_last: float
) -> float:
    """Give the share of all stems of two questions that both have.

    Args:
        asked: stems of one question, each once, in order.
        told: the same of the other.
        least: what counts as nearly the same question.
        least_with_last: the same where the last stem of either is among those of the other; it is
            what the others are asked of ("is the heart enlarged").

    Returns:
        In [0, 1]; 0 if they have less in common, or one has no stems.
    """
    if not asked or not told:
        return 0.0
    share = len(set(asked) & set(told)) / len(set(asked) | set(told))
    to_the_point = asked[-1] in told or told[-1] in asked
    return share if share >= (least_with_last if to_the_point else least) else 0.0


def option_meant(answer: str, options: Sequence[str]) -> int | None:
    """Find the option that an answer means: the same text, or else most of its words.

    Args:
        answer: words in the form of the options (lower case, or stems), with blanks between.

    Returns:
        The place of the option; None if the answer is like none, or like several.
    """
    if answer and answer in options:
        return options.index(answer)
    shares = [_overlap(answer, option) for option in options]
    best = max(shares, default=0.0)
    return shares.index(best) if best >= _SAME_OPTION and shares.count(best) == 1 else None


def _overlap(one: str, other: str) -> float:
    """Give twice the words that two texts share as a share of the words of both."""
    first, second = set(one.split()), set(other.split())
    return 2 * len(first & second) / max(1, len(first) + len(second))
