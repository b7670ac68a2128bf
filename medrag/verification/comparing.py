"""Hold a clause of a claim against a clause of its evidence: the same, or the opposite."""

import re

from medrag.verification.concepts import (
    abnormal_keys,
    body_keys,
    extent_keys,
    kin_keys,
    opposites,
    part_keys,
    partners,
    size_keys,
    soft_keys,
    turning_keys,
    values,
    well_keys,
)
from medrag.verification.counting import another_number, has_measure
from medrag.verification.reading import Denial, Token, Unit
from medrag.verification.sharing import of_one, share, weight
from medrag.verification.siding import another_side, has_side, one_side

# Of those that do not tell which value an attribute has.
_MOST = 0.6
_DEFINITE = re.compile(r"\s*(?:the|this|that|these|his|her|its|their|our|my)\b", re.IGNORECASE)


def supports(evidence: Unit, claim: Unit, *, least: float) -> bool:
    """Tell whether one clause says all that another one says."""
    held = said_alike(evidence, claim)
    lacking = claim.keys - held
    if _of_kin(evidence, claim) or _turned(evidence, claim):
        return False
    # A word that is missing may be one of many; one that is there in another sense may not.
    if not lacking.isdisjoint(evidence.keys) or any(
        not partners(key).isdisjoint(evidence.affirmed) for key in lacking
    ):
        return False
    telling = bool(claim.keys - soft_keys()) or bool(claim.measures)
    if not (lacking <= soft_keys() and telling) and share(claim, held) < least:
        return False
    sided = all(has_side(evidence, claim, sides, near) for sides, near in claim.sides)
    return sided and all(has_measure(evidence, claim, each) for each in claim.measures)


def _is_other(key: str, evidence: Unit) -> bool:
    """Tell whether the evidence denies all else that a thing may be: what is not torn is intact."""
    others = values(key)
    if key in well_keys():
        return evidence.well or not others.isdisjoint(evidence.denied)
    return len(others) == 1 and others <= evidence.denied


def _of_kin(evidence: Unit, claim: Unit) -> bool:
    """Tell whether the evidence speaks of a relative, and the claim does not."""
    if claim.keys & kin_keys() or not evidence.keys & kin_keys():
        return False
    first = next(t.key for t in evidence.tokens if t.key in kin_keys() or t.key in claim.keys)
    return first in kin_keys()


def _turned(evidence: Unit, claim: Unit) -> bool:
    """Tell whether what one clause says of two things, the other says of them the other way."""
    for one in claim.tokens:
        if one.key not in turning_keys():
            continue
        for other in evidence.tokens:
            if other.key == one.key and _voice(claim, one) == _voice(evidence, other):
                before, after = _around(claim, one)
                first, last = _around(evidence, other)
                if before & last and after & first and not before & first and not after & last:
                    return True
    return False


def _voice(unit: Unit, token: Token) -> tuple[str, bool]:
    """Give the beginning of a verb as it is written, and whether "by" or "to" follows."""
    rest = unit.text[max(token.place - unit.start, 0) :]
    return rest[:4].lower(), bool(re.match(r"\w+\s+(?:by|to|from)\b", rest))


def _around(unit: Unit, token: Token) -> tuple[frozenset[str], frozenset[str]]:
    soft = soft_keys()
    before = frozenset(t.key for t in unit.tokens if t.place < token.place)
    return before - soft, frozenset(t.key for t in unit.tokens if t.place > token.place) - soft


def said_alike(evidence: Unit, claim: Unit) -> frozenset[str]:
    """Give the words of a claim that the evidence says, and denies where the claim denies them."""
    held = set(claim.affirmed & evidence.affirmed)
    if evidence.denied:
        held |= {key for key in claim.affirmed if not opposites(key).isdisjoint(evidence.denied)}
    if claim.hedged:
        held |= {token.key for token in evidence.tokens if not token.denied}
    held |= claim.denied & evidence.denied
    # What is not torn is intact.
    held |= {key for key in claim.affirmed if _is_other(key, evidence)}
    if not claim.denied:
        return claim.keys & held
    for one in claim.denials:
        said = one.keys | one.places | claim.affirmed
        for other in evidence.denials:
            # What is denied of more is denied of this as well.
            more = other.keys - soft_keys() or other.keys
            if not more <= said or other.keys.isdisjoint(one.keys):
                continue
            if other.head in one.keys and of_one(
                claim.keys & body_keys(), evidence.keys & body_keys()
            ):
                held |= one.keys | one.places | other.keys | other.places | other.aside
    for key in claim.denied:
        if not partners(key).isdisjoint(evidence.affirmed) or _is_well(evidence, claim, key):
            held.add(key)
    return claim.keys & frozenset(held)


def conflicts(evidence: Unit, claim: Unit) -> bool:
    """Tell whether two clauses cannot both be so."""
    return clashes(evidence, claim) or another_side(evidence, claim)


def clashes(evidence: Unit, claim: Unit) -> bool:
    """Tell whether two clauses cannot both be so, whatever their sides."""
    return (
        _denied_there(evidence, claim)
        or _affirmed_there(evidence, claim)
        or _another_value(evidence, claim)
        or _well_there(evidence, claim)
        or _ill_there(evidence, claim)
        or another_number(evidence, claim)
    )


def _denied_there(evidence: Unit, claim: Unit) -> bool:
    """The claim affirms what the evidence denies."""
    for denial in evidence.denials:
        rest = claim.affirmed - denial.keys - denial.places
        # "is not involved": of a word that says little, the subject must be the same.
        vague = denial.keys <= soft_keys()
        if vague and not rest - soft_keys() <= evidence.keys:
            continue
        if not _denies(
            denial, claim.affirmed, claim.affirmed, definite=bool(_DEFINITE.match(claim.text))
        ):
            continue
        if denial.predicate and not of_one(rest - soft_keys(), evidence.affirmed - soft_keys()):
            continue
        if of_one(rest & body_keys(), evidence.affirmed & body_keys()) and one_side(
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
        if of_one(wanted, evidence.affirmed - soft_keys() if denial.predicate
                   else evidence.affirmed & body_keys()) and one_side(
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
        if not others or key in evidence.keys or not _mostly(hard, evidence):
            continue
        alone = not rest and not all(has_measure(evidence, claim, m) for m in claim.measures)
        if not rest and others.isdisjoint(opposites(key)) and (alone or not claim.measures):
            continue
        if not hard and not rest <= evidence.affirmed:
            continue
        if key in part_keys() and not (_DEFINITE.match(claim.text) and hard <= evidence.affirmed):
            continue
        return True
    return False


def _mostly(keys: frozenset[str], evidence: Unit) -> bool:
    """Tell whether evidence affirms most of some words, and all parts of the body among them."""
    told = {key for key in keys if not partners(key).isdisjoint(evidence.affirmed)}
    told -= part_keys()
    rest = keys - told
    if not rest & (body_keys() | part_keys()) <= evidence.affirmed:
        return False
    return not rest or weight(rest & evidence.affirmed) >= _MOST * weight(rest)


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


def _near_well(evidence: Unit) -> frozenset[str]:
    """Give what a part of a list that calls something normal affirms: "uterus normal, lens cloudy".

    What stands before a colon is the subject of each part.
    """
    cuts = [m.start() + evidence.start for m in re.finditer(r"[,:]", evidence.text)]
    well = [t.place for t in evidence.tokens if t.key in well_keys() and not t.denied]
    near = set()
    for place in well:
        low = max((cut for cut in cuts if cut <= place), default=-1)
        high = min((cut for cut in cuts if cut > place), default=1 << 30)
        near |= {t.key for t in evidence.tokens if low <= t.place < high}
    return evidence.affirmed & near


def _all_well(evidence: Unit, sites: frozenset[str], found: frozenset[str]) -> bool:
    sites = sites - soft_keys() - extent_keys()
    affirmed = _near_well(evidence)
    others = affirmed - sites - well_keys() - soft_keys()
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


def _denies(
    denial: Denial, said: frozenset[str], wanted: frozenset[str], *, definite: bool
) -> bool:
    """Tell whether a denial reaches something: it names nothing more, and no other place."""
    keys = denial.keys - soft_keys() or denial.keys
    if denial.the and definite and denial.head in wanted:
        return (denial.places - soft_keys()) <= said | part_keys()
    return keys <= wanted and (denial.places - soft_keys()) <= said | part_keys()


def telling_keys(claim: Unit) -> frozenset[str]:
    """Give the words by which a clause may support a claim or stand against it."""
    return claim.keys.union(*(partners(key) for key in claim.keys))
