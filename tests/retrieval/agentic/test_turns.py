"""What the agent wants next."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medrag.retrieval.agentic.turns import Facts, Turn, facts_of, read_turn
from medrag.retrieval.asking.showing import is_query


@pytest.mark.parametrize("thought", ["", "<think>Hm <search>x</search></think>\n", "Hm</think>"])
def test_an_action_is_read_behind_the_thought(thought: str) -> None:
    assert read_turn(f"{thought}<search> gout </search>\n") == Turn("search", query="gout")
    box = read_turn(f"{thought}<bbox>[1, 2.5,30 , 40]</bbox>")
    assert box == Turn("bbox", box=(1.0, 2.5, 30.0, 40.0))
    summary = read_turn(f"{thought}<summary>Gout hurts [1].</summary>")
    assert summary == Turn("summary", summary="Gout hurts [1].")


@pytest.mark.parametrize("text", ["Gout hurts [1].", "<summary>Gout hurts [1].</summary>",
                                  "<answer>Gout hurts [1].</answer>"])  # fmt: skip
def test_words_that_are_no_action_are_the_summary(text: str) -> None:
    assert read_turn(text) == Turn("summary", summary="Gout hurts [1].")


@pytest.mark.parametrize("text", ["NONE", "<summary>NONE.</summary>", "<think>a</think>NONE"])
def test_pages_of_no_use_have_an_empty_summary(text: str) -> None:
    assert read_turn(text) == Turn("summary")


@pytest.mark.parametrize(
    "text",
    [
        "I look: <search>gout</search>",
        "<search>gout</search><search>pus</search>",
        "<search>gout</search> <summary>x</summary>",
        "<search>gout",
        "<search><search>gout</search></search>",
        "<bbox>[1, 2, 3]</bbox>",
        "<bbox>[1, 2, 3, 1e999]</bbox>",
        "<bbox>[1, 2, NaN, 4]</bbox>",
        "<bbox>[99999999, 2, 3, 4]</bbox>",
        "<bbox>[1, 2, 3, ٤]</bbox>",
        "<SEARCH>gout</SEARCH>",
        '<tool_call>{"name": "rag"}</tool_call>',
        "<search></search>",
        "<search>a\nb</search>",
        f"<search>{'a' * 501}</search>",
        "<search>a\u202eb</search>",
        "<think>I go on",
        "",
        "<summary> </summary>",
        "x" * 20_001,
    ],
)
def test_what_is_no_action_and_no_summary_is_told_so(text: str) -> None:
    turn = read_turn(text)
    assert turn.action == ""
    assert turn.trouble


@given(st.text(), st.sampled_from(["", "<search>", "<bbox>[", "<summary>", "<think>"]))
def test_any_text_is_read_without_an_error(text: str, tag: str) -> None:
    for reply in (text, f"{tag}{text}", f"{tag}{text}</search>", f"<think>{tag}</think>{text}"):
        turn = read_turn(reply)
        assert (turn.action == "") == bool(turn.trouble)
        assert turn.action != "search" or is_query(turn.query)
        assert (turn.action == "bbox") == (turn.box is not None)


def test_facts_go_to_the_pages_that_their_markers_name() -> None:
    summary = "Gout hurts [2].\n\n- Both speak of it [1, 3]\nIt is old.\nIt is wrong [7]."
    assert facts_of(summary, 3) == Facts(
        ("- Both speak of it\nIt is old.\nIt is wrong.", "Gout hurts.", "- Both speak of it"), 2
    )
