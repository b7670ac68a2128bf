import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rouge_score.rouge_scorer import RougeScorer

from medrag.evaluation.text_measures import (
    common_subsequence,
    rouge_l,
    rouge_l_coco,
    text_measures,
)

Reports = tuple[list[str], list[list[str]]]
TEXTS = st.lists(st.sampled_from("abcd"), max_size=12)


def slow_subsequence(a: list[str], b: list[str]) -> int:
    row = [0] * (len(b) + 1)
    for left in a:
        before = row
        row = [0]
        for place, right in enumerate(b):
            row.append(before[place] + 1 if left == right else max(row[-1], before[place + 1]))
    return row[-1]


@given(a=TEXTS, b=TEXTS)
def test_the_common_subsequence_is_that_of_the_table(a: list[str], b: list[str]) -> None:
    assert common_subsequence(a, b) == slow_subsequence(a, b)


@pytest.mark.parametrize(
    ("ours", "theirs"), [("rouge_1", "rouge1"), ("rouge_2", "rouge2"), ("rouge_l", "rougeL")]
)
def test_rouge_is_that_of_rouge_score(reports: Reports, ours: str, theirs: str) -> None:
    answers, references = reports
    scorer = RougeScorer([theirs])
    expected = [
        scorer.score_multi(each, answer)[theirs].fmeasure
        for answer, each in zip(answers, references, strict=True)
    ]
    found = text_measures(answers, references, measures=[ours], normaliser="rouge")[ours]
    np.testing.assert_allclose(found.value(found.sums), expected, rtol=0, atol=1e-12)


def test_coco_weighs_recall_more() -> None:
    # 2 of 2 words of the answer, 2 of 4 of the reference: beta 1.2 gives
    # 2.44 * 1 * 0.5 / (0.5 + 1.44 * 1) against 2 * 1 * 0.5 / 1.5
    answers, references = [["a", "b"]], [[["a", "x", "b", "y"]]]
    assert rouge_l_coco(answers, references)[0] == pytest.approx(1.22 / 1.94)
    assert rouge_l(answers, references)[0] == pytest.approx(2 / 3)


def test_coco_takes_precision_and_recall_each_from_its_best_reference() -> None:
    # first reference: precision 1/2, recall 1; second: precision 1, recall 1/2
    value = rouge_l_coco([["a", "b"]], [[["a"], ["a", "b", "c", "d"]]])[0]
    assert value == 1.0


def test_without_an_answer_there_is_no_value_and_an_empty_one_has_0() -> None:
    found = rouge_l([None, [], ["a"]], [[["a"]], [["a"]], [[]]])
    np.testing.assert_array_equal(found, [np.nan, 0, 0])
