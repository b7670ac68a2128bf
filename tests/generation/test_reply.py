"""Where the answer stands in a reply."""

from time import perf_counter

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from medrag.generation.reply import Span, Tags, answer_span

BOTH = Tags(think=("<think>", "</think>"), answer=("<answer>", "</answer>"))
THINK = Tags(think=("<think>", "</think>"))
PIECES = st.sampled_from(
    [
        "<think>",
        "</think>",
        "<answer>",
        "</answer>",
        "<THINK>",
        "</Answer>",
        " ",
        "\n",
        "a",
        "B.",
        "<",
    ]
)
REPLIES = st.lists(PIECES, max_size=20).map("".join)


def read(text: str, tags: Tags = BOTH, *, thinking: bool = False) -> tuple[str, bool]:
    span = answer_span(text, tags, thinking=thinking)
    return text[span.start : span.end], span.closed


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("B. effusion", "B. effusion"),
        ("<think>hm</think><answer>B</answer>", "B"),
        ("<THINK>hm</Think>\n<Answer> B </ANSWER>", "B"),
        ("<think>hm</think> B. effusion [1]\n", "B. effusion [1]"),
        ("hm, an effusion</think>B", "B"),  # the chat template opened it
        ("<think>a</think>A<think>b</think>B", "B"),
        ("<think>a<think>b</think>c</think>B", "B"),
        ("<think>a<think>b</think>B", "B"),
        ("<answer>A</answer> no: <answer>B</answer>", "B"),
        ("<answer>B</answer> <answer> </answer>", "B"),
        ("<think>so <answer>A</answer>?</think><answer>B</answer>", "B"),
        ("<think>hm</think><answer>B, as the", "B, as the"),
        ("<think>hm</think>B</answer>", "B"),  # the chat template opened it
        ("B<think>why</think>", "B"),
        (r"<think>hm</think>\boxed{B}", r"\boxed{B}"),
        ("<think>hm <answer>B</answer>\n", "B"),  # the closing tag was forgotten
        ("<think>hm</think>", ""),
        ("<answer></answer>", ""),
        ("", ""),
    ],
)
def test_the_answer_is_found(text: str, answer: str) -> None:
    assert read(text) == (answer, True)


@pytest.mark.parametrize(
    "text",
    [
        "<think>is it B",
        "<think>a</think>B<think>wait",
        "<think>perhaps <answer>A</answer> but then",
        "<think>perhaps <answer>A",
        "<think><answer></answer>",
    ],
)
def test_half_a_thought_is_no_answer(text: str) -> None:
    assert read(text) == ("", False)


def test_a_reply_to_a_prompt_that_ended_in_thought_is_thought_until_it_closes() -> None:
    assert read("it is B", thinking=True) == ("", False)
    assert read("it is B</think>B", thinking=True) == ("B", True)
    assert read("it is <think>B</think>B", thinking=True) == ("B", True)


def test_without_tags_all_of_a_reply_is_the_answer() -> None:
    assert read("<think>a</think> B ", Tags()) == ("<think>a</think> B", True)


def test_thoughts_are_what_stands_outside_of_the_answer() -> None:
    text = "<think>First.</think>So: <answer>B</answer> Because of it."
    assert answer_span(text, BOTH).thoughts == "First.\n\nSo:\n\nBecause of it."
    assert answer_span("<think>First", BOTH).thoughts == "First"


def test_tags_that_are_special_in_patterns_are_taken_as_they_are() -> None:
    tags = Tags(think=("[THINK]", "[/THINK]"), answer=("(*", "*)"))
    assert read("[think]a[/think](*B*)", tags) == ("B", True)


@pytest.mark.parametrize("pair", [("<think>", "<THINK>"), ("", "</think>"), ("<think>", " ")])
def test_tags_that_cannot_be_told_apart_are_refused(pair: tuple[str, str]) -> None:
    with pytest.raises(ValueError, match="think"):
        Tags(think=pair)


@given(REPLIES | st.text(), st.booleans())
@example("İ<think>İ</think>İ", False)  # its lower case is longer
def test_a_span_lies_within_the_reply_and_begins_and_ends_with_words(
    text: str, thinking: bool
) -> None:
    for tags in (BOTH, THINK, Tags()):
        start, end, _, closed = answer_span(text, tags, thinking=thinking)
        assert 0 <= start <= end <= len(text)
        assert text[start:end] == text[start:end].strip()
        assert closed or start == end


@given(REPLIES)
def test_no_tag_is_left_in_the_thoughts_and_none_of_thoughts_in_the_answer(text: str) -> None:
    span: Span = answer_span(text, BOTH)
    answer = text[span.start : span.end].lower()
    assert "<think>" not in answer
    assert "</think>" not in answer
    # A new tag may come about where one was taken out of another, so only whole pieces count.
    assert "<answer>" not in answer


@given(st.text(alphabet="ab .\n", min_size=1), st.text(alphabet="xy .\n"))
def test_an_answer_in_tags_comes_back_whatever_was_thought(answer: str, thought: str) -> None:
    text = f"<think>{thought}</think><answer>{answer}</answer>"
    assert read(text) == (answer.strip(), True)


@pytest.mark.parametrize(
    "unit",
    ["<think>", "</think>", "<answer>", "</answer>", "<answer></answer>", "<think></think>", " <"],
)
def test_a_hostile_reply_takes_linear_time(unit: str) -> None:
    started = perf_counter()
    answer_span(unit * 100_000, BOTH)
    answer_span("</answer>" * 50_000 + unit * 50_000, BOTH)
    # Some 0.2 s on two shared cores; anything quadratic would take minutes.
    assert perf_counter() - started < 10
