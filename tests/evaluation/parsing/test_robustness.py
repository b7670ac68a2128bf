"""Any text can be read, in time that grows with its length only."""

import time
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medrag.evaluation.parsed import Letters, Number, Parsed, YesNo
from medrag.evaluation.parsing import parse_answer, shown
from medrag.records import AnswerKind, Item, Question

OPTIONS = ("lung", "left lung", "liver")
KINDS = get_args(AnswerKind)
# Pieces that patterns look for, in any order and number.
PIECES = st.lists(
    st.sampled_from([
        "<think>", "</think>", "<answer>", "</answer>", "\\boxed{", "}", "{", "[", "]", "[1]", "(",
        ")", "A", "B.", "yes", "no", "not", "1", "1,2", "3.5", "-", "/", " ", "\n", "**", "lung",
        "answer is", "answer:", "cannot", "I don't know", "是", "没有", "لا", "二", '"',
        ":", ",", "?",
    ]),
    max_size=30,
)  # fmt: skip
LONG = {
    "brackets": "[" * 100_000, "blanks": " " * 100_000 + "x", "lines": "\n" * 100_000 + "x",
    "tags": "<think>" * 15_000, "closed tags": "<think></think>" * 7_000, "lt": "<" * 100_000,
    "answers": "<answer>" * 12_000, "boxes": "\\boxed{" * 14_000, "bold": "** " * 30_000,
    "leads": "the answer is " * 7_000, "digits": "1" * 100_000, "numbers": "1," * 50_000,
    "letters": "A, " * 30_000, "words": "no " * 30_000, "stops": "a. " * 30_000,
    "objects": '{"a":' * 20_000, "open list": "[1" + " " * 100_000, "one": "one " * 25_000,
}  # fmt: skip


def item(kind: AnswerKind, language: str = "en") -> Item:
    return Item("1", Question("Is it there?", options=OPTIONS), ("x",), kind, language=language)


@given(st.one_of(st.text(max_size=200), PIECES.map("".join)), st.sampled_from(KINDS))
def test_every_text_is_read_as_something_that_can_be_shown(text: str, kind: AnswerKind) -> None:
    parsed = parse_answer(text, item(kind))
    assert shown(parsed)
    if isinstance(parsed, Letters):
        assert set(parsed.options) <= set(range(len(OPTIONS)))
        assert list(parsed.options) == sorted(set(parsed.options))


@given(
    st.text(max_size=100), st.sampled_from(["zh", "ar", "de", "fr", "es", "it", "pt", "nl", "ja"])
)
def test_every_language_is_read(text: str, language: str) -> None:
    for kind in KINDS:
        assert isinstance(parse_answer(text, item(kind, language)), Parsed)


@given(st.integers(-(10**9), 10**9))
def test_a_whole_number_is_read_back(value: int) -> None:
    assert parse_answer(str(value), item("number")) == Number(float(value))
    assert parse_answer(f"{value:,}", item("number")) == Number(float(value))


@given(st.floats(-1e6, 1e6).map(lambda value: round(value, 3)))
def test_a_decimal_is_read_back(value: float) -> None:
    assert parse_answer(f"{value:.3f} mm", item("number")) == Number(value, "mm")


@given(st.text(alphabet="abcdefghijklmnopqrstuvwxyz", min_size=1, max_size=8))
def test_a_word_is_yes_or_no_only_if_it_is_that_word(word: str) -> None:
    parsed = parse_answer(f"{word} zzz", item("yes_no"))
    known = {"yes", "yeah", "yep", "true", "correct", "positive", "affirmative"}
    known |= {"no", "nope", "false", "incorrect", "negative"}
    # So few words say of what was asked that it is there, or not.
    known |= {
        "present", "seen", "visible", "visualized", "visualised", "identified", "noted", "evident",
        "observed", "detected", "demonstrated", "shown", "appreciated", "found", "absent",
    }  # fmt: skip
    assert isinstance(parsed, YesNo) is (word in known)


@given(PIECES.map("".join))
def test_closed_reasoning_before_an_answer_changes_nothing(thought: str) -> None:
    for tag in ("<think>", "</think>"):
        thought = thought.replace(tag, "")
    assert parse_answer(f"<think>{thought}</think>B", item("choice")) == Letters((1,))


@pytest.mark.parametrize("name", sorted(LONG))
def test_a_long_text_takes_no_more_than_its_length_asks_for(name: str) -> None:
    # A quadratic step on 100,000 characters would take minutes; this takes a second or two.
    start = time.monotonic()
    for kind in KINDS:
        parse_answer(LONG[name], item(kind))
    assert time.monotonic() - start < 30
