import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from medrag.errors import EvaluationError
from medrag.evaluation.hierarchy import (
    AnswerTree,
    enforce,
    from_the_top,
    score_vectors,
    vector_statistics,
)
from medrag.evaluation.statistics import estimate

NAN = float("nan")
# Listed bottom up, so that no order of the columns is taken for granted.
TREE = AnswerTree(
    columns=("left", "opacity", "lung"), parents={"left": "opacity", "opacity": "lung"}
)
REFERENCE = [[1, 1, 1], [0, 1, 1], [0, 0, 0], [0, 0, 1]]
PREDICTED = [
    [1, 1, 1],  # right
    [1, 1, 0],  # the lung is denied, so that all is: a miss of opacity and lung
    [1, 1, 0],  # wrong as it stands, right once the lung decides
    [0, 0, 1],  # right
]  # fmt: skip


def test_what_a_parent_denies_its_children_and_theirs_are_denied() -> None:
    np.testing.assert_array_equal(
        enforce(PREDICTED, TREE), [[1, 1, 1], [0, 0, 0], [0, 0, 0], [0, 0, 1]]
    )


def test_reports_are_scored_as_by_hand() -> None:
    found = score_vectors(PREDICTED, REFERENCE, TREE)
    raw, consistent = found.raw, found.consistent
    assert (raw.report_accuracy.value, consistent.report_accuracy.value) == (2 / 4, 3 / 4)
    # raw hits, predicted, positive: left 1, 3, 1; opacity 2, 3, 2; lung 2, 2, 3
    assert raw.precision.value == pytest.approx((1 / 3 + 2 / 3 + 2 / 2) / 3)
    assert raw.recall.value == pytest.approx((1 / 1 + 2 / 2 + 2 / 3) / 3)
    assert raw.f1.value == pytest.approx((2 / 4 + 4 / 5 + 4 / 5) / 3)
    # consistent: left 1, 1, 1; opacity 1, 1, 2; lung 2, 2, 3
    assert consistent.precision.value == 1
    assert consistent.recall.value == pytest.approx((1 / 1 + 1 / 2 + 2 / 3) / 3)
    assert consistent.f1.value == pytest.approx((2 / 2 + 2 / 3 + 4 / 5) / 3)
    assert found.n_changed == 4


def test_the_scores_are_those_of_statistics_over_the_reports() -> None:
    scores, made = (
        score_vectors(PREDICTED, REFERENCE, TREE),
        vector_statistics(PREDICTED, REFERENCE, TREE),
    )
    for name in ("report_accuracy", "precision", "recall", "f1", "unanswered"):
        assert estimate(made[name], [None] * 4) == getattr(scores.consistent, name)
        assert estimate(made[f"raw_{name}"], [None] * 4) == getattr(scores.raw, name)


def test_a_column_that_no_reference_affirms_is_in_no_mean() -> None:
    tree = AnswerTree(("a", "b"), {})
    found = score_vectors([[1, 1], [1, 0]], [[1, 0], [1, 0]], tree).raw
    assert (found.precision.value, found.recall.value, found.f1.value) == (1, 1, 1)
    assert found.report_accuracy.value == 0.5


def test_a_column_that_is_never_predicted_has_a_precision_of_0() -> None:
    found = score_vectors([[1, 0]], [[1, 1]], AnswerTree(("a", "b"), {})).raw
    assert (found.precision.value, found.recall.value, found.f1.value) == (0.5, 0.5, 0.5)


def test_reports_without_findings_have_no_recall() -> None:
    found = score_vectors([[0]], [[0]], AnswerTree(("a",), {})).raw
    assert found.report_accuracy.value == 1
    assert math.isnan(found.recall.value)


def test_a_denied_question_is_answered_no_where_the_vector_has_a_column_for_it() -> None:
    tree = AnswerTree(
        ("lung", "lung no", "opacity", "opacity no"),
        parents={"opacity": "lung"},
        denials={"lung no": "lung", "opacity no": "opacity"},
    )
    np.testing.assert_array_equal(enforce([[0, 1, 1, 0]], tree), [[0, 1, 0, 1]])
    np.testing.assert_array_equal(enforce([[1, 0, 1, 0]], tree), [[1, 0, 1, 0]])


def test_questions_that_need_not_be_asked_are_answered_by_their_parent() -> None:
    found = score_vectors([[NAN, NAN, 0]], [[0, 0, 0]], TREE)
    assert found.raw.unanswered.value == pytest.approx(2 / 3)
    assert found.raw.report_accuracy.value == 0
    assert found.consistent.unanswered.value == 0
    assert found.consistent.report_accuracy.value == 1
    assert found.n_changed == 2


def test_a_parent_without_an_answer_decides_nothing() -> None:
    np.testing.assert_array_equal(enforce([[1, 1, NAN]], TREE), [[1, 1, NAN]])


@given(arrays(np.float64, (5, 3), elements=st.sampled_from([0.0, 1.0, NAN])))
def test_deciding_twice_changes_nothing_more_and_affirms_nothing(predicted: np.ndarray) -> None:
    once = enforce(predicted, TREE)
    np.testing.assert_array_equal(enforce(once, TREE), once)
    assert not ((once == 1) & (predicted != 1)).any()
    assert not ((once[:, 2] == 0) & (once[:, 0] != 0)).any()


def test_parents_come_before_their_children() -> None:
    assert from_the_top(TREE) == ("opacity", "left")


def test_patients_with_several_reports_widen_the_interval() -> None:
    generator = np.random.default_rng(1)
    right = np.repeat(generator.random(50) < 0.5, 4).astype(float)
    tree = AnswerTree(("a",), {})
    alone = score_vectors(right[:, None], np.ones((200, 1)), tree).raw.report_accuracy
    patients = [str(row // 4) for row in range(200)]
    by_patient = score_vectors(
        right[:, None], np.ones((200, 1)), tree, clusters=patients
    ).raw.report_accuracy
    # Four equal reports count as one: twice as wide.
    assert by_patient.high - by_patient.low == pytest.approx(2 * (alone.high - alone.low), rel=0.15)


def test_a_reference_that_affirms_below_a_denial_is_refused() -> None:
    with pytest.raises(EvaluationError, match=r"report 1 \(from 0\) affirms 'left'"):
        score_vectors([[0, 0, 0]] * 2, [[1, 1, 1], [1, 0, 1]], TREE)


@pytest.mark.parametrize(
    ("tree", "problem"),
    [
        (AnswerTree(("a", "b"), {"a": "b", "b": "a"}), "circle"),
        (AnswerTree(("a",), {"a": "a"}), "circle"),
        (AnswerTree(("a",), {"a": "z"}), "'z', which is none of its 1 columns"),
        (AnswerTree(("a", "a"), {}), "a column twice"),
    ],
)
def test_what_is_no_tree_is_refused(tree: AnswerTree, problem: str) -> None:
    with pytest.raises(EvaluationError, match=problem):
        enforce(np.zeros((1, len(tree.columns))), tree)


def test_vectors_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match=r"\(n_reports, 3\), got \(1, 2\)"):
        enforce([[0, 1]], TREE)
    with pytest.raises(ValueError, match="0, 1 and nan"):
        enforce([[0, 2, 1]], TREE)
    with pytest.raises(ValueError, match="1 vectors are predicted, but the reference has 2"):
        score_vectors([[0, 0, 0]], [[0, 0, 0]] * 2, TREE)
    with pytest.raises(ValueError, match="every column"):
        score_vectors([[0, 0, 0]], [[NAN, 0, 0]], TREE)
