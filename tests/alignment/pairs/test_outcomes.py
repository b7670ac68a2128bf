"""The truth table of pairs."""

from itertools import product

import pytest

from medrag.alignment.pairs.outcomes import Outcome, choice_of, families, outcome_name
from tests.alignment.pairs.made import OUTCOMES, named

# By hand, from the published definitions: right (R) or wrong (W) with the true picture and context,
# the true picture alone, a corrupted picture and context, a corrupted picture alone.
TABLE = {
    "RRRR": ("cross_modality", "conditional"),
    "RRRW": ("cross_modality",),
    "RRWR": ("conditional",),
    "RRWW": (),
    "RWRR": ("cross_modality", "use_context"),
    "RWRW": ("cross_modality", "use_context"),
    "RWWR": ("use_context",),
    "RWWW": ("use_context",),
    "WRRR": ("not_misled", "conditional"),
    "WRRW": ("not_misled",),
    "WRWR": ("not_misled", "conditional"),
    "WRWW": ("not_misled",),
    "WWRR": (),
    "WWRW": (),
    "WWWR": (),
    "WWWW": (),
}


@pytest.mark.parametrize("outcome", OUTCOMES, ids=named)
def test_each_of_sixteen_outcomes_gives_its_families(outcome: tuple[bool, ...]) -> None:
    assert families(*outcome) == TABLE[named(outcome)]  # type: ignore[arg-type]


def test_the_docstring_holds_the_table() -> None:
    lines = (families.__doc__ or "").splitlines()
    rows = [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in lines]
    told = {
        "".join(cell[0].upper() for cell in row[:4]): row[4]
        for row in rows
        if len(row) == 5 and set(row[:4]) <= {"right", "wrong"}
    }
    assert told == {name: ", ".join(found) for name, found in TABLE.items()}


@pytest.mark.parametrize("known", list(product((True, False, None), repeat=4)))
def test_a_family_is_sure_if_every_completion_gives_it_and_possible_if_one_does(
    known: tuple[bool | None, ...],
) -> None:
    completions = [
        set(families(*outcome))  # type: ignore[arg-type]
        for outcome in OUTCOMES
        if all(k is None or k is o for k, o in zip(known, outcome, strict=True))
    ]
    choice = choice_of(Outcome(*known))
    assert choice.sure == set.intersection(*completions)
    assert choice.possible == set.union(*completions)


def test_an_outcome_is_named_in_words() -> None:
    assert outcome_name(Outcome(True, False, None, True)) == (
        "clean_context right, clean_plain wrong, noised_context unknown, noised_plain right"
    )
