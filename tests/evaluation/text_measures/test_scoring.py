import numpy as np
import pytest

from medrag.evaluation.statistics import estimate
from medrag.evaluation.text_measures import TEXT_MEASURES, text_measures


def test_every_measure_gives_a_right_answer_full_marks_and_an_empty_one_none() -> None:
    texts = ["the left lung is clear now", "a small effusion on the right side"]
    found = text_measures(
        [*texts, ""], [[text] for text in [*texts, "no change"]], measures=TEXT_MEASURES
    )
    for name, statistic in found.items():
        values = statistic.value(statistic.sums)
        full = 10 if name == "cider_d" else 1
        # METEOR takes half of (1 / number of words) cubed from one whole piece.
        least = full - 0.5 / 6**3 - 1e-6 if name == "meteor_stem" else full - 1e-6
        assert (least <= values[:2]).all(), name
        assert (values[:2] <= full + 1e-6).all(), name
        assert values[2] == pytest.approx(0, abs=1e-9), name


def test_an_absent_answer_is_left_out_of_every_measure() -> None:
    found = text_measures(["clear", None], [["clear"], ["x"]], measures=TEXT_MEASURES)
    for name, statistic in found.items():
        counted = estimate(statistic, [None, None], n_resamples=10)
        assert counted.n == 1, name
        assert np.isnan(statistic.value(statistic.sums)[1]), name


def test_no_items_give_no_value() -> None:
    for name, statistic in text_measures([], [], measures=TEXT_MEASURES).items():
        assert np.isnan(estimate(statistic, [], n_resamples=10).value), name


def test_the_interval_of_bleu_is_of_the_corpus_formula() -> None:
    # The whole: 3 of 4 words. Resamples: both of the first (1), both of the second (1/2), mixed.
    found = text_measures(["a b", "a x"], [["a b"], ["a b"]], measures=["bleu1"])["bleu1"]
    given = estimate(found, ["p", "q"], n_resamples=200)
    assert (given.value, given.low, given.high) == pytest.approx((0.75, 0.5, 1.0))


def test_unknown_measures_are_named() -> None:
    with pytest.raises(ValueError, match="unknown measures of text: bleu, rougeL"):
        text_measures(["a"], [["a"]], measures=["bleu", "rougeL", "bleu4"])


def test_an_unknown_normaliser_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown normaliser"):
        text_measures(["a"], [["a"]], normaliser="porter")


def test_chinese_and_arabic_answers_score() -> None:
    found = text_measures(
        ["左肺正常", "الرئة سليمة"], [["右肺正常"], ["الرئة سليمة"]], measures=["token_f1"]
    )["token_f1"]
    # three of four characters, and all words
    np.testing.assert_allclose(found.value(found.sums), [0.75, 1])
