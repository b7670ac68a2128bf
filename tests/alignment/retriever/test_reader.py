"""What a reader says of passages, as a signal."""

from collections.abc import Sequence
from math import exp, log, nan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medrag.alignment.retriever.reader import (
    option_log_likelihood,
    reader_likelihoods,
    reader_signal,
    reader_targets,
)
from medrag.encoding.sentence import SentenceEncoder
from medrag.records import Generation, Hit, Passage, Prompt, Question, Source
from tests.encoding.tiny_texts import D, save_sentence


def test_targets_are_shares_of_the_likelihoods() -> None:
    # 0.6 and 0.2 are 3/4 and 1/4 of their sum.
    np.testing.assert_allclose(reader_targets([[log(0.6), log(0.2)]]), [[0.75, 0.25]], rtol=1e-12)


def test_a_lower_temperature_favours_the_best() -> None:
    # At 1/2 the likelihoods are squared: 9/10 and 1/10.
    targets = reader_targets([[log(0.6), log(0.2)]], temperature=0.5)
    np.testing.assert_allclose(targets, [[0.9, 0.1]], rtol=1e-12)


def test_what_is_not_known_has_no_share() -> None:
    targets = reader_targets([[log(0.6), nan, log(0.2)], [nan, nan, nan]])
    np.testing.assert_allclose(targets, [[0.75, 0, 0.25], [0, 0, 0]], rtol=1e-12)


@given(
    st.lists(
        st.lists(st.floats(-1e4, 0) | st.just(nan), min_size=3, max_size=3), min_size=1, max_size=5
    )
)
def test_shares_sum_to_one_or_to_nothing(rows: list[list[float]]) -> None:
    sums = reader_targets(rows).sum(axis=1)
    known = ~np.isnan(rows).all(axis=1)
    np.testing.assert_allclose(sums, known.astype(float), rtol=1e-9)


@pytest.mark.parametrize("wrong", [[[0.1]], [[-float("inf")]]])
def test_what_is_no_log_likelihood_is_refused(wrong: list[list[float]]) -> None:
    with pytest.raises(ValueError, match="at most 0"):
        reader_targets(wrong)


def test_the_likelihood_of_an_option_is_its_share_of_all() -> None:
    # Scores log 1 and log 3: 1/4 and 3/4.
    assert option_log_likelihood([0.0, log(3)], 1) == pytest.approx(log(0.75))
    assert np.isnan(option_log_likelihood([], 0))
    assert np.isnan(option_log_likelihood([0.0, nan], 0))
    with pytest.raises(ValueError, match="one of 2 options"):
        option_log_likelihood([0.0, 1.0], 2)


class Reader:
    """Holds the first option for right as often as its evidence says "yes"."""

    name = "reader"

    def generate(self, prompts: Sequence[Prompt]) -> list[Generation]:
        shown = [sum(str(part).count("yes") for part in prompt.parts) for prompt in prompts]
        return [Generation("A", option_scores=(float(n), 0.0)) for n in shown]


def hit(text: str) -> Hit:
    return Hit(Passage(text, "text", text, Source("c", "d", "0" * 64)), 1.0, 1)


def test_a_reader_is_asked_with_each_hit_alone() -> None:
    question = Question("is it", options=("true", "false"))
    rankings = [[hit("yes yes"), hit("no")], [hit("yes")]]
    found = reader_likelihoods(Reader(), [question, question], rankings, [0, 1])
    worked = [[2 - log(exp(2) + 1), log(0.5)], [-log(exp(1) + 1), nan]]
    np.testing.assert_allclose(found, worked, rtol=1e-9)


def test_a_question_without_the_option_is_refused() -> None:
    with pytest.raises(ValueError, match="has no option 2"):
        reader_likelihoods(Reader(), [Question("x", options=("a", "b"))], [[]], [2])


def test_a_signal_encodes_each_different_passage_once(tmp_path: object) -> None:
    model = save_sentence(tmp_path / "sentence")  # type: ignore[operator]
    text = SentenceEncoder(model=model, dtype="float32", device="cpu")
    told = [[log(0.6), log(0.2)], [-1.0, nan]]
    signal = reader_signal(told, [["the heart", "the lung"], ["the heart"]], text)
    assert signal.vectors.shape == (2, D)
    assert signal.shown.tolist() == [[0, 1], [0, -1]]
    np.testing.assert_allclose(signal.targets, [[0.75, 0.25], [1, 0]], rtol=1e-12)
    with pytest.raises(ValueError, match="where there is no passage"):
        reader_signal([[-1.0, -1.0]], [["the heart"]], text)
