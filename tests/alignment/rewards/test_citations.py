"""How much of a reply rests on what it cites."""

import numpy as np
import pytest
from hypothesis import given

from medrag.alignment.rewards import CitationReward
from medrag.verification.lexical import LexicalVerifier
from tests.alignment.rewards.made import ODD, example, replies

TEXTS = ("The heart is enlarged.", "There is no pleural effusion.")
REWARD = CitationReward(verifier=LexicalVerifier())


def _parts(reply: str) -> dict[str, float]:
    found = REWARD.parts([reply], [example(evidence=TEXTS)])
    return {name: float(values[0]) for name, values in found.items()}


def test_a_reply_is_worth_the_share_of_its_sentences_that_their_passages_support() -> None:
    assert _parts("The heart is enlarged [1]. There is no pleural effusion [2].")["citations"] == 1
    # The second sentence cites the passage on the heart, and the third none: 1 of 3.
    reply = "The heart is enlarged [1]. There is no pleural effusion [1]. The bones are intact."
    assert _parts(reply)["citations"] == pytest.approx(1 / 3)


def test_a_sentence_without_a_marker_and_a_reply_without_a_sentence_give_nothing() -> None:
    assert _parts("The heart is enlarged.")["citations"] == 0
    assert _parts("")["citations"] == 0
    assert _parts("[1]")["citations"] == 0


def test_parts_tell_how_many_sentences_cite_and_whether_markers_resolve() -> None:
    parts = _parts("The heart is enlarged [7]. The bones are intact.")
    assert (parts["citations"], parts["cited"], parts["resolve"]) == (0, 0, 0)


def test_the_reward_does_not_apply_without_evidence() -> None:
    assert np.isnan(REWARD.reward(["The heart is enlarged [1]."], [example()])).all()
    assert REWARD.reward([], []).shape == (0,)


@given(replies())
def test_any_reply_gives_0_to_1_or_nothing_that_could_be_checked(reply: str) -> None:
    value = _parts(reply)["citations"]
    assert np.isnan(value) or 0 <= value <= 1


@pytest.mark.parametrize("reply", ODD)
def test_odd_replies_are_no_trouble(reply: str) -> None:
    value = _parts(reply)["citations"]
    assert np.isnan(value) or value == 0
