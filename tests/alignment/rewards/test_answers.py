"""Whether a reply gives the right answer."""

import numpy as np
import pytest
from hypothesis import given

from medrag.alignment.rewards import AnswerReward
from medrag.records import Item, Question, QuestionRegion
from tests.alignment.rewards.made import ODD, choice, closed, example, replies

THINK, ANSWER = ("<think>", "</think>"), ("<answer>", "</answer>")
NUMBER = Item("n", Question("How long is it?"), ("20 mm",), "number")
BOX = Item("b", Question("Where?"), (), "boxes", regions=(QuestionRegion(0, (0, 0, 10, 10)),))


def _reward(reply: str, item: Item | None, reward: AnswerReward | None = None) -> float:
    return float((reward or AnswerReward()).reward([reply], [example(item)])[0])


def test_a_right_word_or_option_gives_1_and_a_wrong_one_0() -> None:
    assert _reward("Yes, it is.", closed()) == 1
    assert _reward("No.", closed()) == 0
    assert _reward("B. liver", choice()) == 1
    assert _reward("(A)", choice()) == 0


def test_a_number_may_be_off_by_its_tolerance_in_any_unit() -> None:
    # 10% of 20 mm is 2 mm.
    assert _reward("2.2 cm", NUMBER) == 1
    assert _reward("22.1 mm", NUMBER) == 0
    assert _reward("22.1 mm", NUMBER, AnswerReward(tolerance=0.2)) == 1


def test_a_box_gives_its_overlap_or_whether_it_is_enough() -> None:
    # Half of the right box is covered: 50 / 100.
    assert _reward("[0, 0, 10, 5]", BOX) == pytest.approx(0.5)
    assert _reward("[0, 0, 10, 5]", BOX, AnswerReward(iou=0.5)) == 1
    assert _reward("[0, 0, 10, 4]", BOX, AnswerReward(iou=0.5)) == 0


def test_what_cannot_be_read_and_what_declines_gives_0_and_is_told_apart() -> None:
    parts = AnswerReward().parts(["blue", "I cannot tell."], [example(closed())] * 2)
    assert parts["answer"].tolist() == [0, 0]
    assert parts["read"].tolist() == [0, 1]
    assert parts["given"].tolist() == [1, 0]


def test_the_answer_is_read_from_its_tags_and_not_from_thoughts() -> None:
    tagged = AnswerReward(think=THINK, answer=ANSWER)
    assert _reward("<think>yes?</think><answer>no</answer>", closed("no"), tagged) == 1
    assert _reward("<think>yes, yes, and", closed("yes"), tagged) == 0


def test_the_reward_does_not_apply_without_a_reference_and_to_reports() -> None:
    report = Item("r", Question("Write the report."), ("Clear lungs.",), "report")
    bare = Item("x", Question("Why?"))
    assert np.isnan([_reward("yes", item) for item in (None, report, bare)]).all()


@given(replies())
def test_any_reply_to_any_kind_of_item_gives_0_to_1(reply: str) -> None:
    items = [closed(), choice(), NUMBER, BOX]
    values = AnswerReward().reward([reply] * 4, [example(item) for item in items])
    assert ((values >= 0) & (values <= 1)).all()


@pytest.mark.parametrize("reply", ODD)
def test_odd_replies_are_read_in_no_time(reply: str) -> None:
    items = [closed(), choice(), NUMBER, BOX]
    assert np.isfinite(AnswerReward().reward([reply] * 4, [example(item) for item in items])).all()


def test_settings_out_of_range_are_refused() -> None:
    with pytest.raises(ValueError, match="tolerance must be from 0 to 1"):
        AnswerReward(tolerance=-0.1)
    with pytest.raises(ValueError, match="2 replies need as many examples"):
        AnswerReward().reward(["a", "b"], [example()])
