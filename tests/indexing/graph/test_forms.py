"""Spellings, stems and abbreviations."""

import pytest

from medrag.indexing.graph.abbreviations import (
    definitions,
    initials,
    is_abbreviation,
    is_short_for,
    named_forms,
)
from medrag.indexing.graph.names import name_keys
from medrag.indexing.graph.spelling import compared, stem


@pytest.mark.parametrize(
    ("british", "american"),
    [
        ("tumour", "tumor"), ("Leukaemia", "leukemia"), ("oesophagus", "esophagus"),
        ("diarrhoea", "diarrhea"), ("fibre", "fiber"), ("sulphate", "sulfate"),
        ("ischaemias", "ischemia"), ("localised", "localized"), ("tumours", "tumor"),
        ("paralysed", "paralyzed"), ("Sjögren's", "sjogren"), ("Sjögren’s", "Sjogren"),
        ("leucocyte", "leukocyte"), ("diagnoses", "diagnosis"), ("vertebrae", "vertebra"),
    ],
)  # fmt: skip
def test_spellings_are_compared_alike(british: str, american: str) -> None:
    assert compared(british) == compared(american)


@pytest.mark.parametrize(
    ("noun", "adjective"),
    [
        ("asthma", "asthmatic"), ("diabetes", "diabetic"), ("anemia", "anemic"),
        ("bronchus", "bronchial"), ("cancer", "cancerous"), ("intestine", "intestinal"),
        ("infection", "infected"), ("sclerosis", "sclerotic"), ("pleura", "pleural"),
        ("esophagus", "esophageal"), ("arthritis", "arthritic"),
    ],
)  # fmt: skip
def test_an_adjective_has_the_stem_of_its_noun(noun: str, adjective: str) -> None:
    assert stem(compared(noun)) == stem(compared(adjective))


@pytest.mark.parametrize(
    ("one", "other"), [("disease", "disc"), ("colon", "colonize"), ("fiber", "fibrosis")]
)
def test_other_words_keep_their_own_stems(one: str, other: str) -> None:
    assert stem(compared(one)) != stem(compared(other))


@pytest.mark.parametrize("name", ["COPD", "MI", "ALS8", "mRNA"])
def test_a_word_of_capitals_is_an_abbreviation(name: str) -> None:
    assert is_abbreviation(name)


@pytest.mark.parametrize("name", ["Crohn", "flu", "MI attack", "HYPERTENSION"])
def test_other_words_are_none(name: str) -> None:
    assert not is_abbreviation(name)


def test_initials_are_those_of_all_words_or_of_the_telling_ones() -> None:
    assert initials("carcinoma in situ") == {"CIS", "CS"}
    assert initials("carcinoma in situ", stop_words=False) == {"CS"}
    assert initials("asthma") == set()
    assert initials("sialidosis II") == set()


@pytest.mark.parametrize(
    ("short", "long", "fits"),
    [
        ("COPD", "chronic obstructive pulmonary disease", True),
        ("GERD", "gastroesophageal reflux disease", True),
        ("TB", "tuberculosis", True),
        ("XYZ", "chronic obstructive pulmonary disease", False),
        ("PD", "chronic kidney", False),
    ],
)
def test_a_short_form_fits_a_long_one(short: str, long: str, fits: bool) -> None:
    assert is_short_for(short, long) is fits


def test_a_name_with_a_short_form_in_it_is_several_names() -> None:
    assert set(named_forms("arthrogryposis, renal and cholestasis (ARC) syndrome")) >= {
        "arthrogryposis, renal and cholestasis syndrome", "ARC syndrome",
    }  # fmt: skip
    assert set(named_forms("COPD - chronic obstructive pulmonary disease")) >= {
        "COPD", "chronic obstructive pulmonary disease",
    }  # fmt: skip
    assert list(named_forms("angina (disorder)")) == ["angina (disorder)"]


def test_a_text_defines_short_forms_on_both_sides() -> None:
    text = "lung disease (LD) and HA (heart attack) and noise (xy)"
    found = [(text[slice(*short)], text[slice(*long)]) for short, long in definitions(text)]
    assert found == [("LD", "disease"), ("HA", "heart attack")]


def test_what_is_too_long_for_a_name_has_no_key_and_blanks_do_not_count() -> None:
    assert list(name_keys("gout" + " x" * 300)) == []
    assert list(name_keys("pleural" + " " * 100_000 + "effusion")) == list(
        name_keys("pleural effusion")
    )
