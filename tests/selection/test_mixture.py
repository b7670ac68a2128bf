import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medrag.selection.mixture import MixtureSelector, two_groups
from tests.selection.ranked import names, ranked, selected

SCORES = st.lists(st.integers(-1000, 1000).map(lambda each: each / 10), max_size=25)


def test_the_upper_of_two_groups_is_kept() -> None:
    found = selected(MixtureSelector(), ranked([0.92, 0.9, 0.88, 0.31, 0.3, 0.29, 0.28]))
    assert names(found.kept) == ["p0", "p1", "p2"]
    assert found.fired
    assert found.reason == "3 fused scores are of the group around 0.9, not 0.295"


def test_scores_without_a_gap_are_one_group_and_all_kept() -> None:
    found = selected(MixtureSelector(), ranked([0.9, 0.88, 0.86, 0.84, 0.82, 0.8, 0.78]))
    assert len(found.kept) == 7
    assert not found.fired
    assert "no two groups" in found.reason


@pytest.mark.parametrize("scores", [[0.9, 0.1], [0.9, 0.2, 0.1], [0.5] * 8, []])
def test_few_or_equal_scores_are_kept_and_the_reason_says_why(scores: list[float]) -> None:
    found = selected(MixtureSelector(), ranked(scores))
    assert len(found.kept) == len(scores)
    assert not found.fired
    assert "too few or too equal" in found.reason


def test_two_values_alone_do_not_make_the_variance_vanish() -> None:
    fitted = two_groups([1.0, 1.0, 1.0, 0.0, 0.0, 0.0])
    assert fitted.gain is not None
    assert fitted.gain > 0
    np.testing.assert_allclose(fitted.upper, [1, 1, 1, 0, 0, 0], atol=1e-9)
    np.testing.assert_allclose(fitted.means, [0, 1], atol=1e-9)


def test_the_groups_of_drawn_scores_are_found() -> None:
    draw = np.random.default_rng(0)
    scores = np.concatenate([draw.normal(3, 0.5, 40), draw.normal(0, 0.5, 60)])
    fitted = two_groups(scores)
    # Standard errors 0.5 / sqrt(40) = 0.08 and 0.5 / sqrt(60) = 0.06.
    np.testing.assert_allclose(fitted.means, [0, 3], atol=0.25)
    assert int((fitted.upper > 0.5).sum()) == 40


@given(SCORES)
def test_the_probability_rises_with_the_score(scores: list[float]) -> None:
    ordered = sorted(scores)
    upper = two_groups(ordered).upper
    assert (np.diff(upper) >= -1e-9).all()


@given(SCORES, st.integers(1, 50), st.integers(-20, 20))
def test_neither_unit_nor_zero_of_the_scores_matters(
    scores: list[float], unit: int, zero: int
) -> None:
    ordered = sorted(scores, reverse=True)
    plain = selected(MixtureSelector(k_max=25), ranked(ordered))
    moved = selected(MixtureSelector(k_max=25), ranked([unit * each + zero for each in ordered]))
    assert names(moved.kept) == names(plain.kept)


@given(SCORES, st.integers(1, 4), st.integers(0, 9))
def test_a_mixture_keeps_within_its_bounds(scores: list[float], k_min: int, more: int) -> None:
    ordered = sorted(scores, reverse=True)
    found = selected(MixtureSelector(k_min=k_min, k_max=k_min + more), ranked(ordered))
    assert min(k_min, len(scores)) <= len(found.kept) <= k_min + more
    assert names(found.kept) == [f"p{place}" for place in range(len(found.kept))]
