"""Rules that the answers of a chain must keep together."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import isnan
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medrag.errors import RecipeError
from medrag.records import Answer, Claim, Question, Turn
from medrag.verification.rules import (
    RuleBook,
    RulesVerifier,
    consistency,
    read_rules,
    rules_from,
    shipped_rules,
)

RULES = """
name: smear
steps:
  quality:
    adequate: [good]
    inadequate: [poor, not adequate]
  findings:
    several: true
    answers: {blasts: [blast cells], clots: [], "none": [no abnormality, "no"]}
  diagnosis:
    leukaemia: [leukemia, AML]
    normal: []
    "none": [no diagnosis]
rules:
  a poor smear tells nothing:
    if: {quality: inadequate}
    unless: {findings: clots}
    implies: {diagnosis: "none"}
  leukaemia needs blasts:
    if: {diagnosis: leukaemia}
    implies: {findings: blasts}
  blasts are not normal:
    if: {findings: blasts}
    excludes: {diagnosis: normal, findings: "none"}
"""


@pytest.fixture(scope="module")
def book() -> RuleBook:
    return rules_from(RULES, file="smear.yaml")


@pytest.mark.parametrize(
    ("answers", "broken"),
    [
        ({"quality": "Good.", "findings": "Blasts.", "diagnosis": "Leukaemia [1]."}, []),
        ({"quality": "Poor", "diagnosis": "AML"}, ["a poor smear tells nothing"]),
        ({"quality": "Poor", "diagnosis": "none"}, []),
        ({"quality": "poor", "findings": "clots", "diagnosis": "normal"}, []),
        ({"findings": "clots", "diagnosis": "B. Leukemia"}, ["leukaemia needs blasts"]),
        ({"findings": "clots and blast cells", "diagnosis": "leukaemia"}, []),
        ({"findings": "blasts", "diagnosis": "normal"}, ["blasts are not normal"]),
        ({"findings": "There are no blasts, only clots.", "diagnosis": "normal"}, []),
        ({"diagnosis": "leukaemia"}, []),  # what was not asked contradicts nothing
        ({"findings": "I cannot tell.", "diagnosis": "leukaemia"}, []),
        ({}, []),
    ],
)
def test_contradictions_are_found(
    book: RuleBook, answers: Mapping[str, str], broken: list[str]
) -> None:
    assert [each.rule for each in book.check(answers)] == broken


def test_a_contradiction_is_told_in_words(book: RuleBook) -> None:
    (violation,) = book.check({"quality": "poor", "diagnosis": "AML"})
    assert violation.words == (
        "a poor smear tells nothing: as quality is 'inadequate', diagnosis must be 'none', and is "
        "'leukaemia'"
    )
    (violation,) = book.check({"findings": "blasts", "diagnosis": "normal"})
    assert violation.step == "diagnosis"
    assert violation.words.endswith("diagnosis cannot be 'normal'")


@pytest.mark.parametrize(
    ("step", "text", "said"),
    [
        ("quality", "inadequate", {"inadequate"}),  # not "adequate", a part of it
        ("quality", "It is not adequate.", {"inadequate"}),
        ("quality", "goodness", set()),
        ("diagnosis", "abnormal", set()),
        ("diagnosis", "ampliFAMLy", set()),
        ("diagnosis", "Aml", {"leukaemia"}),
        ("diagnosis", "(A) Normal", {"normal"}),
        ("diagnosis", "Normal, nothing of a leukaemia", {"normal"}),
        ("diagnosis", "Either leukaemia or normal", set()),
        ("diagnosis", "It is not leukaemia. It is normal.", {"normal"}),
        ("diagnosis", "The end is near a. normal", {"normal"}),
        ("findings", "No.", {"none"}),
        ("findings", "Blast  cells;\nclots", {"blasts", "clots"}),
    ],
)
def test_answers_are_read_by_whole_words(
    book: RuleBook, step: str, text: str, said: set[str]
) -> None:
    assert book.read({step: text})[step] == said


def test_a_step_that_is_not_there_is_named(book: RuleBook) -> None:
    with pytest.raises(ValueError, match="'diagnoses' is no step of smear; its steps are quality"):
        book.check({"diagnoses": "normal"})


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("    implies: {findings: blasts}\n", "", r"leukaemia needs blasts: a rule needs an if"),
        ("unless:", "unles:", "unknown key 'unles'; did you mean 'unless'"),
        ("{quality: inadequate}", "{quality: bad}", "names quality: .'bad'.*adequate, inadequate"),
        ("{quality: inadequate}", "{qualty: good}", "there are the steps quality, findings"),
        ("[poor, not adequate]", "[Good]", "says both 'adequate' and 'inadequate'"),
        ("[poor, not adequate]", "[{a: b}]", "expected a text or a list of texts"),
        ("[poor, not adequate]", "['--']", "holds no word"),
        ("    inadequate: [poor, not adequate]\n", "", "two answers at least"),
        ("several: true", "several: maybe", "must be true or false"),
        ("blasts are not normal:", "leukaemia needs blasts:", "stands there twice"),
        ("[good]", "&a [good]", "alias or a tag"),
        ("[good]", "!!python/object:os.system [good]", "alias or a tag"),
        ("name: smear", "name: [", "not YAML"),
        ("name: smear", "name: [a]", "must be texts"),
    ],
)
def test_what_makes_no_sense_is_refused_with_its_place(old: str, new: str, told: str) -> None:
    assert old in RULES
    with pytest.raises(RecipeError, match=rf"smear\.yaml.*{told}"):
        rules_from(RULES.replace(old, new), file="smear.yaml")


@pytest.mark.parametrize("content", ["", "[]", "steps: {}", "a: {b: c}", "\x00", "- " * 5000])
def test_what_is_no_file_of_rules_is_refused(content: str) -> None:
    with pytest.raises(RecipeError, match=r"x\.yaml"):
        rules_from(content, file="x.yaml")


def test_a_file_is_read_and_one_that_is_missing_is_named(tmp_path: Path) -> None:
    (tmp_path / "smear.yaml").write_text(RULES)
    assert read_rules(tmp_path / "smear.yaml").name == "smear"
    with pytest.raises(RecipeError, match=r"nowhere\.yaml: cannot be read"):
        read_rules(tmp_path / "nowhere.yaml")
    with pytest.raises(ValueError, match="bone_marrow, chest_xray"):
        shipped_rules("bone")


def test_the_share_of_consistent_chains_is_counted(book: RuleBook) -> None:
    chains = [
        {"quality": "good", "diagnosis": "normal"},
        {"quality": "poor", "diagnosis": "normal"},
        {"quality": "who knows", "diagnosis": "normal"},
    ]
    found = consistency(book, chains)
    assert (found.n_chains, found.n_consistent, found.n_unread) == (3, 2, 1)
    assert found.share == pytest.approx(2 / 3)
    assert isnan(consistency(book, []).share)


def test_the_rules_of_a_bone_marrow_find_what_contradicts_itself() -> None:
    book = shipped_rules("bone_marrow")
    good = {
        "quality": "The image is in focus.",
        "adequacy": "Yes, it is adequate.",
        "abnormality": "There is a proliferation of blast cells.",
        "reasoning": "At least 20% blasts are seen.",
        "diagnosis": "Acute myeloid leukemia",
    }
    assert book.check(good) == ()
    assert all(book.read(good).values())
    blurred = book.check({**good, "quality": "The image is blurry."})
    assert [each.step for each in blurred] == ["adequacy"]
    assert [each.rule for each in book.check({**good, "diagnosis": "Multiple myeloma"})] == [
        "a myeloma needs plasma cells"
    ] * 2


def test_the_rules_of_a_chest_film_find_what_contradicts_itself() -> None:
    book = shipped_rules("chest_xray")
    chain = {"projection": "AP, portable", "findings": "Cardiomegaly and an effusion.",
             "diagnosis": "Heart failure"}  # fmt: skip
    assert [each.rule for each in book.check(chain)] == [
        "heart size is not told from a film taken from the front"
    ]
    assert book.check({**chain, "projection": "PA"}) == ()
    assert len(book.check({"findings": "Normal", "diagnosis": "Pneumonia"})) == 2


@given(
    st.dictionaries(
        st.sampled_from(["quality", "findings", "diagnosis"]),
        st.lists(
            st.sampled_from(
                ["no", "not", "blasts", "adequate", "poor", "AML", ",", ".", "\n", "é"]
            ),
        ).map(" ".join)
        | st.text(),
    )
)
def test_a_chain_without_an_answer_is_never_more_contradictory(answers: dict[str, str]) -> None:
    book = rules_from(RULES, file="smear.yaml")
    found = {(each.rule, each.step) for each in book.check(answers)}
    # No rule of this book is put out of force by a quality.
    fewer = {step: text for step, text in answers.items() if step != "quality"}
    assert {(each.rule, each.step) for each in book.check(fewer)} <= found


@given(st.text(alphabet="abcxyz ", min_size=1).filter(str.strip), st.sampled_from("abcxyz"))
def test_a_word_within_another_is_never_read(text: str, letter: str) -> None:
    said = rules_from(RULES, file="smear.yaml").read({"diagnosis": f"{letter}normal{text}"})
    whole = ["normal" in said["diagnosis"], f"{letter}normal{text}".split().count("normal") > 0]
    assert whole[0] == whole[1]


def conversed(text: str, *history: Turn, question: str = "What is the diagnosis?") -> Answer:
    claims = tuple(Claim(each) for each in text.split(" | "))
    return Answer(Question(question, history=history), text.replace(" | ", " "), claims=claims)


QUALITY = Turn("Is the quality good?", "The quality is poor, the image is blurry.")
ADEQUACY = Turn("Is it adequate for analysis?", "No, it is inadequate.")


def test_an_answer_that_contradicts_an_earlier_one_is_marked_and_told() -> None:
    answer = conversed("It is a multiple myeloma. | I am glad to help.", QUALITY, ADEQUACY)
    (checked,) = RulesVerifier(rules="bone_marrow").verify([answer])
    assert [claim.support for claim in checked.claims] == ["contradicted", "unchecked"]
    (step,) = checked.trace
    assert step["step"] == "rules"
    assert step["violations"] == [
        "nothing is diagnosed from an inadequate smear: as adequacy is 'inadequate', diagnosis "
        "must be 'none', and is 'multiple myeloma'"
    ]


def test_a_marker_that_points_to_nothing_does_not_keep_the_rules_away() -> None:
    answer = conversed("It is a multiple myeloma.", ADEQUACY)
    told = replace(answer, error="[9] points to nothing")
    (checked,) = RulesVerifier(rules="bone_marrow").verify([told])
    assert [claim.support for claim in checked.claims] == ["contradicted"]


def test_an_answer_from_which_a_rule_follows_is_marked_too() -> None:
    answer = conversed("No.", QUALITY, Turn("What is the diagnosis?", "Normal."),
                       question="Is it adequate?")  # fmt: skip
    (checked,) = RulesVerifier(rules="bone_marrow").verify([answer])
    assert checked.claims[0].support == "contradicted"


@pytest.mark.parametrize(
    "answer",
    [
        conversed("No diagnosis.", ADEQUACY),
        conversed("It is a multiple myeloma."),  # nothing was said before
        conversed("It is a multiple myeloma.", ADEQUACY, question="How are you?"),
        replace(conversed("A multiple myeloma.", ADEQUACY), abstained=True),
    ],
)
def test_what_contradicts_nothing_stays_as_it_is(answer: Answer) -> None:
    assert RulesVerifier(rules="bone_marrow").verify([answer]) == [answer]


def test_claims_are_checked_by_another_verifier_first(tmp_path: Path) -> None:
    class Supports:
        def verify(self, answers: Sequence[Answer]) -> list[Answer]:
            return [
                replace(each, claims=tuple(replace(c, support="supported") for c in each.claims))
                for each in answers
            ]

    (tmp_path / "smear.yaml").write_text(RULES)
    verifier = RulesVerifier(rules=str(tmp_path / "smear.yaml"), verifier=Supports())
    poor = Turn("What of the quality?", "Poor.")
    (checked,) = verifier.verify([conversed("Normal. | Indeed.", poor)])
    assert [claim.support for claim in checked.claims] == ["contradicted", "supported"]


def test_a_question_belongs_to_the_step_of_its_longest_words() -> None:
    book = shipped_rules("bone_marrow")
    assert book.step_of("Is the quality adequate for analysis?") == "adequacy"
    assert book.step_of("Which abnormality?") == "abnormality"
    assert book.step_of("abnormalityx") is None
    assert book.step_of("") is None
