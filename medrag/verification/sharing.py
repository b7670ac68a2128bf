"""How much of a clause another one has."""

from medrag.verification.concepts import soft_keys
from medrag.verification.reading import Unit

# What a word counts that a paraphrase may leave out.
_SOFT_WEIGHT = 0.3
# Share of a clause's words from which another one speaks of the same thing.
SAME = 0.6
# Of what is found at a side.
HALF = 0.5


def weight(keys: frozenset[str]) -> float:
    """Weigh words: what a paraphrase may leave out counts less."""
    soft = soft_keys()
    return sum(_SOFT_WEIGHT if key in soft else 1.0 for key in keys)


def share(claim: Unit, held: frozenset[str]) -> float:
    """Give the weighed share of a clause's words among some; 1 for a clause of numbers alone."""
    whole = weight(claim.keys)
    return weight(claim.keys & held) / whole if whole else 1.0


def of_one(one: frozenset[str], other: frozenset[str]) -> bool:
    return not one or not other or not one.isdisjoint(other)
