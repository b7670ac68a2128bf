"""Support of claims by the words of what they cite: a floor, without a model."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

from medrag.records import Answer, Claim, Passage, Support
from medrag.verification.comparing import clashes, supports, telling_keys
from medrag.verification.concepts import body_keys, part_keys, soft_keys
from medrag.verification.contradictions import known_language
from medrag.verification.counting import with_shares
from medrag.verification.kinship import alike
from medrag.verification.quantities import Measure
from medrag.verification.reading import Unit, merged, units
from medrag.verification.sharing import share
from medrag.verification.siding import another_side, not_only
from medrag.verification.slots import excludes, moved, states
from medrag.verification.told import stated, told

# The letter of an option, and a bare yes or no: they answer the question and state nothing.
_LEAD = re.compile(r"\A(?:\(?[A-Z][.):]\s+|(?:yes|no)(?:[,.:;]\s*|$))+", re.IGNORECASE)
_BARE = re.compile(r"\s*(?:yes|no)\W*", re.IGNORECASE)
_SPECIES = re.compile(r"\b([A-Z])([a-z]{2,}) ([a-z]{3,})")
_INITIAL = re.compile(r"\b[A-Z]\. [a-z]{3}")
LEAST = 0.85
# (text, language) of each passage.
_Texts = tuple[tuple[str, str], ...]


class Grounds(NamedTuple):
    """What the words of the evidence say of a claim; `score`: share of its stems found, or None."""

    support: Support
    score: float | None


class LexicalVerifier:
    """Hold each claim against the words of the passages that it cites, without a model.

    A claim is read clause by clause, and so is its evidence: words by what they mean (inflection,
    British and American spelling, common synonyms of medicine), each affirmed, denied or left open,
    with its side, and numbers with their units. A clause is

    - supported, if one clause of the evidence, or those together that go on with each other, hold
      at least a share of its words in the same sense, every side and every number of it;
    - contradicted, if a clause that speaks of the same denies what it affirms or the reverse, or
      gives another side, another number, another value of an attribute (mild, severe), or another
      place, cause or nature of which there can only be one;
    - unsupported otherwise: also where the evidence leaves open what the claim states.

    The worst clause counts for the claim. English is read whole; of other languages stems, sides,
    negations and numbers are. Without a grasp of meaning this stays a floor beside judges that
    read: it takes paraphrases that share no words for unsupported. A claim without markers, without
    words, or whose passages hold no text stays "unchecked".

    Args:
        least: share of what the words of a clause mean; those that a paraphrase may leave out
            ("lesion", "measures") count less.

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
        passages = cited_passages(answer, claim)
        text = claim.text
        if _BARE.fullmatch(text) and passages:
            text = stated(answer.question.text, text, known_language(passages[0])) or text
        found = grounds(text, passages, least=self.least)
        return replace(claim, support=found.support, score=found.score)


def cited_passages(answer: Answer, claim: Claim) -> list[Passage]:
    """List the passages that the markers of a claim point to, in their order."""
    known = {citation.marker: citation.passage for citation in answer.citations}
    return [known[marker] for marker in claim.markers if marker in known]


def grounds(claim: str, passages: Sequence[Passage], *, least: float = LEAST) -> Grounds:
    """Say what the words of passages, taken together, say of a claim."""
    return _grounds(_LEAD.sub("", claim), _texts(passages), least)


def held_share(claim: str, passages: Sequence[Passage]) -> float | None:
    """Give the share of what a claim's words mean that passages hold together.

    Returns:
        In [0, 1], 0 if they lack a number of the claim; None without a word or a passage.
    """
    return _share(_LEAD.sub("", claim), _texts(passages))


def _texts(passages: Sequence[Passage]) -> _Texts:
    return tuple((told(each), known_language(each)) for each in passages if each.text.strip())


# An answer's claims are asked about twice: for their support, and for the citations they need.
@lru_cache(maxsize=1 << 10)
def _grounds(claim: str, texts: _Texts, least: float) -> Grounds:
    score = _share(claim, texts)
    if score is None:
        return Grounds("unchecked", None)
    evidence = [units(_full_names(text, claim), language) for text, language in texts]
    found = {_support(unit, evidence, least) for unit in units(claim, texts[0][1])}
    for support in _WORST_FIRST:
        if support in found:
            return Grounds(support, score)
    return Grounds("unchecked", None)


def _full_names(text: str, claim: str) -> str:
    """Write the names of species in full that the claim has so: "S. aureus"."""
    for initial, rest, species in _SPECIES.findall(claim) if _INITIAL.search(text) else ():
        text = text.replace(f"{initial}. {species}", f"{initial}{rest} {species}")
    return text


def _support(claim: Unit, evidence: Sequence[Sequence[Unit]], least: float) -> Support:
    """Hold a clause against each of the evidence, then against those together that go on."""
    telling = telling_keys(claim)
    shared = any(each.dimension == "share" for each in claim.measures)
    near = [
        alike(with_shares(unit) if shared else unit, claim)
        for text in evidence
        for unit in text
        if not unit.keys.isdisjoint(telling) or (unit.measures and not claim.keys)
    ]
    said = [unit for unit in near if supports(unit, claim, least=least)]
    if any(not_only(unit, claim) for unit in near):
        return "contradicted"
    if any(excludes(unit, claim) for unit in near) and not any(
        states(unit, claim) for unit in said
    ):
        return "contradicted"
    if said:
        return "supported"
    linked = [unit for text in evidence for unit in _linked(text, claim)]
    if any(clashes(unit, claim) or moved(unit, claim) for unit in [*near, *linked]):
        return "contradicted"
    whole = merged([unit for text in evidence for unit in _about(text, claim)] or near or [claim])
    together = bool(near) and supports(whole, claim, least=least)
    if together:
        return "supported"
    sided = any(another_side(unit, claim) for unit in [*near, *linked])
    return "contradicted" if sided and not _side_open(evidence, claim) else "unsupported"


def _side_open(evidence: Sequence[Sequence[Unit]], claim: Unit) -> bool:
    """Tell whether the evidence leaves a side of the claim open: "the left was not examined"."""
    sides = frozenset().union(*(each for each, _ in claim.sides))
    return any(
        not each.isdisjoint(sides)
        and (unit.hedged or (not unit.well and not unit.denied and near <= claim.keys))
        and not any(key in _findings(claim) for key in unit.affirmed)
        for text in evidence
        for unit in text
        for each, near in unit.sides
    )


def _findings(claim: Unit) -> frozenset[str]:
    return claim.affirmed - body_keys() - part_keys() - soft_keys()


def _linked(text: Sequence[Unit], claim: Unit) -> Iterator[Unit]:
    """Give clauses that go on with the one before ("It measures"), read with it."""
    for before, unit in pairwise(text):
        if unit.follows and not before.keys.isdisjoint(claim.keys):
            yield merged([before, unit])


def _about(text: Sequence[Unit], claim: Unit) -> Iterator[Unit]:
    """Give the clauses that speak of what the claim does, or go on with one that does."""
    about = False
    for unit in text:
        first = unit.tokens[0].key if unit.tokens else ""
        about = first in claim.keys or (about and unit.follows)
        if about:
            yield unit


@lru_cache(maxsize=1 << 10)
def _share(claim: str, texts: _Texts) -> float | None:
    if not texts:
        return None
    wanted = units(claim, texts[0][1])
    if not wanted:
        return None
    read = [_held(text, language) for text, language in texts]
    held = frozenset[str]().union(*(keys for keys, _ in read))
    given = [each for _, numbers in read for each in numbers]
    whole = merged(wanted)
    if any(not any(each.holds(other) for other in given) for each in whole.measures):
        return 0.0
    return share(whole, held)


@lru_cache(maxsize=1 << 12)
def _held(text: str, language: str) -> tuple[frozenset[str], tuple[Measure, ...]]:
    read = units(text, language)
    keys = frozenset(key for unit in read for key in unit.keys)
    return keys, tuple(each for unit in read for each in unit.measures)


_WORST_FIRST: tuple[Support, ...] = ("contradicted", "unsupported", "supported")
