"""Numbers of a clause, held against those of another that stand with the same words."""

import re

from medrag.verification.concepts import body_keys, key_of, soft_keys
from medrag.verification.quantities import Measure
from medrag.verification.reading import Unit
from medrag.verification.sharing import HALF, SAME, share, weight

# Of the words that a number of the claim stands with.
_SAME_MEASURED = 0.65
_ALL = re.compile(r"\b(?:all|every|each|both)\b", re.IGNORECASE)
_SOME_OF = re.compile(r"\w\s+(?:out\s+)?of\s+(?:the\s+|his\s+|her\s+|all\s+)?\w", re.IGNORECASE)
_SINGLE = key_of("single")
# Of these, another number is another thing.
_NAMING = frozenset({"hepatitis", "vitamin", "influenza", "factor"})


def another_number(evidence: Unit, claim: Unit) -> bool:
    """The evidence gives another number of the same thing."""
    if _another_count(evidence, claim):
        return True
    if share(claim, claim.affirmed & evidence.affirmed) < _SAME_MEASURED:
        return False
    if not (claim.keys & body_keys()) <= evidence.keys:
        return False
    return any(
        each.dimension not in _NAMING
        and not has_measure(evidence, claim, each)
        and _number_opposes(evidence, claim, each)
        for each in claim.measures
    )


def has_measure(evidence: Unit, claim: Unit, measure: Measure) -> bool:
    """Tell whether evidence gives a number of the claim, of the same thing."""
    if measure.dimension == "count" and measure.low == measure.high == 1:
        same = [e for e in evidence.measures if e.dimension == "count"]
        return not same or any(
            measure.holds(each) for each in _of_the_same(evidence, claim, measure)
        )
    return any(
        measure.holds(each) and _bound_alike(evidence, each, claim, measure)
        for each in _of_the_same(evidence, claim, measure)
    )


def with_shares(unit: Unit) -> Unit:
    """Add what share "two of four" is, where a clause gives none."""
    counts = [each for each in unit.measures if each.dimension == "count" and each.low == each.high]
    if len(counts) < 2 or any(each.dimension == "share" for each in unit.measures):
        return unit
    whole = max(counts, key=lambda each: each.low)
    shares = tuple(
        each._replace(low=each.low / whole.low, high=each.low / whole.low, dimension="share")
        for each in counts
        if each.low < whole.low
    )
    return unit._replace(measures=unit.measures + shares[:1])


def not_all(evidence: Unit, claim: Unit) -> bool:
    """The claim says "all four", and the evidence "three of the four"."""
    counts = [each.low for each in evidence.measures if each.dimension == "count"]
    return (
        len(counts) > 1
        and counts[0] < counts[1]
        and bool(_ALL.search(claim.text) and _SOME_OF.search(evidence.text))
        and share(claim, claim.affirmed & evidence.affirmed) >= SAME
    )


def _number_opposes(evidence: Unit, claim: Unit, measure: Measure) -> bool:
    """Tell whether evidence gives another number of what a number of the claim stands with."""
    return any(
        measure.opposes(other)
        and not any(each.holds(other) for each in claim.measures)
        and _bound_alike(evidence, other, claim, measure)
        for other in _of_the_same(evidence, claim, measure)
    )


def _another_count(evidence: Unit, claim: Unit) -> bool:
    """One says that there is a single one, the other that there are several."""
    for one, other in ((evidence, claim), (claim, evidence)):
        several = any(m.dimension == "count" and m.low > 1 for m in other.measures)
        if several and _SINGLE in one.affirmed:
            return weight(claim.affirmed & evidence.affirmed) >= SAME * (
                weight(claim.affirmed - {_SINGLE})
            )
    return False


def _of_the_same(evidence: Unit, claim: Unit, measure: Measure) -> list[Measure]:
    """Give the numbers of a kind that stand with most of a claim's words."""
    alike = [e for e in evidence.measures if measure.holds(e) or measure.opposes(e)]
    if len(alike) < 2:
        return alike
    held = [weight(_bound(evidence, each) & claim.keys) for each in alike]
    return [each for each, found in zip(alike, held, strict=True) if found >= HALF * max(held)]


def _bound_alike(evidence: Unit, one: Measure, claim: Unit, other: Measure) -> bool:
    """Tell whether two numbers stand with the same words, and with the same side."""
    here, there = _bound(claim, other), _bound(evidence, one)
    if here and there and here.isdisjoint(there):
        return False
    sides = _bound_sides(evidence, one)
    return not sides or all(each & sides for each, _ in claim.sides)


def _bound_sides(unit: Unit, measure: Measure) -> frozenset[str]:
    """Give the sides of the words of a number's part, where there are several such numbers."""
    several = [other for other in unit.measures if other.dimension == measure.dimension]
    if len(several) < 2:
        return frozenset()
    low, high = _part(unit, measure)
    return frozenset().union(*(t.sides for t in unit.tokens if low <= t.place < high))


def _part(unit: Unit, measure: Measure) -> tuple[int, int]:
    cuts = [m.start() + unit.start for m in re.finditer(r",(?!\d)|\band\b", unit.text)]
    low = max((cut for cut in cuts if cut <= measure.start), default=-1)
    return low, min((cut for cut in cuts if cut >= measure.end), default=1 << 30)


def _bound(unit: Unit, measure: Measure) -> frozenset[str]:
    """Give the words that a number stands with: what is counted, or those of its part."""
    if measure.dimension == "count":
        after = [token.key for token in unit.tokens if token.place >= measure.end]
        if after:
            return frozenset(after[:2])
    low, high = _part(unit, measure)
    several = [other for other in unit.measures if other.dimension == measure.dimension]
    if all(low <= other.start < high for other in several):
        return frozenset()
    return frozenset(t.key for t in unit.tokens if low <= t.place < high) - soft_keys()
