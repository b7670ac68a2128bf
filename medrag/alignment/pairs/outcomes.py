"""From right and wrong answers of four runs to the families of pairs that they give."""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from itertools import product
from typing import Literal

from medrag.alignment.pairs.pair import Family

Which = Literal["clean_context", "clean_plain", "noised_context", "noised_plain"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """Whether the four runs answered one item rightly; None where nobody knows.

    Attributes:
        clean_context: the true picture, with context.
        clean_plain: the true picture, without context.
        noised_context: a corrupted picture, with context.
        noised_plain: a corrupted picture, without context.
    """

    clean_context: bool | None = None
    clean_plain: bool | None = None
    noised_context: bool | None = None
    noised_plain: bool | None = None


WHICH: tuple[Which, ...] = ("clean_context", "clean_plain", "noised_context", "noised_plain")


def families(
    clean_context: bool, clean_plain: bool, noised_context: bool, noised_plain: bool
) -> tuple[Family, ...]:
    """Name the families of pairs that an item gives.

    | clean, context | clean, plain | noised, context | noised, plain | families |
    |---|---|---|---|---|
    | right | right | right | right | cross_modality, conditional |
    | right | right | right | wrong | cross_modality |
    | right | right | wrong | right | conditional |
    | right | right | wrong | wrong | |
    | right | wrong | right | right | cross_modality, use_context |
    | right | wrong | right | wrong | cross_modality, use_context |
    | right | wrong | wrong | right | use_context |
    | right | wrong | wrong | wrong | use_context |
    | wrong | right | right | right | not_misled, conditional |
    | wrong | right | right | wrong | not_misled |
    | wrong | right | wrong | right | not_misled, conditional |
    | wrong | right | wrong | wrong | not_misled |
    | wrong | wrong | right | right | |
    | wrong | wrong | right | wrong | |
    | wrong | wrong | wrong | right | |
    | wrong | wrong | wrong | wrong | |

    cross_modality: with context the answer is right, and still right with a corrupted picture, so
    that the picture was not needed. use_context: only context makes it right. not_misled: context
    makes it wrong; these are RULE's pairs against over-reliance. conditional: the same as
    cross_modality without context. mDPO, which has no contexts, takes its pairs of one answer and
    two pictures from all of its data; here they are of the items whose picture was overlooked.

    Source:
        MMed-RAG (Xia et al., ICLR 2025), RAG-PT; RULE (Xia et al., EMNLP 2024); mDPO (Wang et al.,
        EMNLP 2024).
    """
    found: dict[Family, bool] = {
        "cross_modality": clean_context and noised_context,
        "use_context": clean_context and not clean_plain,
        "not_misled": clean_plain and not clean_context,
        "conditional": clean_plain and noised_plain,
    }
    return tuple(family for family, selected in found.items() if selected)


@dataclass(frozen=True, slots=True)
class Choice:
    """The families that an item gives, and those that it would give if more were known."""

    sure: frozenset[Family]
    possible: frozenset[Family]


def choice_of(outcome: Outcome) -> Choice:
    """Name the families that an item gives whatever is not known of it, and those that it might."""
    selected = [frozenset(families(*each)) for each in _completed(outcome)]
    return Choice(frozenset.intersection(*selected), frozenset.union(*selected))


def outcome_name(outcome: Outcome) -> str:
    """Say an outcome in words: "clean_context right, clean_plain wrong, noised_context unknown"."""
    words = {True: "right", False: "wrong", None: "unknown"}
    return ", ".join(
        f"{each.name} {words[getattr(outcome, each.name)]}" for each in fields(outcome)
    )


def _completed(outcome: Outcome) -> Iterator[tuple[bool, bool, bool, bool]]:
    known = (
        outcome.clean_context, outcome.clean_plain, outcome.noised_context, outcome.noised_plain
    )  # fmt: skip
    values = [(each,) if each is not None else (True, False) for each in known]
    yield from product(*values)
