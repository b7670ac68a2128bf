"""Sides and negations that do not go together."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medrag.language import LANGUAGES, negated_spans
from medrag.verification.contradictions import Part, _denied, contradictions, sentence_parts
from tests.verification.made import passage

_CUES = ["no", "not", "isn't", "without", "mass", "absent", "is", "free", "of", "ruled", "out"]


@pytest.mark.parametrize(
    ("claim", "evidence", "laterality", "negation"),
    [
        ("A left pleural effusion.", "There is a right pleural effusion.", True, False),
        ("A left pleural effusion.", "There is a left pleural effusion.", False, False),
        ("A left pleural effusion.", "Bilateral pleural effusions are seen.", False, False),
        ("Bilateral pleural effusions.", "There is a left pleural effusion.", True, False),
        ("A left pleural effusion.", "There is a pleural effusion.", False, False),
        ("A left rib fracture.", "A right rib lesion.", False, False),
        ("Left lower lobe pneumonia.", "Right lower lobe nodule.", False, False),
        ("Left pneumonia.", "Right nodule, left pneumonia.", False, False),
        ("Left and right kidneys are cystic.", "The left kidney is cystic.", True, False),
        ("A left effusion displaces the right hilum.", "A left effusion.", False, False),
        ("There is a pneumothorax.", "No pneumothorax is seen.", False, True),
        ("No pneumothorax.", "A large pneumothorax is present.", False, True),
        ("No pneumothorax.", "No effusion or pneumothorax.", False, False),
        ("There is a pneumothorax.", "No left pneumothorax. A right pneumothorax.", False, False),
        ("A right pneumothorax.", "No left pneumothorax.", False, False),
        ("There is a mass.", "The heart is large.", False, False),
        ("", "No mass.", False, False),
        ("There is a mass.", "", False, False),
    ],
)  # fmt: skip
def test_claims_are_compared_part_by_part(
    claim: str, evidence: str, laterality: bool, negation: bool
) -> None:
    assert contradictions(claim, [passage(evidence)]) == (laterality, negation)


def test_one_passage_that_agrees_is_enough() -> None:
    both = [passage("A right effusion."), passage("A left effusion.")]
    assert contradictions("A left effusion.", both) == (False, False)
    assert contradictions("A left effusion.", []) == (False, False)


@pytest.mark.parametrize(
    ("language", "claim", "evidence"),
    [
        ("de", "Pleuraerguss links.", "Pleuraerguss rechts."),
        ("fr", "Épanchement pleural gauche.", "Épanchement pleural droit."),
        ("es", "Derrame pleural izquierdo.", "Derrame pleural derecho."),
        ("it", "Versamento pleurico sinistro.", "Versamento pleurico destro."),
        ("pt", "Derrame pleural esquerdo.", "Derrame pleural direito."),
        ("nl", "Linkszijdig pleuravocht.", "Rechtszijdig pleuravocht."),
    ],
)
def test_sides_are_known_in_every_language(language: str, claim: str, evidence: str) -> None:
    there = [passage(evidence, language=language)]
    assert contradictions(claim, there).laterality
    assert not contradictions(evidence, there).laterality


def test_an_unknown_language_is_read_as_english() -> None:
    assert contradictions("Left effusion.", [passage("Right effusion.", language="xx")]).laterality


def test_a_side_that_stands_alone_belongs_to_the_next_part() -> None:
    [kidneys] = sentence_parts("Left and right kidneys", "en")
    assert kidneys == Part(frozenset({"kidney"}), frozenset({"left", "right"}), denied=False)


@given(
    st.text(alphabet="no left.,right; effusion and without '’\n"),
    st.sampled_from(sorted(LANGUAGES)),
)
def test_any_text_has_parts_and_never_contradicts_itself_in_side(text: str, language: str) -> None:
    parts = sentence_parts(text, language)
    assert all(part.stems and part.sides <= {"left", "right"} for part in parts)


@given(st.lists(st.sampled_from(_CUES)))
def test_the_shortcut_for_sentences_without_cues_changes_nothing(words: list[str]) -> None:
    text = " ".join(words)
    assert _denied(text, "en") == negated_spans(text, "en")
