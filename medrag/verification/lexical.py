"""Support of claims by the words of what they cite: a floor, without a model."""

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from medrag.records import Answer, Claim, Passage, Support
from medrag.verification.contradictions import contradictions, known_language, stem_set

# The letter of an option, and a bare yes or no: they answer the question and state nothing.
_LEAD = re.compile(r"\A(?:\(?[A-Z][.):]\s+|(?:yes|no)(?:[,.:;]\s*|$))+", re.IGNORECASE)
LEAST = 0.7


class Grounds(NamedTuple):
    """What the words of the evidence say of a claim; `score`: share of its stems found, or None."""

    support: Support
    score: float | None


class LexicalVerifier:
    """Compare the words of each claim with those of the passages that it cites.

    A claim is supported if the passages together hold at least a share of its word stems and every
    number in it, and do not contradict it in side or negation. This sees neither synonyms nor
    meaning: a floor beside judges that read, and not tuned to agree with them. A claim without
    markers, without words, or whose passages hold no text stays "unchecked".

    Args:
        least: share of the stems of a claim.

    Raises:
        ValueError: if `least` is not in (0, 1].
    """

    def __init__(self, *, least: float = LEAST) -> None:
        if not 0 < least <= 1:
            raise ValueError(f"least must be above 0 and at most 1, got {least}")
        self.least = least

    def verify(self, answers: Sequence[Answer]) -> list[Answer]:
        """Say of each claim what the words of its evidence say."""
        return [
            replace(answer, claims=tuple(self._checked(answer, claim) for claim in answer.claims))
            for answer in answers
        ]

    def _checked(self, answer: Answer, claim: Claim) -> Claim:
        found = grounds(claim.text, cited_passages(answer, claim), least=self.least)
        return replace(claim, support=found.support, score=found.score)


def cited_passages(answer: Answer, claim: Claim) -> list[Passage]:
    """List the passages that the markers of a claim point to, in their order."""
    known = {citation.marker: citation.passage for citation in answer.citations}
    return [known[marker] for marker in claim.markers if marker in known]


def grounds(claim: str, passages: Sequence[Passage], *, least: float = LEAST) -> Grounds:
    """Say what the words of passages, taken together, say of a claim."""
    texts = [passage for passage in passages if passage.text.strip()]
    share = held_share(claim, texts)
    if share is None:
        return Grounds("unchecked", None)
    if share < least:
        return Grounds("unsupported", share)
    return Grounds("contradicted" if any(contradictions(claim, texts)) else "supported", share)


def held_share(claim: str, passages: Sequence[Passage]) -> float | None:
    """Give the share of a claim's stems that passages hold together.

    Returns:
        In [0, 1], 0 if they lack a number of the claim; None without a stem or a passage.
    """
    if not passages:
        return None
    language = known_language(passages[0])
    wanted = stem_set(_LEAD.sub("", claim), language)
    if not wanted:
        return None
    lacking = wanted
    for passage in passages:
        lacking = lacking - stem_set(passage.text, known_language(passage))
    if any(any(char.isdigit() for char in stem) for stem in lacking):
        return 0.0
    return 1 - len(lacking) / len(wanted)
