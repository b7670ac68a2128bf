"""What words mean to the lexical verifier."""

from hypothesis import given
from hypothesis import strategies as st

from medrag.language import stems
from medrag.verification.concepts import keys_of
from medrag.verification.lexical import grounds
from tests.verification.made import passage


def test_a_word_that_looks_like_a_stop_word_in_american_spelling_keeps_its_stem() -> None:
    assert keys_of("shoe", "en") == tuple(stems("shoe", "en"))
    assert grounds("The shoe is tight.", [passage("A tight shoe.")]).support == "supported"


@given(st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=12))
def test_every_word_with_a_stem_means_something(word: str) -> None:
    assert bool(keys_of(word.lower(), "en")) >= bool(stems(word.lower(), "en"))


@given(st.text(max_size=80), st.text(max_size=200))
def test_any_texts_can_be_held_against_each_other(claim: str, evidence: str) -> None:
    assert grounds(claim, [passage(evidence)]).support in (
        "supported", "unsupported", "contradicted", "unchecked"
    )  # fmt: skip
