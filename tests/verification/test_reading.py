"""Sentences as clauses whose words are affirmed, denied or left open."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medrag.language import LANGUAGES
from medrag.verification.concepts import keys_of, opposites, partners, rewritten
from medrag.verification.reading import merged, units


def key(word: str) -> str:
    return keys_of(word, "en")[0]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("oedema", "edematous"), ("haemorrhage", "bleeding"), ("hepatic", "liver"),
        ("metastases", "metastatic"), ("stenoses", "stenotic"), ("fractured", "fractures"),
        ("centre", "central"), ("ischaemic", "ischemia"), ("tumours", "neoplasm"),
        ("vertebrae", "vertebral"), ("mitoses", "mitotic"), ("onset", "begins"),
        ("paralysed", "paralyzed"), ("enlarged", "enlargement"),
    ],
)  # fmt: skip
def test_words_that_may_stand_for_one_another_have_one_key(one: str, other: str) -> None:
    assert key(one) == key(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("nodule", "mass"), ("pneumonia", "pneumothorax"), ("hypotension", "hypertension"),
        ("ureter", "urethra"), ("ileum", "ilium"), ("benign", "malignant"),
        ("testis", "test"), ("lower", "lowers"),
    ],
)  # fmt: skip
def test_words_that_a_physician_tells_apart_have_two(one: str, other: str) -> None:
    assert key(one) != key(other)


def test_composed_words_mean_their_parts_and_phrases_one_word() -> None:
    assert keys_of("cardiomegaly", "en") == (key("heart"), key("enlarged"))
    assert rewritten("Shortness  of breath, not within normal limits") == "dyspnea, not normal"
    assert rewritten("a tumor-free, non-tender node") == "a free of tumor, nontender node"
    assert rewritten("lower lobe, lower risk") == "lower lobe, reduced risk"


def test_values_of_one_attribute_exclude_each_other() -> None:
    assert key("severe") in partners(key("mild"))
    assert "hyponatremia" in partners("hypernatremia")
    assert key("febrile") in opposites(key("afebrile"))
    assert key("nontender") in opposites(key("tender"))
    assert not partners(key("femur")) & {key("tibia")}


@pytest.mark.parametrize(
    ("sentence", "affirmed", "denied", "left_open"),
    [
        ("There is no effusion.", "", "effusion", ""),
        ("The effusion has resolved.", "", "effusion", ""),
        ("The effusion has not resolved.", "effusion", "resolved", ""),
        ("The effusion is no longer seen.", "", "effusion", ""),
        ("The heart is not enlarged.", "heart", "enlarged", ""),
        ("Free air is seen.", "pneumoperitoneum", "", ""),
        ("Effusion may be present.", "effusion", "", ""),
        ("The opacity may be pneumonia.", "opacity", "", "pneumonia"),
        ("Pneumonia cannot be excluded.", "", "", "pneumonia"),
        ("Fracture of the rib; no effusion.", "fracture rib", "effusion", ""),
        ("Non-caseating granulomas.", "noncaseating granuloma", "", ""),
        ("It spares the tibia.", "", "tibia", ""),
    ],
)
def test_words_are_affirmed_denied_or_left_open(
    sentence: str, affirmed: str, denied: str, left_open: str
) -> None:
    found = merged(units(sentence, "en"))
    opened = {token.key for token in found.tokens if token.open}
    expected = [{key(word) for word in each.split()} for each in (affirmed, denied, left_open)]
    assert [found.affirmed, found.denied, opened] == expected


def test_a_clause_without_a_subject_has_that_of_the_one_before() -> None:
    first, second = units("The tumour arises from the colon and displaces the stomach.", "en")
    assert key("colon") in first.keys
    assert second.keys == {key("tumour"), key("displaces"), key("stomach")}
    [only] = units("Small and round nodules are seen.", "en")
    assert key("small") in only.keys


def test_sides_stand_with_the_words_that_follow_them() -> None:
    [found] = units("A left effusion displaces the right hilum.", "en")
    sides = {token.key: token.sides for token in found.tokens}
    assert sides[key("effusion")] == {"left"}
    assert sides[key("hilum")] == {"right"}
    [both] = units("The left and the right knee are swollen.", "en")
    assert {sides for sides, _ in both.sides} == {frozenset({"left"}), frozenset({"right"})}
    assert all(near == {key("knee")} for _, near in both.sides)


@given(
    st.text(alphabet="no left.,right; effusion and may without is not 3 cm'’\n"),
    st.sampled_from(sorted(LANGUAGES)),
)
def test_any_text_is_read(text: str, language: str) -> None:
    for unit in units(text, language):
        assert unit.keys == {token.key for token in unit.tokens}
        assert unit.affirmed | unit.denied <= unit.keys
        assert all(denial.head in denial.keys for denial in unit.denials)


def test_a_text_without_full_stops_costs_no_more_than_one_with() -> None:
    begun = time.process_time()
    found = units("left and right lesions may not be " * 4000, "en")
    # 0.2 s; the square of the length would take minutes.
    assert time.process_time() - begun < 10
    assert max(len(unit.text) for unit in found) <= 1500
