"""Words of evidence that are kin to those of a claim: one root, with another ending."""

from functools import lru_cache

from medrag.verification.concepts import OTHER
from medrag.verification.reading import Unit

# Endings that make another kind of word of a root, as a stemmer leaves them. Those of medicine that
# make another thing of it ("-itis", "-oma", "-ole") are not among them.
_ENDINGS = frozenset(
    [
        "",
        "e",
        "i",
        "y",
        "iv",
        "ion",
        "at",
        "al",
        "ment",
        "ed",
        "ing",
        "li",
        "nes",
        "er",
        "or",
        "ant",
        "ent",
        "anc",
        "enc",
        "abl",
        "ic",
        "ation",
        "ativ",
        "ori",
        "iti",
        "abil",
    ]
)
_ROOT = 4


def alike(unit: Unit, claim: Unit) -> Unit:
    """Give a clause of the evidence with the words of the claim in the place of their kin."""
    wanted: dict[str, list[str]] = {}
    for want in claim.keys - unit.keys:
        wanted.setdefault(_root(want), []).append(want)
    names = {
        key: name
        for key in unit.keys - claim.keys
        for want in wanted.get(_root(key), ())
        if (name := _name(key, want))
    }
    return _renamed(unit, names) if names else unit


def _root(key: str) -> str:
    """Give the letters that all of a word's kin begin with."""
    return key.removeprefix(OTHER)[:_ROOT]


@lru_cache(maxsize=1 << 14)
def _name(key: str, want: str) -> str:
    """Give what a word of evidence is called by a claim that has its kin, or ""."""
    bare, wanted = key.removeprefix(OTHER), want.removeprefix(OTHER)
    if not _kin(bare, wanted):
        return ""
    return wanted if bare == key else OTHER + wanted


def _kin(one: str, other: str) -> bool:
    n = 0
    for a, b in zip(one, other, strict=False):
        if a != b:
            break
        n += 1
    # What one ends on may be cut from the other: "react", "reactiv"; "infus", "infusion".
    return n >= _ROOT and one[n:] in _ENDINGS and other[n:] in _ENDINGS


def _renamed(unit: Unit, names: dict[str, str]) -> Unit:
    def keys(several: frozenset[str]) -> frozenset[str]:
        return frozenset(names.get(key, key) for key in several)

    return unit._replace(
        tokens=tuple(t._replace(key=names.get(t.key, t.key)) for t in unit.tokens),
        keys=keys(unit.keys),
        affirmed=keys(unit.affirmed),
        denied=keys(unit.denied),
        sides=tuple((sides, keys(near)) for sides, near in unit.sides),
        denials=tuple(
            d._replace(
                keys=keys(d.keys), places=keys(d.places), head=names.get(d.head, d.head),
                aside=keys(d.aside),
            )
            for d in unit.denials
        ),
    )  # fmt: skip
