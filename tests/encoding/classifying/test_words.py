"""Domains by the words of a question."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medrag.encoding.classifying import WordsClassifier
from medrag.errors import RecipeError
from medrag.records import Question

TERMS = "domains: {a: {words: [x-ray, PET, lung field]}, b: {words: [smear, blood smear]}}"


@pytest.fixture
def words(tmp_path: Path) -> WordsClassifier:
    (tmp_path / "mine.yaml").write_text(TERMS)
    return WordsClassifier(words=tmp_path / "mine.yaml")


def test_a_term_counts_once_in_any_form(words: WordsClassifier) -> None:
    (routing,) = words.classify([Question("Two X-rays of the lung fields, and an x-ray")])
    # Two terms of a, none of b: 1 / (1 + exp(-2 * 2.5)).
    assert routing.probabilities["a"] == pytest.approx(1 / (1 + np.exp(-5)))
    assert routing.known
    assert "'x-ray', 'lung field'" in routing.reason


def test_a_term_with_capitals_is_looked_for_as_it_is_written(words: WordsClassifier) -> None:
    found = words.classify([Question("Is the PET positive?"), Question("Is the pet ill?")])
    assert [each.domains[:1] for each in found] == [("a",), ()]


def test_options_are_read_as_well(words: WordsClassifier) -> None:
    (routing,) = words.classify([Question("What is shown?", options=("a smear", "a brick"))])
    assert routing.domains[0] == "b"


def test_as_many_words_of_each_are_unknown_and_name_both(words: WordsClassifier) -> None:
    (routing,) = words.classify([Question("a smear or an x-ray")])
    assert (set(routing.domains), routing.known) == ({"a", "b"}, False)


def test_no_word_names_no_domain(words: WordsClassifier) -> None:
    assert [each.domains for each in words.classify([Question("Why?"), Question()])] == [(), ()]


@given(st.text(max_size=200))
def test_any_text_is_read(text: str) -> None:
    (routing,) = WordsClassifier().classify([Question(text)])
    assert not routing.probabilities or sum(routing.probabilities.values()) == pytest.approx(1)


def test_questions_in_the_words_of_a_domain_go_there() -> None:
    asked = {
        "radiology": "Is there a pleural effusion on this chest X-ray?",
        "pathology": "How many platelets does the blood smear show?",
        "ophthalmology": "What is the cup to disc ratio of this fundus photograph?",
        "dermatology": "Is the mole a melanoma on dermoscopy?",
        "endoscopy": "Which polyp was seen at colonoscopy?",
        "illustration": "What does the arrow in the diagram mean?",
    }
    found = WordsClassifier().classify([Question(text) for text in asked.values()])
    assert [each.domains[0] for each in found] == list(asked)
    assert all(each.known for each in found)


def test_a_domain_without_words_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("domains: {a: {templates: [x]}}")
    with pytest.raises(RecipeError, match="'a' has no words"):
        WordsClassifier(words=tmp_path / "mine.yaml")
    with pytest.raises(ValueError, match="weight"):
        WordsClassifier(weight=0)


@pytest.mark.parametrize(
    "content", [b"[" * 5000, b"\xff\xfe\x00", b"domains: {a: [", b"# " + b"x" * (1 << 20)]
)
def test_a_file_of_words_that_cannot_be_read_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "words.yaml"
    path.write_bytes(content)
    with pytest.raises(RecipeError, match=r"words\.yaml"):
        WordsClassifier(words=path)
