import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medrag.language import (
    LANGUAGES,
    is_negated,
    leading_markers,
    markers,
    mention,
    negated_spans,
    neutralised,
    sentences,
    stems,
    without_markers,
    words,
)
from medrag.language.markers import MARKER


def split(text: str, language: str = "en") -> list[str]:
    return [text[start:end] for start, end in sentences(text, language)]


MEDICAL = st.text(
    alphabet=st.sampled_from(list("abAB .,;:!?()[]\"'12\n\t\r\u2028-…éİß")), max_size=80
)


@given(st.one_of(st.text(max_size=120), MEDICAL), st.sampled_from(sorted(LANGUAGES)))
def test_sentences_hold_every_character_that_is_not_blank_at_most_once(
    text: str, language: str
) -> None:
    spans = sentences(text, language)
    place = 0
    for start, end in spans:
        assert place <= start < end
        assert not text[place:start].strip()
        assert not text[start].isspace()
        assert not text[end - 1].isspace()
        place = end
    assert not text[place:].strip()


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("See Fig. 1.2 for the wall of the heart.", 1),
        ("It has layers, e.g. the dermis. The epidermis is thin.", 2),
        ("Dr. Hall saw him. He was well.", 2),
        ("Type I vs. Type II fibres differ.", 1),
        ("The mass measures 3.5 cm. It is round.", 2),
        ("See No. 5 in the list.", 1),
        ("No. There is none.", 2),
        ("1. The heart beats. 2. The lungs breathe.", 2),
        ("The steps are: 1. Wash. 2. Dry.", 2),
        ("LM × 1600. (Micrograph provided by a university.)", 2),
        ("Smith et al. 2009 found none.", 1),
        ("It lacks vitamin C. The patient is ill.", 2),
        ("J. Smith wrote it.", 1),
        ("First line\nsecond line", 2),
        ("Proteins are made. mRNA is read first.", 2),
        ("He asked why? Nobody knew!", 2),
        ("It is seen in the U.S. The rate is low.", 2),
        ("The answer (see above.) Then more.", 2),
        ("   ", 0),
        ("", 0),
    ],
)
def test_a_full_stop_ends_a_sentence_only_where_a_reader_would_stop(text: str, count: int) -> None:
    assert len(split(text)) == count, split(text)


def test_a_sentence_keeps_its_closing_quote() -> None:
    assert split("He said “stop.” Then he left.") == ["He said “stop.”", "Then he left."]


def test_german_abbreviations_end_no_sentence() -> None:
    assert len(split("Siehe Abb. 3 bzw. Tab. 4. Der Befund ist klar.", "de")) == 2


def test_stems_are_lower_case_without_stop_words_endings_and_accents() -> None:
    assert stems("The Effusions of the naïve") == ["effus", "naiv"]


def test_the_same_word_has_one_stem_in_singular_and_plural_in_every_language() -> None:
    pairs = {
        "en": ("effusion", "effusions"),
        "de": ("Fraktur", "Frakturen"),
        "fr": ("lésion", "lésions"),
        "es": ("fractura", "fracturas"),
        "it": ("frattura", "fratture"),
        "pt": ("fratura", "fraturas"),
        "nl": ("fractuur", "fracturen"),
    }
    assert set(pairs) == set(LANGUAGES)
    for language, (one, many) in pairs.items():
        assert stems(one, language), language
        if language != "nl":  # Snowball's Dutch stemmer keeps the doubled vowel.
            assert stems(one, language) == stems(many, language), language


def test_words_keep_their_case_and_inner_apostrophe() -> None:
    assert words("Crohn's disease, T-cell") == ["Crohn's", "disease", "T", "cell"]


def test_an_unknown_language_is_refused_with_the_known_ones() -> None:
    for call in (lambda: sentences("a", "xx"), lambda: stems("a", "xx")):
        with pytest.raises(ValueError, match=r"'xx'; known are en, de"):
            call()


@pytest.mark.parametrize(
    ("sentence", "term"),
    [
        ("No pleural effusion.", "pleural effusion"),
        ("There is no evidence of effusion or pneumothorax.", "pneumothorax"),
        ("There is no evidence of effusion or pneumothorax.", "effusion"),
        ("The patient denies fever, chills, or cough.", "cough"),
        ("Lungs are clear without focal consolidation.", "consolidation"),
        ("Negative for acute fracture.", "fracture"),
        ("The lungs are free of infiltrates.", "infiltrate"),
        ("Pneumonia was ruled out.", "pneumonia"),
        ("Absence of a nidus is noted.", "nidus"),
        ("A pneumothorax is not seen.", "pneumothorax"),
        ("The heart is not enlarged.", "enlarged"),
        ("Effusion: none.", "effusion"),
        ("Cartilage lacks blood vessels.", "blood vessels"),
        ("Epithelium doesn’t contain vessels.", "vessels"),
        ("No effusion, pneumothorax, or consolidation is seen.", "consolidation"),
        ("Neither effusion nor oedema is present.", "oedema"),
    ],
)
def test_a_denied_finding_is_negated(sentence: str, term: str) -> None:
    assert is_negated(sentence, term)


@pytest.mark.parametrize(
    ("sentence", "term"),
    [
        ("There is a pleural effusion.", "effusion"),
        ("No effusion, but a pneumothorax is present.", "pneumothorax"),
        ("No effusion; cardiomegaly.", "cardiomegaly"),
        ("No effusion, the heart is enlarged.", "heart"),
        ("No effusion and the heart is enlarged.", "heart"),
        ("No increase in the effusion.", "effusion"),
        ("Not only an effusion was seen.", "effusion"),
        ("Pneumonia cannot be ruled out.", "pneumonia"),
        ("An effusion cannot be excluded.", "effusion"),
        ("Effusion without pneumothorax.", "effusion"),
        ("There is oedema although no effusion is seen.", "oedema"),
        ("No fever. There is cough.", "cough"),
        ("Gram-negative bacteria cause the disease.", "disease"),
    ],
)
def test_a_finding_outside_the_reach_of_a_cue_is_affirmed(sentence: str, term: str) -> None:
    assert mention(sentence, term) == "affirmed"


@pytest.mark.parametrize(
    ("language", "denied", "affirmed", "term"),
    [
        ("de", "Kein Pleuraerguss.", "Es zeigt sich ein Pleuraerguss.", "Pleuraerguss"),
        ("de", "Ein Erguss liegt nicht vor.", "Kein Infiltrat, aber ein Erguss.", "Erguss"),
        ("fr", "Pas d'épanchement pleural.", "Épanchement pleural sans fracture.", "épanchement"),
        ("es", "Sin derrame pleural.", "No solo derrame pleural.", "derrame"),
        ("it", "Assenza di versamento.", "Non frattura, ma versamento.", "versamento"),
        ("pt", "Não há derrame pleural.", "Sem fratura, mas derrame.", "derrame"),
        ("nl", "Geen pleuravocht.", "Pleuravocht is niet uitgesloten.", "pleuravocht"),
    ],
)
def test_other_languages_have_cues_of_their_own(
    language: str, denied: str, affirmed: str, term: str
) -> None:
    assert mention(denied, term, language) == "negated"
    assert mention(affirmed, term, language) == "affirmed"


def test_a_term_that_a_sentence_does_not_name_is_absent() -> None:
    assert mention("No pleural effusion.", "fracture") == "absent"
    assert mention("No pleural effusion.", "of the") == "absent"
    assert not is_negated("No pleural effusion.", "fracture")


def test_a_term_is_negated_only_if_every_mention_is() -> None:
    assert mention("No left effusion, but a right effusion is seen.", "effusion") == "affirmed"


@given(st.one_of(st.text(max_size=80), MEDICAL))
def test_negated_spans_lie_inside_the_sentence(sentence: str) -> None:
    for start, end in negated_spans(sentence):
        assert 0 <= start < end <= len(sentence)


def test_half_a_utf16_pair_is_no_word_and_no_error() -> None:
    assert stems("\ud800 kidney") == stems("kidney")


MARKED = st.text(alphabet=st.sampled_from(list("ab[]12,-– \t\n\x1c\u2028")), max_size=40)


@given(st.one_of(st.text(max_size=60), MARKED))
def test_markers_go_with_the_blanks_before_them(text: str) -> None:
    # The same in one pattern, which takes the square of the blanks.
    assert without_markers(text) == re.sub(r"\s*" + MARKER.pattern, "", text).strip()


@pytest.mark.parametrize(
    "text",
    [" " * 300_000 + "x", "x [" + " " * 300_000 + "1", "[1 , " * 60_000, "[1" + ",1" * 150_000],
    ids=["blanks", "open marker", "open markers", "long marker"],
)
def test_markers_of_long_texts_take_no_time(text: str) -> None:
    # The square of 300,000 steps takes minutes; once over the text, some milliseconds.
    begun = time.monotonic()
    for read in (without_markers, neutralised, leading_markers):
        read(text)
    markers(text, 5)
    assert time.monotonic() - begun < 5


@pytest.mark.parametrize(
    "text", ["." * 30_000 + "x", "a. " * 30_000, "a" * 30_000 + " b. c. d.", "no, " * 20_000]
)
def test_long_repetitions_are_split_and_searched_for_denials_in_bounded_work(text: str) -> None:
    # Each took seconds to minutes while the work grew with the square of the length.
    started = time.perf_counter()
    for start, end in sentences(text):
        negated_spans(text[start:end])
    assert time.perf_counter() - started < 20
