"""Signals that confidence can be told from: numbers in [0, 1], each absent where it is not known.

None of them is a probability of being right; `medrag.verification.abstention` makes one of them.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from math import exp, fsum, isfinite

from medrag.language import negated_spans, sentences, stems, without_markers, words
from medrag.records import Answer, Claim, Generation, Hit

# Share of words that two open answers must have in common (F1) to say the same.
SAME = 0.5

_LETTER = re.compile(r"[(\[*\"']*([A-Za-z])(?:[)\].:,*\"']|$)")
_LEAD = re.compile(
    r"(?:the\s+)?(?:correct\s+|right\s+)?answer(?:\s+is|\s*:)\s*:?\s*", re.IGNORECASE
)
_DENIED = "not "


def signals(
    answer: Answer, generation: Generation | None = None, samples: Sequence[Generation] = ()
) -> dict[str, float]:
    """Tell what speaks for and against an answer.

    - "token_probability": exp of the mean log-probability of the tokens of the text.
    - "option_probability": of the likeliest option, among the options alone.
    - "agreement": the share of the samples that say the same as the answer; see `agreement`.
    - "margin": how far the best kept hit stands before the next; see `margin`.
    - "support": the share of the claims that their evidence supports, of those that were checked.
    - "confidence": the generator's own.

    Args:
        answer: after its claims were checked.
        generation: what it was made from. None for an answer that was read back: its own option
            scores and confidence are taken then, which must not be calibrated ones.
        samples: further texts for the same prompt. The generation itself may be among them, and
            does not count as agreeing with itself.

    Returns:
        By name; a signal that cannot be computed is left out, never 0.
    """
    given = answer if generation is None else generation
    found = {
        "token_probability": _token_probability(generation),
        "option_probability": _option_probability(given.option_scores),
        "agreement": agreement(answer, generation, samples),
        "margin": margin(answer.selection.kept),
        "support": support(answer.claims),
        "confidence": given.confidence,
    }
    return known({name: value for name, value in found.items() if value is not None})


def signals_of(answer: Answer) -> dict[str, float]:
    """Give the signals that an answer brings along, or those that can be told from it alone."""
    return known(answer.signals) if answer.signals else signals(answer)


def known(given: Mapping[str, float]) -> dict[str, float]:
    """Leave out what is no number, and bring the others into [0, 1]."""
    return {name: min(1.0, max(0.0, value)) for name, value in given.items() if isfinite(value)}


def agreement(
    answer: Answer, generation: Generation | None, samples: Sequence[Generation]
) -> float | None:
    """Compute the share of samples that say the same as an answer.

    - Of a question with options: the same option, by the letter or the option's text that the
      reply begins with ("B", "(B)", "B. text", "The answer is B", "text").
    - Where the answer begins with yes or no: the same word.
    - Else: F1 of their stemmed words at least `SAME`; a word that is denied ("no effusion") is
      another than the same word affirmed (in English).

    A sample that abstains, or is empty, agrees with nothing; nor does a reply of one form with
    one of another.

    Returns:
        In [0, 1]; None without a further sample, or where the answer says nothing.
    """
    others = [sample for sample in samples if sample is not generation]
    text = answer.text if generation is None else generation.text
    if not others or not words(without_markers(text)):
        return None
    options = answer.question.options
    said = [not each.abstained and _same(text, each.text, options) for each in others]
    return sum(said) / len(said)


def margin(kept: Sequence[Hit]) -> float | None:
    """Compute how far the best hit stands before the next: (s1 - s2) / (|s1| + |s2|), in [0, 1].

    0 for equal scores, also two zeros; 1 where the second is zero or the two differ in sign. It is
    free of the scale of the scores, not of their origin, so that those of two kinds of retrievers
    are not compared.

    Args:
        kept: in any order.

    Returns:
        None with fewer than two hits, or where a score is no number.
    """
    scores = sorted((hit.score for hit in kept), reverse=True)[:2]
    if len(scores) < 2 or not all(map(isfinite, scores)):
        return None
    # Halved first: the sum of two huge scores is no number.
    best, second = (score / 2 for score in scores)
    spread = abs(best) + abs(second)
    return (best - second) / spread if spread else 0.0


def support(claims: Sequence[Claim]) -> float | None:
    """Compute the share of claims that are supported, of those checked; None if none was."""
    checked = [claim.support for claim in claims if claim.support != "unchecked"]
    return checked.count("supported") / len(checked) if checked else None


def _token_probability(generation: Generation | None) -> float | None:
    if generation is None or not generation.log_probabilities:
        return None
    mean = sum(generation.log_probabilities) / len(generation.log_probabilities)
    return exp(min(0.0, mean)) if mean == mean else None


def _option_probability(scores: Sequence[float]) -> float | None:
    if len(scores) < 2 or not all(map(isfinite, scores)):
        return None
    return 1 / fsum(exp(score - max(scores)) for score in scores)


def _same(first: str, second: str, options: Sequence[str]) -> bool:
    one, other = _closed(first, options), _closed(second, options)
    if one is not None or other is not None:
        return one == other
    return _overlap(_said(first), _said(second)) >= SAME


def _closed(text: str, options: Sequence[str]) -> str | None:
    """Read the option, or the yes or no, that a reply begins with; None if it does not."""
    bare = without_markers(text).strip()
    if lead := _LEAD.match(bare):
        bare = bare[lead.end() :]
    if options:
        return _option(bare, options)
    first = next(iter(words(bare)), "").lower()
    return first if first in ("yes", "no") and not _denies_a_noun(bare) else None


def _denies_a_noun(text: str) -> bool:
    """Tell "No effusion is seen", a sentence, from "No, ..." and "No."."""
    return re.match(r"\W*no\s+\w", text, re.IGNORECASE) is not None


def _option(text: str, options: Sequence[str]) -> str | None:
    letter = _LETTER.match(text)
    if letter and (place := ord(letter.group(1).upper()) - ord("A")) < len(options):
        return str(place)
    reply = [word.lower() for word in words(text)]
    begun = [
        (len(wanted), place)
        for place, option in enumerate(options)
        if (wanted := [word.lower() for word in words(option)])
        # With its letter, or without: "b gout", "gout".
        and wanted in (reply[: len(wanted)], _behind(reply, place)[: len(wanted)])
    ]
    # The longest: "type 1 diabetes" begins with "type 1" as well.
    return str(max(begun)[1]) if begun else None


def _behind(reply: list[str], place: int) -> list[str]:
    """Give the words behind the letter of an option, if the reply begins with that."""
    return reply[1:] if reply[:1] == [chr(ord("a") + place)] else []


def _said(text: str) -> Counter[str]:
    """Count the stems of a text, denied ones apart."""
    bare = without_markers(text)
    said: Counter[str] = Counter()
    for start, end in sentences(bare):
        sentence = bare[start:end]
        last = 0
        for begin, stop in _merged(negated_spans(sentence)):
            said.update(stems(sentence[last:begin]))
            said.update(_DENIED + stem for stem in stems(sentence[begin:stop]))
            last = stop
        said.update(stems(sentence[last:]))
    return said


def _merged(spans: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for begin, stop in spans:
        if merged and begin <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(stop, merged[-1][1]))
        else:
            merged.append((begin, stop))
    return merged


def _overlap(one: Counter[str], other: Counter[str]) -> float:
    total = one.total() + other.total()
    return 2 * (one & other).total() / total if total else 0.0
