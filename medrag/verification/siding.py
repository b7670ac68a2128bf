"""Sides of a clause, held against those of another."""

import re

from medrag.verification.concepts import body_keys, key_of, part_keys, soft_keys
from medrag.verification.counting import not_all
from medrag.verification.reading import Unit
from medrag.verification.sharing import HALF, SAME, of_one, share, weight

_ONE_SIDED = frozenset({key_of("unilateral")})
_OF_ONE = re.compile(r"\b(?:only|to|just)\s+one\b(?!\s+of)", re.IGNORECASE)
_ONLY = re.compile(
    r"\b(?:only|solely|exclusively|alone|just|confined|limited|restricted|unilateral\w*)\b",
    re.IGNORECASE,
)


def another_side(evidence: Unit, claim: Unit) -> bool:
    """The evidence names the other side."""
    where = part_keys() | body_keys() | _ONE_SIDED
    findings = claim.affirmed - where - soft_keys()
    alike = share(claim, (claim.affirmed & evidence.affirmed) | _ONE_SIDED)
    if alike < SAME or weight(findings & evidence.affirmed) < HALF * weight(findings):
        return False
    if not findings and (alike < 1 or claim.measures):
        return False
    both = any(len(sides) > 1 for sides, _ in evidence.sides)
    if both and (not _ONE_SIDED.isdisjoint(claim.affirmed) or _OF_ONE.search(claim.text)):
        return True
    if all(len(sides) > 1 for sides, _ in claim.sides) and not _leaves_out(evidence):
        return False
    for sides, near in claim.sides:
        if len(sides) > 1 and not _ONE_SIDED.isdisjoint(evidence.affirmed):
            return True
        if any(not sides <= each for each in _sides_there(evidence, claim, near)):
            return True
    return False


def not_only(evidence: Unit, claim: Unit) -> bool:
    """The claim says "only" of a side, or "all" of several, and the evidence does not."""
    if not_all(evidence, claim):
        return True
    if _OF_ONE.search(claim.text) and any(len(sides) > 1 for sides, _ in evidence.sides):
        return share(claim, claim.affirmed & evidence.affirmed) >= SAME
    return (
        bool(_ONLY.search(claim.text))
        and share(claim, claim.affirmed & evidence.affirmed) >= SAME
        and any(
            sides < each
            for sides, near in claim.sides
            for each in _sides_there(evidence, claim, near)
        )
    )


def has_side(evidence: Unit, claim: Unit, sides: frozenset[str], near: frozenset[str]) -> bool:
    """Tell whether evidence names sides of a claim for what stands with them."""
    there = _sides_there(evidence, claim, near)
    wanted = (near & evidence.keys) or claim.keys
    # What is nowhere is on no side either.
    nowhere = bool(near & claim.denied) or (
        bool(wanted & claim.denied) and wanted <= evidence.denied | soft_keys()
    )
    return all(sides <= each for each in there) and bool(there or nowhere)


def one_side(evidence: Unit, claim: Unit, keys: frozenset[str]) -> bool:
    """Tell whether two mentions may be of the same side."""
    here = frozenset().union(*(t.sides for t in claim.tokens if t.key in keys))
    there = frozenset().union(*(t.sides for t in evidence.tokens if t.key in keys))
    return of_one(here, there)


def _sides_there(evidence: Unit, claim: Unit, near: frozenset[str]) -> list[frozenset[str]]:
    """Give the sides of each word of the evidence that a side of the claim stands with."""
    wanted = (near & evidence.keys) or claim.keys
    denied = bool(wanted & claim.denied) and wanted <= evidence.denied | soft_keys()
    if len(claim.sides) == 1:
        wanted |= claim.keys
    found: dict[str, frozenset[str]] = {}
    for token in evidence.tokens:
        if token.key in wanted and token.denied == denied and token.sides:
            found[token.key] = found.get(token.key, frozenset()) | token.sides
    return list(found.values())


def _leaves_out(evidence: Unit) -> bool:
    """Tell whether it says of a side that the other is not meant."""
    return bool(_ONLY.search(evidence.text)) or bool(evidence.denied) or evidence.well
