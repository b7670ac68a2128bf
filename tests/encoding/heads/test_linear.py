"""Classes learned from vectors."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from medrag.encoding.heads import LinearHead, fitted
from medrag.errors import InputFileError, RecipeError

Rows = NDArray[np.float32]


def axes(*angles: float) -> Rows:
    """Unit vectors of a plane, by degrees."""
    radians = np.deg2rad(angles)
    return np.stack([np.cos(radians), np.sin(radians)], axis=1).astype(np.float32)


def clouds(n: int, seed: int, d: int = 6) -> tuple[Rows, list[str]]:
    """Three clouds of points around corners of a cube."""
    rng = np.random.default_rng(seed)
    names = ["effusion", "fracture", "normal"]
    labels = [names[place] for place in rng.integers(0, 3, n)]
    centres = {name: np.eye(3, d)[place] * 2 for place, name in enumerate(names)}
    rows = np.array([centres[label] + rng.normal(0, 0.5, d) for label in labels])
    return rows.astype(np.float32), labels


def test_a_fitted_head_tells_clouds_apart_that_it_has_not_seen() -> None:
    head = fitted(*clouds(150, seed=0), encoder="e")
    rows, labels = clouds(300, seed=1)
    found = [head.names[place] for place in head.probabilities(rows).argmax(axis=1)]
    # The centres are 2.8 apart at a deviation of 0.5: nearest-centre errors are below 1%.
    assert np.mean([a == b for a, b in zip(found, labels, strict=True)]) > 0.98


def test_a_fitted_head_is_at_the_minimum_of_its_loss() -> None:
    rows, labels = clouds(60, seed=3)
    head = fitted(rows, labels, encoder="e", l2=0.7, standardise=False)
    targets = np.array([[label == name for name in head.names] for label in labels], dtype=float)
    off = head.probabilities(rows) - targets
    # The gradient: errors times vectors, and l2 times the weights.
    np.testing.assert_allclose(off.T @ rows + 0.7 * head.weights, 0, atol=5e-3)
    np.testing.assert_allclose(off.sum(axis=0), 0, atol=5e-3)


def test_a_head_is_the_same_each_time_it_is_fitted() -> None:
    one, two = (fitted(*clouds(40, seed=5), encoder="e") for _ in range(2))
    np.testing.assert_array_equal(one.weights, two.weights)


def test_more_penalty_makes_smaller_weights() -> None:
    rows, labels = clouds(60, seed=3)
    loose, tight = (fitted(rows, labels, encoder="e", l2=l2) for l2 in (0.1, 100.0))
    assert (tight.weights**2).sum() < (loose.weights**2).sum() / 10


def test_a_rare_class_weighs_the_same_when_balanced() -> None:
    rng = np.random.default_rng(0)
    rows = np.concatenate([rng.normal(-0.5, 1, (190, 1)), rng.normal(0.5, 1, (10, 1))])
    labels = ["common"] * 190 + ["rare"] * 10
    plain, even = (fitted(rows, labels, encoder="e", balanced=b) for b in (False, True))
    middle = np.zeros((1, 1), dtype=np.float32)
    rare = plain.names.index("rare")
    assert plain.probabilities(middle)[0, rare] < 0.2
    assert 0.3 < even.probabilities(middle)[0, rare] < 0.7


def test_a_number_that_never_moves_does_no_harm() -> None:
    rows, labels = clouds(30, seed=2)
    rows[:, 5] = 4
    assert np.isfinite(fitted(rows, labels, encoder="e").probabilities(rows)).all()


def test_a_saved_head_says_the_same_and_refuses_another_encoder(tmp_path: Path) -> None:
    rows, labels = clouds(30, seed=2)
    head = fitted(rows, labels, encoder="clip-1")
    path = tmp_path / "head.npz"
    head.save(path)
    again = LinearHead.load(path, encoder="clip-1")
    np.testing.assert_array_equal(again.probabilities(rows), head.probabilities(rows))
    assert again.names == head.names
    with pytest.raises(RecipeError, match="'clip-1', not of 'clip-2'"):
        LinearHead.load(path, encoder="clip-2")


def test_a_file_that_is_no_head_is_refused_and_runs_nothing(tmp_path: Path) -> None:
    path = tmp_path / "head.npz"
    for content in ({"weights": np.ones((1, 1))}, {"names": np.array([object()])}):
        np.savez(path, **content)
        with pytest.raises(InputFileError, match="no head"):
            LinearHead.load(path, encoder="e")
    path.write_bytes(b"PK not an archive")
    with pytest.raises(InputFileError, match="no head"):
        LinearHead.load(path, encoder="e")


@pytest.mark.parametrize(
    ("labels", "options", "problem"),
    [(["a"] * 4, {}, "two classes"), (["a", "b"], {}, "labels do not fit"),
     (["a", "b"] * 2, {"l2": 0.0}, "positive")],
)  # fmt: skip
def test_examples_that_teach_nothing_are_refused(
    labels: list[str], options: dict[str, float], problem: str
) -> None:
    with pytest.raises(ValueError, match=problem):
        fitted(axes(0, 1, 2, 3), labels, encoder="e", **options)  # type: ignore[arg-type]
