"""How near a report comes to its reference."""

from importlib.util import find_spec

import numpy as np
import pytest
from hypothesis import given

from medrag.alignment.rewards import TextReward
from medrag.errors import MissingExtraError
from medrag.records import Item, Question
from tests.alignment.rewards.made import ODD, closed, example, replies

REPORT = Item("r", Question("Write the report."), ("the heart is enlarged",), "report")


def _reward(reply: str, measure: str = "rouge_l_coco") -> float:
    return float(TextReward(measure=measure).reward([reply], [example(REPORT)])[0])


def test_the_reference_itself_is_worth_1_and_nothing_in_common_0() -> None:
    assert _reward("The heart is enlarged.") == pytest.approx(1)
    assert _reward("clear lungs") == 0


def test_the_measure_is_that_of_the_evaluation() -> None:
    # 2 of 4 words are said, and 2 of 2 that are said are right: F1 = 2 * 1 * 0.5 / 1.5.
    assert _reward("heart enlarged", "token_f1") == pytest.approx(2 / 3)


def test_an_empty_reply_and_half_a_thought_are_worth_0() -> None:
    for measure in ("rouge_l_coco", "bleu4", "token_f1", "meteor_stem", "sentence_bleu"):
        assert _reward("", measure) == 0
        assert _reward("<think>the heart is enlarged", measure) == 0


def test_it_does_not_apply_to_closed_questions() -> None:
    rewards = TextReward().reward(["yes"] * 2, [example(closed()), example()])
    assert np.isnan(rewards).all()


@given(replies())
def test_any_reply_gives_a_value(reply: str) -> None:
    for measure in ("rouge_l_coco", "bleu1", "token_f1"):
        assert np.isfinite(_reward(reply, measure))


@pytest.mark.parametrize("reply", ODD)
def test_odd_replies_give_a_value(reply: str) -> None:
    assert np.isfinite(_reward(reply))


def test_a_measure_of_a_whole_corpus_or_none_is_refused() -> None:
    for measure in ("cider_d", "rogue_l"):
        with pytest.raises(ValueError, match="rewards no single text"):
            TextReward(measure=measure)


@pytest.mark.skipif(find_spec("radeval") is not None, reason="RadEval is installed")
def test_a_clinical_measure_says_what_to_install() -> None:
    with pytest.raises(MissingExtraError, match="clinical"):
        _reward("enlarged heart", "radgraph_f1")
