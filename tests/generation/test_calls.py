"""Calls of tools in the replies of models."""

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medrag.generation.calls import Call, Reading, may_become_call, read_calls

NAME = st.text(st.characters(categories=("L", "N"), include_characters="_-"), min_size=1)
VALUE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip
ARGUMENTS = st.dictionaries(st.text(), VALUE, max_size=4)
CROP = '{"tool": "crop", "arguments": {"image": 1, "box": [1, 2, 30, 40]}}'
CROPPED = Call("crop", {"image": 1, "box": [1, 2, 30, 40]})


def tagged(call: str) -> str:
    return f"<tool_call>\n{call}\n</tool_call>"


@given(NAME, ARGUMENTS, st.sampled_from(["", " ", "\n\n"]))
def test_what_was_written_comes_back_in_every_form(
    name: str, arguments: dict[str, Any], blank: str
) -> None:
    plain = json.dumps({"tool": name, "arguments": arguments})
    named = json.dumps({"name": name, "arguments": arguments})
    text = json.dumps({"name": name, "arguments": json.dumps(arguments)})
    forms = [plain, named, text, tagged(named), tagged(plain), f"```json\n{plain}\n```"]
    for form in [*forms, json.dumps({"tool": name, "parameters": arguments}, indent=2)]:
        assert read_calls(blank + form + blank) == Reading((Call(name, arguments),))


@given(st.lists(st.tuples(NAME, ARGUMENTS), min_size=1, max_size=4))
def test_several_calls_in_a_row_are_read_in_order(calls: list[tuple[str, dict[str, Any]]]) -> None:
    written = [json.dumps({"name": name, "arguments": given}) for name, given in calls]
    expected = Reading(tuple(Call(*each) for each in calls))
    assert read_calls("\n".join(map(tagged, written))) == expected
    assert read_calls("\n".join(written)) == expected
    assert read_calls(f"[{','.join(written)}]") == expected


@given(st.text())
def test_any_text_is_read_without_an_error(text: str) -> None:
    reading = read_calls(text)
    assert not (reading.calls and reading.trouble)


@given(st.text("ab .\n", min_size=1).filter(str.strip), st.sampled_from([CROP, tagged(CROP)]))
def test_a_call_among_words_is_never_made(words: str, call: str) -> None:
    for reply in (f"{words}\n{call}", f"{call}\n{words}", f"{words}{call}", f"{words}\n{call}\nb"):
        assert read_calls(reply).calls == ()


@pytest.mark.parametrize(
    "answer",
    [
        "The heart is enlarged [1].",
        "A. effusion [1]",
        '{"answer": "effusion", "box": [1, 2, 3, 4]}',
        '{"name": "effusion"}',
        '{"name": "effusion", "arguments": {}, "score": 0.3}',
        "[12, 40, 80, 90]",
        "[1] No effusion.",
        "{not JSON}",
        "42",
        "",
        "Use the tool_call tag.",
        'So:\n```json\n{"finding": 1}\n```',
        "```",
    ],
)
def test_an_answer_is_no_call(answer: str) -> None:
    assert read_calls(answer) == Reading()


@pytest.mark.parametrize(
    ("reply", "trouble"),
    [
        (f"Let me look closer.\n{CROP}", "stand alone"),
        (f"Let me look closer.\n{tagged(CROP)}", "stand alone"),
        (f"Let me look closer.\n```json\n{CROP}\n```", "stand alone"),
        (f"I look.\n```\n{tagged(CROP)}\n```", "stand alone"),
        (f"I look.\n{json.dumps(json.loads(CROP), indent=2)}", "stand alone"),
        (f"{tagged(CROP)}\nThe crop shows an effusion.", "stand alone"),
        (f"{CROP}\nThe crop shows an effusion.", "stand alone"),
        (CROP[:-2], "no valid JSON"),
        ("<tool_call>crop(1)</tool_call>", "no valid JSON"),
        ('<tool_call>{"crop": 1}</tool_call>', "must be"),
        ('{"tool": "crop", "arguments": {"box": [NaN, 1, 2, 3]}}', "no valid JSON"),
        ('{"tool": "crop", "arguments": {"box": [1e999, 1, 2, 3]}}', "no valid JSON"),
    ],
)
def test_what_only_looks_like_a_call_is_told(reply: str, trouble: str) -> None:
    reading = read_calls(reply)
    assert reading.calls == ()
    assert trouble in reading.trouble


def test_a_tag_within_the_arguments_is_a_text() -> None:
    holding = json.dumps({"name": "crop", "arguments": {"name": "</tool_call><tool_call>"}})
    expected = Reading((Call("crop", {"name": "</tool_call><tool_call>"}),) * 2)
    assert read_calls(tagged(holding) * 2) == expected


def test_a_call_whose_tag_was_left_open_is_read() -> None:
    assert read_calls(f"<tool_call>\n{CROP}") == Reading((CROPPED,))


@pytest.mark.parametrize(
    "made",
    ["[" * 19_000, "{" * 19_000, '{"tool":' * 2_400, "<tool_call>" * 1_800,
     "\n<tool_call>x" * 1_500, "\n{" * 9_000, "\n```" * 4_900],
)  # fmt: skip
def test_replies_made_to_hold_up_the_reader_do_not(made: str) -> None:
    started = time.perf_counter()
    assert read_calls(made).calls == ()
    assert time.perf_counter() - started < 2


def test_a_very_long_reply_is_an_answer() -> None:
    long = json.dumps({"tool": "crop", "arguments": {"name": "x" * 30_000}})
    assert read_calls(long) == Reading()


@given(st.sampled_from([CROP, tagged(CROP), f"\n```json\n{CROP}\n```", f"[{CROP}]"]), st.data())
def test_every_beginning_of_a_call_may_become_one(call: str, data: st.DataObject) -> None:
    assert may_become_call(call[: data.draw(st.integers(0, len(call)))])


def test_words_do_not_become_a_call() -> None:
    assert not may_become_call("The heart")
    assert not may_become_call("<b>The")
