"""Words with one root."""

import pytest

from medrag.verification.kinship import alike
from medrag.verification.reading import units


@pytest.mark.parametrize(
    ("claim", "evidence", "same"),
    [
        ("Pupils react.", "Reactive pupils.", True),
        ("Unreactive pupils.", "Pupils react.", False),
        ("Irrigate the wound.", "Irrigation of the wound.", True),
        ("The arterioles.", "The arteries.", False),
        ("A thyroid.", "Thyroiditis.", False),
        ("The bronchus.", "Bronchitis.", False),
    ],
)
def test_an_ending_makes_no_other_word_unless_it_makes_another_thing(
    claim: str, evidence: str, same: bool
) -> None:
    [one], [other] = units(claim, "en"), units(evidence, "en")
    assert (one.keys <= alike(other, one).keys) == same


def test_a_word_that_is_there_stays() -> None:
    [one], [other] = units("Pupils react.", "en"), units("Pupils react, reactive.", "en")
    assert alike(other, one).keys >= other.keys - {"reactiv"}
