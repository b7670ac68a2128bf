"""Statements of which only one can be so."""

import pytest

from medrag.verification.reading import units
from medrag.verification.slots import excludes, statement, states


@pytest.mark.parametrize(
    ("claim", "evidence", "excluded"),
    [
        ("The lesion lies in the frontal lobe.", "The lesion lies in the parietal lobe.", True),
        ("The lesion lies in the frontal lobe.", "The lesion is in the left frontal lobe.", False),
        ("A lesion lies in the frontal lobe.", "A lesion lies in the parietal lobe.", False),
        ("The rash is due to measles.", "The rash is caused by rubella.", True),
        ("The rash is due to measles.", "The fever is caused by rubella.", False),
        ("Biopsy shows lymphoma.", "The biopsy confirms sarcoidosis.", True),
        ("The picture shows a cow.", "The picture shows a horse.", False),
        ("The tumour is a meningioma.", "The tumour is a schwannoma.", True),
        ("The femur is a small bone.", "The femur is the longest bone.", False),
        ("The drug of choice is doxycycline.", "The drug of choice is azithromycin.", True),
        ("The tumour arises from the stomach.", "The tumour arises from the wall of the stomach.",
         False),
        ("The disease involves the skin.", "The disease involves the lung and the skin.", False),
        ("The spleen is enlarged.", "The liver is enlarged.", False),
    ],
)  # fmt: skip
def test_what_is_said_of_the_same_subject_leaves_no_room(
    claim: str, evidence: str, excluded: bool
) -> None:
    [one], [other] = units(claim, "en"), units(evidence, "en")
    assert excludes(other, one) == excluded
    assert not (excluded and states(other, one))


def test_a_clause_without_such_a_verb_states_nothing() -> None:
    assert statement("No effusion") is None
    assert statement("is due to measles") is None
