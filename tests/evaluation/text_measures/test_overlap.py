import pytest
from hypothesis import given
from hypothesis import strategies as st

from medrag.evaluation.text_measures import (
    Overlap,
    best_overlap,
    exact_match,
    set_overlap,
    token_overlap,
)

TEXTS = st.lists(st.sampled_from("abc"), max_size=8)


def test_a_token_counts_as_often_as_both_hold_it() -> None:
    # shared: a, a, b of "a a a b" and "a a b c d"
    overlap = token_overlap(["a", "a", "a", "b"], ["a", "a", "b", "c", "d"])
    assert overlap == pytest.approx((3 / 4, 3 / 5, 2 * 3 / 9))


def test_in_sets_a_token_counts_once() -> None:
    # shared: a, b of {a, b} and {a, b, c, d}
    overlap = set_overlap(["a", "a", "a", "b"], ["a", "a", "b", "c", "d"])
    assert overlap == pytest.approx((1, 1 / 2, 2 / 3))


def test_two_empty_texts_agree_and_one_does_not() -> None:
    assert token_overlap([], []) == Overlap(1, 1, 1)
    assert token_overlap([], ["a"]) == Overlap(0, 0, 0)


@given(a=TEXTS, b=TEXTS)
def test_precision_one_way_is_recall_the_other_way(a: list[str], b: list[str]) -> None:
    there, back = token_overlap(a, b), token_overlap(b, a)
    assert (there.precision, there.recall) == (back.recall, back.precision)
    assert there.f1 == back.f1


@given(a=TEXTS.filter(bool), b=TEXTS.filter(bool))
def test_f1_is_the_harmonic_mean(a: list[str], b: list[str]) -> None:
    precision, recall, f1 = token_overlap(a, b)
    total = precision + recall
    assert f1 == pytest.approx(2 * precision * recall / total if total else 0)


def test_the_best_reference_counts() -> None:
    assert best_overlap(["a"], [["b"], ["a", "c"]]) == pytest.approx((1, 1 / 2, 2 / 3))


def test_without_a_reference_there_is_nothing_to_compare() -> None:
    with pytest.raises(ValueError, match="at least one reference"):
        best_overlap(["a"], [])


def test_exact_match_is_of_tokens_under_the_named_normaliser() -> None:
    assert exact_match("The left lung.", ["left lung"], normaliser="squad")
    assert not exact_match("The left lung.", ["left lung"])
    assert exact_match("Left, lung", ["x", "left lung"])
