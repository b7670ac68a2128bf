"""Whether a reply keeps the form that it was asked for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medrag.alignment.rewards import FormatReward
from tests.alignment.rewards.made import ODD, example, replies

GOOD = "<think>It is wide.</think>\n<answer>yes</answer>"


def _format(reply: str, reward: FormatReward | None = None) -> float:
    return float((reward or FormatReward()).reward([reply], [example()])[0])


def test_thoughts_and_an_answer_in_their_tags_have_the_form() -> None:
    assert _format(GOOD) == 1
    assert _format(f"\n {GOOD.upper()} \n") == 1


@pytest.mark.parametrize(
    "reply",
    [
        "yes",
        "<answer>yes</answer>",
        "<answer>yes</answer><think>because</think>",
        "<think> </think><answer>yes</answer>",
        "<think>wide</think><answer></answer>",
        "<think>wide<answer>yes</answer></think>",
        f"{GOOD} and more",
        f"So: {GOOD}",
        "<think>a</think> b <answer>yes</answer>",
        f"{GOOD}<answer>no</answer>",
        "<think>wide</think><answer>yes",
    ],
)
def test_anything_missing_beside_repeated_or_out_of_order_has_not(reply: str) -> None:
    assert _format(reply) == 0


def test_parts_tell_which_pair_is_right() -> None:
    parts = FormatReward().parts(["<answer>yes</answer>"], [example()])
    assert [float(parts[name][0]) for name in ("format", "think", "answer")] == [0, 0, 1]


def test_without_thoughts_asked_for_the_answer_alone_is_the_form() -> None:
    alone = FormatReward(think=None)
    assert _format("<answer>yes</answer>", alone) == 1
    assert _format(GOOD, alone) == 0


@given(st.text(alphabet="ab İß<>", min_size=1), st.text(alphabet="ab İß", min_size=1))
def test_what_tags_hold_does_not_matter_as_long_as_it_is_not_blank(a: str, b: str) -> None:
    blank = not a.strip() or not b.strip()
    assert _format(f"<think>{a}</think><answer>{b}</answer>") == float(not blank)


@given(replies())
def test_a_form_is_kept_or_not_whatever_the_reply(reply: str) -> None:
    assert _format(reply) in (0, 1)


@pytest.mark.parametrize("reply", ODD)
def test_odd_replies_have_no_form(reply: str) -> None:
    assert _format(reply) == 0


def test_a_format_that_asks_for_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="asks for nothing"):
        FormatReward(think=None, answer=[])
    with pytest.raises(ValueError, match="opening and a closing tag"):
        FormatReward(think=["<think>"])
