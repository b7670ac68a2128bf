"""How unsure a model is of an answer, from what its generations tell: numbers in [0, 1]."""

from collections import Counter
from collections.abc import Sequence
from math import exp, fsum, isfinite, log
from typing import Literal, NamedTuple

from medrag.language import stems, without_markers, words
from medrag.records import Generation

Signal = Literal["options", "agreement", "tokens"]


class Uncertainty(NamedTuple):
    """How unsure, 0 for sure and 1 for guessing, and by which signal; None where none is told."""

    value: float | None
    signal: Signal | None


def option_entropy(scores: Sequence[float]) -> float | None:
    """Compute the entropy of the options as a share of what guessing has.

    H(p) / log(n) for n options and p = softmax of their mean log-probabilities.

    Returns:
        In [0, 1]; None for fewer than two options, or where a score is no number.
    """
    if len(scores) < 2 or not all(map(isfinite, scores)):
        return None
    weights = [exp(score - max(scores)) for score in scores]
    return _entropy([weight / fsum(weights) for weight in weights]) / log(len(scores))


def disagreement(texts: Sequence[str], options: Sequence[str] = ()) -> float | None:
    """Compute the entropy of several answers to one question as a share of what it may be.

    H(shares) / log(n) for n answers, where answers are the same that choose the same option, say
    yes or no alike, or else have the same words in any order and inflection.

    Returns:
        In [0, 1]; None for fewer than two answers that say anything.
    """
    said = [answer_key(text, options) for text in texts if words(without_markers(text))]
    if len(said) < 2:
        return None
    shares = [count / len(said) for count in Counter(said).values()]
    return _entropy(shares) / log(len(said))


def token_doubt(log_probabilities: Sequence[float] | None) -> float | None:
    """Compute 1 - exp(mean log-probability of the tokens), in [0, 1]; None where not known."""
    if not log_probabilities or not all(map(isfinite, log_probabilities)):
        return None
    return 1 - exp(min(0.0, fsum(log_probabilities) / len(log_probabilities)))


def answer_key(text: str, options: Sequence[str] = ()) -> str:
    """Reduce an answer to what it says: an option, yes or no, or its stems in order of alphabet."""
    bare = without_markers(text).strip()
    said = [word.lower() for word in words(bare)]
    if options and (place := _option(bare, said, options)) is not None:
        return f"option {place}"
    if said and said[0] in ("yes", "no"):
        return said[0]
    return " ".join(sorted(set(stems(bare))))


def uncertainty_of(
    made: Generation | None,
    samples: Sequence[Generation] = (),
    *,
    options: Sequence[str] = (),
    signals: Sequence[Signal] = ("options", "agreement", "tokens"),
) -> Uncertainty:
    """Give the first of the signals that can be computed.

    Args:
        made: the answer; None where it could not be made.
        samples: further texts of the same prompt, for "agreement".
        options: of the question.
    """
    texts = [each.text for each in samples]
    told = {
        "options": option_entropy(made.option_scores) if made else None,
        "agreement": disagreement(texts, options),
        "tokens": token_doubt(made.log_probabilities) if made else None,
    }
    for signal in signals:
        if (value := told[signal]) is not None:
            return Uncertainty(min(1.0, max(0.0, value)), signal)
    return Uncertainty(None, None)


def _entropy(shares: Sequence[float]) -> float:
    return -fsum(share * log(share) for share in shares if share > 0)


def _option(bare: str, said: Sequence[str], options: Sequence[str]) -> int | None:
    """Find the option that an answer begins with, by its letter alone or by its words."""
    letter, behind = bare.lstrip("([*\"'")[:1].upper(), bare.lstrip("([*\"'")[1:2]
    place = ord(letter) - ord("A") if letter else -1
    if 0 <= place < len(options) and (not behind or behind in ").].:,*\"'"):
        return place
    begun = [
        (len(wanted), place)
        for place, option in enumerate(options)
        if (wanted := [word.lower() for word in words(option)]) and said[: len(wanted)] == wanted
    ]
    return max(begun)[1] if begun else None
