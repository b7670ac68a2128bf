"""Hold a clause of a claim against a clause of its evidence: the same, or the opposite."""

import re

from medrag.verification.concepts import (
    abnormal_keys,
    body_keys,
    extent_keys,
    key_of,
    opposites,
    part_keys,
    partners,
    size_keys,
    soft_keys,
    well_keys,
)
from medrag.verification.quantities import Measure
from medrag.verification.reading import Denial, Unit

# What a word counts that a paraphrase may leave out.
_SOFT_WEIGHT = 0.3
# Share of a clause's words from which another one speaks of the same thing.
_SAME = 0.6
# Of the words that a number of the claim stands with.
_SAME_MEASURED = 0.65
_DEFINITE = re.compile(r"\s*(?:the|this|that|these|his|her|its|their|our|my)\b", re.IGNORECASE)
_ONE_SIDED = frozenset({key_of("unilateral")})
_ONLY = re.compile(r"\b(?:only|solely|exclusively)\b", re.IGNORECASE)


def weight(keys: frozenset[str]) -> float:
    """Weigh words: what a paraphrase may leave out counts less."""
    soft = soft_keys()
    return sum(_SOFT_WEIGHT if key in soft else 1.0 for key in keys)


def share(claim: Unit, held: frozenset[str]) -> float:
    """Give the weighed share of a clause's words among some; 1 for a clause of numbers alone."""
    whole = weight(claim.keys)
    return weight(claim.keys & held) / whole if whole else 1.0


def supports(evidence: Unit, claim: Unit, *, least: float) -> bool:
    """Tell whether one clause says all that another one says."""
    held = said_alike(evidence, claim)
    lacking = claim.keys - held
    # A word that is missing may be one of many; one that is there in another sense may not.
    if not lacking.isdisjoint(evidence.keys) or any(
        not partners(key).isdisjoint(evidence.affirmed) for key in lacking - soft_keys()
    ):
        return False
    telling = bool(claim.keys - soft_keys()) or bool(claim.measures)
    if not (lacking <= soft_keys() and telling) and share(claim, held) < least:
        return False
    sided = all(_has_side(evidence, claim, sides, near) for sides, near in claim.sides)
    return sided and all(_has_measure(evidence, claim, each) for each in claim.measures)


def said_alike(evidence: Unit, claim: Unit) -> frozenset[str]:
    """Give the words of a claim that the evidence says, and denies where the claim denies them."""
    held = set(claim.affirmed & evidence.affirmed)
    if evidence.denied:
        held |= {key for key in claim.affirmed if not opposites(key).isdisjoint(evidence.denied)}
    if claim.hedged:
        held |= {token.key for token in evidence.tokens if not token.denied}
    held |= claim.denied & evidence.denied
    if not claim.denied:
        return claim.keys & held
    for one in claim.denials:
        said = one.keys | one.places | claim.affirmed
        for other in evidence.denials:
            # What is denied of more is denied of this as well.
            more = other.keys - soft_keys() or other.keys
            if not more <= said or other.keys.isdisjoint(one.keys):
                continue
            if other.head in one.keys and _of_one(
                claim.keys & body_keys(), evidence.keys & body_keys()
            ):
                held |= one.keys | one.places | other.keys | other.places | other.aside
    for key in claim.denied:
        if not partners(key).isdisjoint(evidence.affirmed) or _is_well(evidence, claim, key):
            held.add(key)
    return claim.keys & frozenset(held)


def conflicts(evidence: Unit, claim: Unit) -> bool:
    """Tell whether two clauses cannot both be so."""
    return (
        _denied_there(evidence, claim)
        or _affirmed_there(evidence, claim)
        or _another_value(evidence, claim)
        or _well_there(evidence, claim)
        or _ill_there(evidence, claim)
        or _another_side(evidence, claim)
        or _another_number(evidence, claim)
    )


def _denied_there(evidence: Unit, claim: Unit) -> bool:
    """The claim affirms what the evidence denies."""
    for denial in evidence.denials:
        rest = claim.affirmed - denial.keys
        # "is not involved": of a word that says little, the subject must be the same.
        vague = denial.keys <= soft_keys()
        if vague and not rest - soft_keys() <= evidence.keys:
            continue
        if not _denies(
            denial, claim.affirmed, claim.affirmed, definite=bool(_DEFINITE.match(claim.text))
        ):
            continue
        if denial.predicate and not _of_one(rest - soft_keys(), evidence.affirmed - soft_keys()):
            continue
        if _of_one(rest & body_keys(), evidence.affirmed & body_keys()) and _one_side(
            evidence, claim, denial.keys
        ):
            return True
    return False


def _affirmed_there(evidence: Unit, claim: Unit) -> bool:
    """The claim denies what the evidence affirms."""
    for denial in claim.denials:
        keys = denial.keys | denial.places
        if denial.keys <= soft_keys() or not (keys - soft_keys()) <= evidence.affirmed:
            continue
        rest = claim.affirmed - denial.keys
        wanted = rest - soft_keys() if denial.predicate else rest & body_keys()
        if _of_one(wanted, evidence.affirmed - soft_keys() if denial.predicate
                   else evidence.affirmed & body_keys()) and _one_side(
            evidence, claim, denial.keys
        ):  # fmt: skip
            return True
    return False


def _another_value(evidence: Unit, claim: Unit) -> bool:
    """The evidence gives another value of an attribute: mild, severe."""
    for key in claim.affirmed:
        others = {e for e in evidence.affirmed if e in partners(key) or key in partners(e)}
        others -= claim.keys
        rest = claim.affirmed - {key}
        hard = rest - soft_keys()
        if not others or key in evidence.keys or not hard <= evidence.affirmed:
            continue
        alone = not rest and not all(_has_measure(evidence, claim, m) for m in claim.measures)
        if not rest and others.isdisjoint(opposites(key)) and (alone or not claim.measures):
            continue
        if not hard and not rest <= evidence.affirmed:
            continue
        if key in part_keys() and not _DEFINITE.match(claim.text):
            continue
        return True
    return False


def _well_there(evidence: Unit, claim: Unit) -> bool:
    """The evidence calls normal what the claim finds something at."""
    found = (claim.affirmed & abnormal_keys()) - well_keys()
    if not evidence.well or not found or not claim.affirmed.isdisjoint(well_keys()):
        return False
    return _all_well(evidence, claim.affirmed - abnormal_keys(), found)


def _is_well(evidence: Unit, claim: Unit, key: str) -> bool:
    """The evidence calls normal what the claim says that something is not."""
    sites = claim.affirmed - abnormal_keys()
    return (
        evidence.well
        and key in abnormal_keys()
        and _all_well(evidence, sites | (claim.denied - abnormal_keys()), frozenset({key}))
    )


def _all_well(evidence: Unit, sites: frozenset[str], found: frozenset[str]) -> bool:
    sites = sites - soft_keys() - extent_keys()
    others = evidence.affirmed - sites - well_keys() - soft_keys()
    extent = others & extent_keys() or evidence.affirmed & extent_keys()
    if not sites or not sites <= evidence.affirmed | part_keys() or others - extent_keys():
        return False
    if sites.isdisjoint(evidence.affirmed):
        return False
    return not extent or not found.isdisjoint(size_keys())


def _ill_there(evidence: Unit, claim: Unit) -> bool:
    """The evidence finds something at what the claim calls normal."""
    if claim.affirmed.isdisjoint(well_keys()) or evidence.well or claim.denied:
        return False
    sites = claim.affirmed - well_keys() - soft_keys() - extent_keys()
    found = evidence.affirmed & abnormal_keys()
    if not sites or not sites <= evidence.affirmed or not found - sites:
        return False
    return claim.affirmed.isdisjoint(extent_keys()) or not found.isdisjoint(size_keys())


def _another_side(evidence: Unit, claim: Unit) -> bool:
    """The evidence names the other side."""
    where = part_keys() | body_keys() | _ONE_SIDED
    findings = claim.affirmed - where - soft_keys()
    alike = share(claim, (claim.affirmed & evidence.affirmed) | _ONE_SIDED)
    if alike < _SAME or not findings <= evidence.affirmed:
        return False
    if not findings and (alike < 1 or claim.measures):
        return False
    both = any(len(sides) > 1 for sides, _ in evidence.sides)
    if both and not _ONE_SIDED.isdisjoint(claim.affirmed):
        return True
    for sides, near in claim.sides:
        if len(sides) > 1 and not _ONE_SIDED.isdisjoint(evidence.affirmed):
            return True
        if any(not sides <= each for each in _sides_there(evidence, claim, near)):
            return True
    return False


def not_only(evidence: Unit, claim: Unit) -> bool:
    """The claim says "only" of a side, and the evidence names both."""
    return (
        bool(_ONLY.search(claim.text))
        and share(claim, claim.affirmed & evidence.affirmed) >= _SAME
        and any(
            sides < each
            for sides, near in claim.sides
            for each in _sides_there(evidence, claim, near)
        )
    )


def _another_number(evidence: Unit, claim: Unit) -> bool:
    """The evidence gives another number of the same thing."""
    if share(claim, claim.affirmed & evidence.affirmed) < _SAME_MEASURED:
        return False
    if not (claim.keys & body_keys()) <= evidence.keys:
        return False
    free = [e for e in evidence.measures if not any(m.holds(e) for m in claim.measures)]
    return any(
        each.opposes(other) and _bound_alike(evidence, other, claim, each)
        for each in claim.measures
        if not _has_measure(evidence, claim, each)
        for other in free
    )


def _denies(
    denial: Denial, said: frozenset[str], wanted: frozenset[str], *, definite: bool
) -> bool:
    """Tell whether a denial reaches something: it names nothing more, and no other place."""
    keys = denial.keys - soft_keys() or denial.keys
    if denial.the and definite and denial.head in wanted:
        return (denial.places - soft_keys()) <= said | part_keys()
    return keys <= wanted and (denial.places - soft_keys()) <= said | part_keys()


def _of_one(one: frozenset[str], other: frozenset[str]) -> bool:
    return not one or not other or not one.isdisjoint(other)


def _one_side(evidence: Unit, claim: Unit, keys: frozenset[str]) -> bool:
    """Tell whether two mentions may be of the same side."""
    here = frozenset().union(*(t.sides for t in claim.tokens if t.key in keys))
    there = frozenset().union(*(t.sides for t in evidence.tokens if t.key in keys))
    return _of_one(here, there)


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


def _has_side(evidence: Unit, claim: Unit, sides: frozenset[str], near: frozenset[str]) -> bool:
    there = _sides_there(evidence, claim, near)
    wanted = (near & evidence.keys) or claim.keys
    # What is nowhere is on no side either.
    nowhere = bool(wanted & claim.denied) and wanted <= evidence.denied | soft_keys()
    return all(sides <= each for each in there) and bool(there or nowhere)


def _has_measure(evidence: Unit, claim: Unit, measure: Measure) -> bool:
    if measure.dimension == "count" and measure.low == measure.high == 1:
        same = [e for e in evidence.measures if e.dimension == "count"]
        return not same or any(measure.holds(each) for each in same)
    return any(
        measure.holds(each) and _bound_alike(evidence, each, claim, measure)
        for each in evidence.measures
    )


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
    if len(several) < 2:
        return frozenset()
    return frozenset(t.key for t in unit.tokens if low <= t.place < high) - soft_keys()


def telling_keys(claim: Unit) -> frozenset[str]:
    """Give the words by which a clause may support a claim or stand against it."""
    return claim.keys.union(*(partners(key) for key in claim.keys))
