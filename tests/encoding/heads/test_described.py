"""Classes described by texts."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from medrag.encoding.heads import ClassPrototypes, described

Rows = NDArray[np.float32]


def axes(*angles: float) -> Rows:
    """Unit vectors of a plane, by degrees."""
    radians = np.deg2rad(angles)
    return np.stack([np.cos(radians), np.sin(radians)], axis=1).astype(np.float32)


def test_a_softmax_of_scaled_cosines_is_worked_by_hand() -> None:
    head = ClassPrototypes(names=["x", "y"], vectors=axes(0, 90) * 5, scale=2.0)
    # The cosines of 60 degrees are 1/2 and sqrt(3)/2; the length of a vector does not count.
    found = head.probabilities(3 * axes(60))
    powers = np.exp([1.0, np.sqrt(3)])
    np.testing.assert_allclose(found, [powers / powers.sum()], rtol=1e-6)


def test_with_a_bias_each_class_is_judged_by_itself() -> None:
    head = ClassPrototypes(names=["x", "y"], vectors=axes(0, 90), scale=10.0, bias=-10.0)
    found = head.probabilities(axes(0))
    # Logits 10 - 10 and 0 - 10.
    np.testing.assert_allclose(found, [[0.5, 1 / (1 + np.exp(10.0))]], rtol=1e-6)


def test_a_class_is_the_mean_of_its_descriptions_in_every_template() -> None:
    asked: list[str] = []
    places = {"a p": 0, "b p": 20, "a q": 40, "b q": 60, "a r": 180, "b r": 200}

    def encode(texts: Sequence[str]) -> Rows:
        asked.extend(texts)
        return axes(*(places[text] for text in texts)) * 7

    head = described({"P": ["p", "q"], "R": ["r"]}, encode, templates=["a {}", "b {}"])
    assert asked == ["a p", "b p", "a q", "b q", "a r", "b r"]
    # Vectors at 0, 20, 40 and 60 degrees have their mean at 30.
    np.testing.assert_allclose(head.vectors, axes(30, 190), atol=1e-6)
    assert head.names == ("P", "R")


@given(st.floats(0.01, 1e4), st.integers(0, 1000))
def test_probabilities_sum_to_one_whatever_the_scale(scale: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    head = ClassPrototypes(
        names=["a", "b", "c"], vectors=rng.normal(size=(3, 4)).astype(np.float32), scale=scale
    )
    found = head.probabilities(rng.normal(size=(5, 4)).astype(np.float32))
    np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-12)
    assert (found >= 0).all()


@pytest.mark.parametrize(
    ("names", "rows", "scale", "problem"),
    [
        (["a", "a"], axes(0, 1), 1.0, "different"),
        ([], axes(), 1.0, "at least one"),
        (["a"], axes(0, 1), 1.0, "each of 1 classes"),
        (["a"], axes(0), 0.0, "positive"),
        (["a"], axes(0), float("nan"), "positive"),
    ],
)
def test_prototypes_that_cannot_be_are_refused(
    names: list[str], rows: Rows, scale: float, problem: str
) -> None:
    with pytest.raises(ValueError, match=problem):
        ClassPrototypes(names=names, vectors=rows, scale=scale)


@pytest.mark.parametrize(
    ("descriptions", "templates"),
    [({"a": []}, ["{}"]), ({}, ["{}"]), ({"a": "text"}, ["{}"]), ({"a": ["b"]}, ["none"]),
     ({"a": ["b"]}, [])],
)  # fmt: skip
def test_descriptions_that_say_nothing_are_refused(
    descriptions: dict[str, list[str]], templates: list[str]
) -> None:
    with pytest.raises(ValueError, match=r"expected a list|must hold"):
        described(descriptions, lambda texts: axes(*range(len(texts))), templates=templates)
