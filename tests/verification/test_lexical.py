"""Support of claims by words."""

import pytest

from medrag.verification.lexical import LexicalVerifier, grounds, held_share
from tests.verification.made import cited, passage

FEMUR = passage("The femur is the longest bone. It measures 48 cm in men.")


@pytest.mark.parametrize(
    ("claim", "support", "score"),
    [
        # Stems: femur, longest, bone.
        ("The femur is the longest bone.", "supported", 1.0),
        ("A. The femur is the longest bone.", "supported", 1.0),
        ("Yes, the femur is the longest bone.", "supported", 1.0),
        # femur and bone, not hand and small: 2 of 4.
        ("The femur is a small bone of the hand.", "unsupported", 0.5),
        ("The femur measures 48 cm.", "supported", 1.0),
        # A number that is not there counts for all.
        ("The femur, the longest bone, measures 52 cm in men.", "unsupported", 0.0),
        ("The femur is not the longest bone.", "contradicted", 1.0),
        ("Yes.", "unchecked", None),
    ],
)
def test_words_and_numbers_decide(claim: str, support: str, score: float | None) -> None:
    assert grounds(claim, [FEMUR]) == (support, score)


def test_passages_are_taken_together() -> None:
    one, two = passage("The femur is a bone."), passage("It is long.")
    # Stems: femur, long, bone: two of three, one of three, all.
    shares = [held_share("The femur: a long bone", each) for each in ([one], [two], [one, two])]
    assert shares == pytest.approx([2 / 3, 1 / 3, 1])
    assert held_share("The femur", []) is None


def test_claims_without_markers_or_text_stay_unchecked() -> None:
    answer = cited(
        [("The femur is a bone.", ()), ("The femur.", (1,)), ("The femur.", (2,))], " ", "Femur."
    )
    [found] = LexicalVerifier().verify([answer])
    assert [c.support for c in found.claims] == ["unchecked", "unchecked", "supported"]
    assert [c.score for c in found.claims] == [None, None, 1.0]


def test_the_share_can_be_set() -> None:
    answer = cited([("The femur is a small bone of the hand.", (1,))], FEMUR.text)
    [found] = LexicalVerifier(least=0.5).verify([answer])
    assert found.claims[0].support == "supported"
    for least in (0, 1.1):
        with pytest.raises(ValueError, match="least"):
            LexicalVerifier(least=least)
