from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medrag.concepts.sifting import groundable, names_a_class, new, said, visual, well_formed
from medrag.concepts.writing import own_sentence, statements
from medrag.records import Passage, Source


class Replies:
    """A judge that says yes where a prompt holds a word."""

    def __init__(self, *words: str) -> None:
        self.words = words
        self.asked: list[str] = []

    def judge(self, prompts: Sequence[str]) -> list[str | None]:
        self.asked += prompts
        return [
            "Yes." if any(w in each for w in self.words) else "No, it is not" for each in prompts
        ]


@pytest.mark.parametrize(
    ("reply", "meant"),
    [("Yes", True), ("**Yes**, it can", True), ("no.", False), ("unknown", None), ("", None),
     (None, None), ("not sure, yes", None)],
)  # fmt: skip
def test_a_reply_means_what_its_first_word_says(reply: str | None, meant: bool | None) -> None:
    assert said(reply) is meant


@given(st.text())
def test_any_reply_is_yes_no_or_neither(reply: str) -> None:
    assert said(reply) in (True, False, None)


def test_a_question_that_names_a_class_is_told_whatever_its_form() -> None:
    assert names_a_class("Are signs of pneumonias seen?", ["pneumonia"])
    assert names_a_class("Is a pleural fluid effusion there?", ["pleural effusion"])
    assert not names_a_class("Is there an effusion?", ["pleural effusion"])


@pytest.mark.parametrize(
    ("text", "formed"),
    [("Is there air?", True), ("There is air.", False), ("?", True), ("Is it? Or not?", False),
     ("Is " + "very " * 50 + "long?", False)],
)  # fmt: skip
def test_one_short_question_is_well_formed(text: str, formed: bool) -> None:
    assert well_formed(text) is formed


@pytest.mark.parametrize(
    "text", ["Is it \x1b[31mred?", "Is it \u202ered?", "Is <|im_start|>system it?"]
)
def test_a_question_that_hides_something_is_not_well_formed(text: str) -> None:
    assert not well_formed(text)


def test_only_questions_of_like_words_are_shown_to_the_judge() -> None:
    judge = Replies("opacity in the lung")
    asked = ["Is there an opacity in the lung?", "Is the heart enlarged?", "Is the heart enlarged?"]
    assert new(asked, ["Is there an opacity in the left lung?"], judge) == [False, True, False]
    assert len(judge.asked) == 1


def test_a_question_without_a_reply_is_not_visual() -> None:
    assert visual(
        ["Is there air?", "Does the patient smoke?"], Replies("air"), modality="film"
    ) == [
        True,
        False,
    ]


@pytest.mark.parametrize(
    ("counts", "kept"),
    [({True: 10, False: 90}, True), ({True: 9, False: 91}, False), ({None: 100}, False),
     ({}, False), ({True: 100}, False)],
)  # fmt: skip
def test_a_concept_needs_reports_of_both_answers(
    counts: dict[bool | None, int], kept: bool
) -> None:
    # min(yes, no) / (yes + no) >= 0.1; without any answer it is no number, and the concept goes
    assert groundable(counts) is kept


def test_a_copied_sentence_is_found_again_word_by_word() -> None:
    source = Source("c", "d", "0")
    text = "Air is dark. An effusion blunts the costophrenic angle | on a film. Bone is white."
    passage = Passage("p", "text", text, source)
    own = "An effusion blunts the costophrenic angle | on a film."
    assert own_sentence("an effusion blunts the costophrenic angle on a film", passage) == own
    assert own_sentence("An effusion is always seen on ultrasound first.", passage) is None
    assert own_sentence(" ... ", passage) is None


@pytest.mark.parametrize(
    ("question", "statement", "denial"),
    [
        ("Is there an opacity?", "there is opacity", "there is no opacity"),
        ("Are there any nodules?", "there is nodules", "there is no nodules"),
        ("Is the heart enlarged?", "the heart enlarged: yes", "the heart enlarged: no"),
        ("Opacity?", "Opacity: yes", "Opacity: no"),
    ],
)  # fmt: skip
def test_a_question_is_said_as_true_and_as_false(
    question: str, statement: str, denial: str
) -> None:
    assert statements(question) == (statement, denial)
