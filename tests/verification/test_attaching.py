"""Markers that are put where an answer has none."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medrag.language import without_markers
from medrag.prompting.citation import cite
from medrag.records import Answer, Hit, Prompt, Question, Selection
from medrag.verification.attaching import attached, without_attached
from tests.verification.made import passage

FEMUR = "The femur is the longest bone. It carries the weight of the body."
HEART = "The heart pumps blood through two circuits. The apex points to the left."
EFFUSION = "There is no pleural effusion. A nodule of 8 mm lies in the right upper lobe."


def hits(*texts: str) -> tuple[Hit, ...]:
    return tuple(
        Hit(passage(text, f"p{rank}"), 1 / rank, rank) for rank, text in enumerate(texts, start=1)
    )


EVIDENCE = hits(FEMUR, HEART, EFFUSION)


def answered(text: str, evidence: tuple[Hit, ...] = EVIDENCE) -> Answer:
    """What an answerer makes of a text."""
    question = Question("What is seen?")
    read = cite(text, Prompt(question, evidence))
    return Answer(
        question, text, claims=read.claims, citations=read.citations, selection=Selection(evidence)
    )


def marked(text: str, least: float = 0.7, evidence: tuple[Hit, ...] = EVIDENCE) -> str:
    return attached(answered(text, evidence), evidence, least=least).text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The femur is the longest bone.", "The femur is the longest bone [1]."),
        ("The heart pumps blood", "The heart pumps blood [2]"),
        ("The femur is the longest bone! It is.", "The femur is the longest bone [1]! It is."),
        ("- The femur is the longest bone.\n- The heart pumps blood.",
         "- The femur is the longest bone [1].\n- The heart pumps blood [2]."),
        ("“The heart pumps blood.”", "“The heart pumps blood [2].”"),
        ("**The heart pumps blood.**", "**The heart pumps blood [2].**"),
        # The synonym counts as the word.
        ("Cardiac pumping moves blood.", "Cardiac pumping moves blood."),
        ("A. The femur is the longest bone.", "A. The femur is the longest bone [1]."),
        # A marker that is there stays, even where another would do better.
        ("The heart pumps blood [3].", "The heart pumps blood [3]."),
        ("The heart pumps blood. [2] The femur is the longest bone.",
         "The heart pumps blood. [2] The femur is the longest bone [1]."),
        ("The liver makes bile.", "The liver makes bile."),
    ],
)  # fmt: skip
def test_a_sentence_gets_the_marker_of_what_says_the_same(text: str, expected: str) -> None:
    assert marked(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        # The evidence denies it, or gives another side or number.
        "There is a pleural effusion.",
        "A nodule lies in the left upper lobe.",
        "A nodule of 9 mm lies in the right upper lobe.",
        # Nothing is stated.
        "Is the femur the longest bone?",
        "B.",
        "The answer is B.",
        "Yes.",
        "The evidence does not say that the heart pumps blood.",
        "I cannot tell whether the heart pumps blood.",
        "# The femur is the longest bone\n\nSo it is.",
        "**The femur is the longest bone**\n\nSo it is.",
        "The heart pumps blood:\nso it is.",
        "Longest bone: femur\nSo it is.",
    ],
)
def test_what_is_contradicted_or_states_nothing_gets_none(text: str) -> None:
    assert marked(text) == text


def test_an_answer_that_abstained_and_one_without_evidence_stay_as_they_are() -> None:
    given = replace(answered("The heart pumps blood."), abstained=True)
    assert attached(given, EVIDENCE, least=0.5) is given
    given = answered("The heart pumps blood.", ())
    assert attached(given, (), least=0.5) is given


def test_claims_citations_and_trace_tell_what_was_attached() -> None:
    given = answered("The heart pumps blood [2]. The femur is the longest bone. Who knows.")
    found = attached(given, EVIDENCE, least=0.7)
    assert [claim.markers for claim in found.claims] == [(2,), (1,), ()]
    assert [claim.text for claim in found.claims] == [claim.text for claim in given.claims]
    assert [c.marker for c in found.citations] == [1, 2]
    assert found.citations[0].passage == EVIDENCE[0].passage
    assert found.citations[0].score == EVIDENCE[0].score
    [step] = found.trace
    [each] = step["markers"]
    assert (each["claim"], each["marker"]) == (1, 1)
    assert found.text[each["start"] : each["end"]] == " [1]"
    assert without_attached(found) == given.text


def test_of_equal_evidence_the_better_rank_is_cited() -> None:
    evidence = hits("The spleen filters blood.", "The spleen filters blood.")
    assert marked("The spleen filters blood.", evidence=evidence).endswith("[1].")


def test_rare_words_weigh_more_than_those_of_every_sentence() -> None:
    evidence = hits("The cell has a wall.", "The cell has a gate.", "The cell has an axon.")
    # Two of three words are in every sentence; the third decides.
    assert marked("The cell has an axon.", 0.9, evidence) == "The cell has an axon [3]."
    assert marked("The cell has a flagellum.", 0.7, evidence) == "The cell has a flagellum."


def test_a_share_out_of_range_is_refused() -> None:
    for least in (0.0, 1.1):
        with pytest.raises(ValueError, match="least"):
            marked("A bone.", least)


PIECES = [
    "The femur is the longest bone", "The heart pumps blood [2]", "No pleural effusion", "Why",
    "A. The apex points to the left", "see Fig. 2", "8 mm", "# Findings", "- A nodule",
    "[1]", "[9]", ".", "?", ":", " ", "\n", "\n\n", "”", "**", "e.g.", "Dr. Hall",
]  # fmt: skip


@given(st.lists(st.sampled_from(PIECES), max_size=12).map(" ".join))
def test_the_text_without_what_was_attached_is_the_text_as_it_was(text: str) -> None:
    given = answered(text)
    found = attached(given, EVIDENCE, least=0.5)
    assert without_attached(found) == text
    assert without_markers(found.text) == without_markers(text)
    # Read anew, the text gives the claims and citations that the answer has.
    again = answered(found.text)
    assert again.claims == found.claims
    assert again.citations == found.citations
    for before, after in zip(given.claims, found.claims, strict=True):
        assert not before.markers or after.markers == before.markers


@given(st.lists(st.sampled_from(PIECES), max_size=12).map(" ".join))
def test_attaching_twice_is_attaching_once(text: str) -> None:
    once = attached(answered(text), EVIDENCE, least=0.5)
    assert attached(once, EVIDENCE, least=0.5) == once
