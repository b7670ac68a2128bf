"""How unsure a model is."""

from math import log

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medrag.records import Generation
from medrag.retrieval.asking.uncertainty import (
    Uncertainty,
    answer_key,
    disagreement,
    option_entropy,
    token_doubt,
    uncertainty_of,
)

SCORE = st.floats(-60, 0)


def test_the_entropy_of_options_is_a_share_of_that_of_guessing() -> None:
    assert option_entropy((-2.0, -2.0, -2.0)) == pytest.approx(1.0, abs=1e-12)
    # p = 3/4 and 1/4: (3/4 log 4/3 + 1/4 log 4) / log 2 = 0.811278
    assert option_entropy((log(3 / 4), log(1 / 4))) == pytest.approx(0.811278, abs=1e-6)
    assert option_entropy((0.0, -1000.0)) == pytest.approx(0.0, abs=1e-12)


@given(st.lists(SCORE, min_size=2, max_size=6), SCORE)
def test_the_entropy_of_options_lies_between_0_and_1_and_goes_by_differences(
    scores: list[float], shift: float
) -> None:
    entropy = option_entropy(scores)
    assert entropy is not None
    assert -1e-12 <= entropy <= 1 + 1e-12
    assert option_entropy([each + shift for each in scores]) == pytest.approx(entropy, abs=1e-9)


@pytest.mark.parametrize("scores", [(), (-1.0,), (-1.0, float("nan")), (-1.0, float("-inf"))])
def test_without_scores_nothing_is_told(scores: tuple[float, ...]) -> None:
    assert option_entropy(scores) is None


def test_answers_that_agree_leave_no_doubt_and_all_different_ones_leave_all() -> None:
    assert disagreement(["Yes.", "yes, it is", "YES [1]"]) == pytest.approx(0.0, abs=1e-12)
    assert disagreement(["the heart", "the lung", "the liver"]) == pytest.approx(1.0, abs=1e-12)
    # shares 2/4, 1/4, 1/4: 1.5 log 2 / (2 log 2)
    said = ["the heart", "the hearts", "the lung", "the liver"]
    assert disagreement(said) == pytest.approx(0.75, abs=1e-12)
    assert disagreement(["the heart"]) is None
    assert disagreement(["the heart", "", " [1]"]) is None


@pytest.mark.parametrize(
    "text", ["B", "(B) gout", "B. gout", "b) gout", "gout", "Gout, as the tophi show", "**B**"]
)
def test_an_option_is_told_by_its_letter_or_its_words(text: str) -> None:
    assert answer_key(text, ("arthritis", "gout", "gout and arthritis")) == "option 1"


def test_the_longest_option_that_an_answer_begins_with_is_meant() -> None:
    assert answer_key("gout and arthritis", ("gout", "gout and arthritis")) == "option 1"


def test_words_in_another_order_say_the_same() -> None:
    assert answer_key("hearts enlarged") == answer_key("enlarged heart")


def test_the_doubt_of_tokens_is_one_less_their_mean_probability() -> None:
    # exp((log 0.5 + log 0.5) / 2) = 0.5
    assert token_doubt((log(0.5), log(0.5))) == pytest.approx(0.5)
    assert token_doubt(()) is None
    assert token_doubt(None) is None
    assert token_doubt((float("nan"),)) is None


def test_the_first_signal_that_is_told_counts() -> None:
    made = Generation("A", option_scores=(-1.0, -1.0), log_probabilities=(0.0,))
    assert uncertainty_of(made) == Uncertainty(1.0, "options")
    assert uncertainty_of(made, signals=("tokens",)) == Uncertainty(0.0, "tokens")
    samples = [Generation("yes"), Generation("no")]
    assert uncertainty_of(None, samples) == Uncertainty(1.0, "agreement")
    assert uncertainty_of(Generation("yes")) == Uncertainty(None, None)
