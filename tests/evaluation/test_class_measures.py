import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics

from medrag.evaluation.class_measures import (
    UNPARSED,
    auroc,
    binary_confusion,
    class_measures,
    confusion,
)
from medrag.evaluation.statistics import Statistic, estimate

LABELS = st.lists(
    st.tuples(st.sampled_from(["a", "b", "c", UNPARSED]), st.sampled_from("abc")), min_size=1
)
SCORES = st.lists(
    st.tuples(st.sampled_from([0.1, 0.2, 0.5, 0.9]), st.booleans()), min_size=2, max_size=30
).filter(lambda pairs: len({right for _, right in pairs}) == 2)


def value(statistic: Statistic) -> float:
    rows = ~np.isnan(statistic.sums).any(axis=1)
    return float(statistic.value(statistic.sums[rows].sum(axis=0)))


@given(LABELS)
def test_measures_are_those_of_scikit_learn(pairs: list[tuple[str, str]]) -> None:
    predicted, reference = [p for p, _ in pairs], [r for _, r in pairs]
    classes = sorted(set(reference))
    found = class_measures(predicted, reference)
    theirs = metrics.precision_recall_fscore_support(
        reference, predicted, labels=classes, zero_division=0
    )
    assert value(found["accuracy"]) == metrics.accuracy_score(reference, predicted)
    assert value(found["balanced_accuracy"]) == pytest.approx(theirs[1].mean())
    assert value(found["macro_f1"]) == pytest.approx(theirs[2].mean())
    for place, name in enumerate(classes):
        precision = value(found[f"precision: {name}"])
        assert np.nan_to_num(precision) == pytest.approx(theirs[0][place])
        assert value(found[f"recall: {name}"]) == pytest.approx(theirs[1][place])
        assert value(found[f"f1: {name}"]) == pytest.approx(theirs[2][place])


def test_an_unread_answer_is_wrong_but_no_class_of_the_average() -> None:
    # yes: right 1 of 2, never wrongly named, F1 2/3; no: right 1 of 1, F1 1
    found = class_measures(["yes", UNPARSED, "no"], ["yes", "yes", "no"])
    assert value(found["accuracy"]) == pytest.approx(2 / 3)
    assert value(found["balanced_accuracy"]) == pytest.approx(3 / 4)
    assert value(found["macro_f1"]) == pytest.approx((2 / 3 + 1) / 2)
    assert not any(UNPARSED in name for name in found)


def test_a_constant_answer_has_half_balanced_accuracy() -> None:
    found = class_measures(["yes"] * 10, ["yes"] * 9 + ["no"])
    assert value(found["accuracy"]) == pytest.approx(0.9)
    assert value(found["balanced_accuracy"]) == pytest.approx(0.5)


def test_an_item_without_a_reference_does_not_count() -> None:
    found = class_measures(["yes", "no"], ["yes", None])
    assert value(found["accuracy"]) == 1
    assert estimate(found["accuracy"], [None, None], n_resamples=10).n == 1


def test_no_items_have_no_measure() -> None:
    found = class_measures([], [])
    assert np.isnan(estimate(found["macro_f1"], [], n_resamples=10).value)


def test_the_name_of_unread_answers_is_no_reference() -> None:
    with pytest.raises(ValueError, match="kept for answers"):
        class_measures(["yes"], [UNPARSED])


def test_predictions_and_references_must_be_of_the_same_items() -> None:
    with pytest.raises(ValueError, match="got 1 and 2"):
        class_measures(["yes"], ["yes", "no"])


def test_the_confusion_has_unread_answers_in_its_last_column() -> None:
    found = confusion([UNPARSED, "zebra", "a", "a"], ["a", "a", "a", "b"])
    assert found.references == ("a", "b")
    assert found.predictions == ("a", "zebra", UNPARSED)
    np.testing.assert_array_equal(found.counts, [[1, 1, 1], [1, 0, 0]])


def test_yes_and_no_are_counted_apart_from_unread_answers() -> None:
    predicted = ["yes", "no", UNPARSED, "yes", "no", "maybe"]
    found = binary_confusion(predicted, ["yes", "yes", "yes", "no", "no", "no"])
    assert found == (1, 1, 1, 1, 1, 1)


def test_another_reference_than_yes_or_no_is_named() -> None:
    with pytest.raises(ValueError, match="'left' is neither"):
        binary_confusion(["yes"], ["left"])


@given(pairs=SCORES, seed=st.integers(0, 100))
def test_auroc_is_that_of_scikit_learn_also_where_items_repeat(
    pairs: list[tuple[float, bool]], seed: int
) -> None:
    scores, positive = np.array([s for s, _ in pairs]), np.array([p for _, p in pairs])
    weights = np.random.default_rng(seed).integers(0, 3, size=len(pairs))
    weights[[positive.argmax(), positive.argmin()]] += 1
    statistic = auroc(scores, positive)
    once, again = statistic.value(np.stack([np.ones(len(pairs)), weights]).astype(float))
    assert once == pytest.approx(metrics.roc_auc_score(positive, scores))
    expected = metrics.roc_auc_score(np.repeat(positive, weights), np.repeat(scores, weights))
    assert again == pytest.approx(expected)


def test_ties_count_half() -> None:
    # positive 0.5 against negatives 0.5 (half) and 0.1 (won)
    assert auroc([0.5, 0.5, 0.1], [1, 0, 0]).value(np.ones((1, 3)))[0] == pytest.approx(0.75)


def test_without_both_classes_there_is_no_auroc() -> None:
    assert np.isnan(auroc([0.5, 0.1], [1, 1]).value(np.ones((1, 2)))[0])
    assert np.isnan(auroc([], []).value(np.ones((1, 0)))[0])


def test_an_item_without_confidence_does_not_count_for_auroc() -> None:
    statistic = auroc([0.9, np.nan, 0.1], [1, 1, 0])
    assert statistic.counted is not None
    assert statistic.counted.tolist() == [True, False, True]
    assert statistic.value(np.ones((1, 3)))[0] == 1


def test_a_label_that_is_neither_0_nor_1_is_refused() -> None:
    with pytest.raises(ValueError, match="0, 1 or nan"):
        auroc([0.5], [0.5])
