import math

import pytest

from medrag.errors import EvaluationError
from medrag.evaluation.pairsets import PairAnswer, score_pairs

PAIRS = {
    "both right": (PairAnswer("A", "A", ("p", "q")), PairAnswer("B", "B", ("q", "p"))),
    "confused": (PairAnswer("A", "A", ("p",)), PairAnswer("A", "B", ("r",))),
    "both wrong": (PairAnswer("B", "A", ()), PairAnswer("A", "B", ())),
    "one invalid": (PairAnswer("A", "A"), PairAnswer(None, "B", ("p",))),
}


def test_four_pairs_are_scored_as_by_hand() -> None:
    found = score_pairs(PAIRS)
    # set: the first of 4; individual: 2 + 1 + 0 + 1 of 8; invalid: 1 of 8
    assert found.set_accuracy.value == 1 / 4
    assert found.individual_accuracy.value == 4 / 8
    assert found.invalid.value == 1 / 8
    # three pairs are valid, one of them with one option for both; of the other two, one is right
    assert found.confusion.value == pytest.approx(1 / 3)
    assert found.precision.value == 1 / 2
    # retrieved for both and anything at all: the first two; the same set for the first
    assert found.same_contexts.value == 1 / 2
    assert (found.n_pairs, found.confusion.n, found.precision.n, found.same_contexts.n) == (
        4,
        3,
        2,
        2,
    )


def test_intervals_are_over_pairs() -> None:
    many = {f"{copy} {name}": answers for copy in range(25) for name, answers in PAIRS.items()}
    found = score_pairs(many).set_accuracy
    # 100 pairs of share 1/4: 1.96 * sqrt(0.25 * 0.75 / 100) = 0.085 to each side
    assert found.low == pytest.approx(0.25 - 0.085, abs=0.025)
    assert found.high == pytest.approx(0.25 + 0.085, abs=0.025)


def test_a_system_blind_to_the_picture_is_confused_by_every_pair() -> None:
    blind = {
        str(pair): (PairAnswer("A", "A", ("p",)), PairAnswer("A", "B", ("p",))) for pair in range(9)
    }
    found = score_pairs(blind)
    assert (found.set_accuracy.value, found.individual_accuracy.value) == (0, 0.5)
    assert (found.confusion.value, found.same_contexts.value) == (1, 1)
    assert math.isnan(found.precision.value)


def test_without_valid_answers_confusion_is_not_a_number() -> None:
    found = score_pairs({"1": (PairAnswer(None, "A"), PairAnswer(None, "B"))})
    assert math.isnan(found.confusion.value)
    assert (found.invalid.value, found.set_accuracy.value) == (1, 0)


def test_no_pairs_give_no_scores() -> None:
    found = score_pairs({})
    assert found.n_pairs == 0
    assert math.isnan(found.set_accuracy.value)


def test_a_pair_of_one_answer_is_refused() -> None:
    with pytest.raises(EvaluationError, match="pair '7' has 1 answers, expected 2"):
        score_pairs({"7": (PairAnswer("A", "A"),)})


def test_a_pair_with_one_right_option_is_refused() -> None:
    with pytest.raises(EvaluationError, match="'A' is right for both"):
        score_pairs({"7": (PairAnswer("A", "A"), PairAnswer("A", "A"))})
