"""Where to set the threshold of the switch."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medrag.records import Answer, Question
from medrag.retrieval.asking.switching import chosen_threshold, switch_curve, uncertainties

ROW = st.tuples(st.floats(0, 1) | st.just(float("nan")), st.booleans(), st.booleans())


def test_each_threshold_is_scored_by_what_would_have_been_answered() -> None:
    # sure and right alone; unsure, wrong alone, right with evidence; sure, right, misled
    curve = switch_curve([0.1, 0.9, 0.4], [True, False, True], [True, True, False])
    np.testing.assert_allclose(curve.thresholds, [0, 0.1, 0.4, 0.9, np.inf])
    np.testing.assert_allclose(curve.searched, [1, 1, 2 / 3, 1 / 3, 0])
    np.testing.assert_allclose(curve.accuracy, [2 / 3, 2 / 3, 2 / 3, 1, 2 / 3])
    assert chosen_threshold(curve) == 0.9


def test_of_equal_thresholds_that_which_searches_least_is_chosen() -> None:
    curve = switch_curve([0.1, 0.9], [True, True], [True, True])
    assert chosen_threshold(curve) == np.inf


@given(st.lists(ROW, min_size=1, max_size=20))
def test_the_curve_is_that_of_a_slow_count(rows: list[tuple[float, bool, bool]]) -> None:
    unsure, without, found = zip(*rows, strict=True)
    curve = switch_curve(unsure, without, found)
    for threshold, searched, accuracy in zip(
        curve.thresholds, curve.searched, curve.accuracy, strict=True
    ):
        asked = [not each < threshold for each in unsure]
        right = [b if ask else a for ask, a, b in zip(asked, without, found, strict=True)]
        assert searched == pytest.approx(sum(asked) / len(rows))
        assert accuracy == pytest.approx(sum(right) / len(rows))
    best = curve.accuracy[list(curve.thresholds).index(chosen_threshold(curve))]
    assert best == pytest.approx(curve.accuracy.max())


def test_arrays_of_different_length_are_refused() -> None:
    with pytest.raises(ValueError, match="must be of one length"):
        switch_curve([0.1], [True, False], [True, False])
    with pytest.raises(ValueError, match="at least 1"):
        switch_curve([], [], [])


def test_uncertainties_are_read_from_the_traces_of_answers() -> None:
    told = Answer(Question("a"), "b", trace=({"step": "when_unsure", "uncertainty": 0.25},))
    silent = Answer(Question("a"), "b", trace=({"step": "when_unsure", "uncertainty": None},))
    np.testing.assert_array_equal(uncertainties([told, silent]), [0.25, np.nan])
