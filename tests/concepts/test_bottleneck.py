from pathlib import Path

import numpy as np
import pytest

from medrag.concepts.bottleneck import Bottleneck, Examples, fit_bottleneck, gradient, loss
from medrag.errors import InputFileError

CLASSES, QUESTIONS = ["sick", "well"], ["Is there a shadow?", "Is there a marker?"]


def test_the_loss_of_one_example_is_what_a_hand_computes() -> None:
    # logits: sick 1 * 1 = 1, well 0; cross-entropy of sick = log(1 + e^-1) = 0.313262
    layer = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 0.0]])
    example = Examples(np.array([[1.0, 0.0]]), np.array([0]))
    assert loss(layer, example, None, 1.0) == pytest.approx(0.3132617, abs=1e-7)
    # |tanh(1) - 1| = 0.2384058; the other three |0 - p|: 0, 1, 0; their mean is 0.3096015
    prior = np.array([[1.0, 0.0], [-1.0, 0.0]])
    assert loss(layer, example, prior, 1.0) == pytest.approx(0.3132617 + 0.3096015, abs=1e-7)


def test_the_gradient_is_the_slope_of_the_loss() -> None:
    draw = np.random.default_rng(0)
    layer = draw.normal(size=(3, 5))
    examples = Examples(draw.random((7, 4)), draw.integers(0, 3, 7))
    prior = draw.integers(-1, 2, (3, 4)).astype(float)
    slope = gradient(layer, examples, prior, 0.7)
    step = 1e-6
    for place in np.ndindex(layer.shape):
        up, down = layer.copy(), layer.copy()
        up[place] += step
        down[place] -= step
        rise = loss(up, examples, prior, 0.7) - loss(down, examples, prior, 0.7)
        # central differences of double precision are exact to about 1e-9 here
        assert slope[place] == pytest.approx(rise / (2 * step), abs=1e-6)


def confounded(n: int, *, agree: float, seed: int) -> Examples:
    """Sick pictures have a shadow four times in five; a marker agrees as often as told."""
    draw = np.random.default_rng(seed)
    labels = draw.integers(0, 2, n)
    sick = labels == 0
    shadow = np.where(draw.random(n) < 0.8, sick, ~sick)
    marker = np.where(draw.random(n) < agree, sick, ~sick)
    return Examples(np.stack([shadow, marker], axis=1).astype(float), labels)


def test_a_prior_keeps_a_bottleneck_from_relying_on_a_confounder() -> None:
    train, aside = confounded(600, agree=0.98, seed=1), confounded(600, agree=0.5, seed=2)
    shifted = confounded(600, agree=0.02, seed=3)
    prior = np.array([[1.0, 0.0], [-1.0, 0.0]])
    right = {}
    for name, known in {"without": None, "with": prior}.items():
        made = fit_bottleneck(
            train, aside, classes=CLASSES, questions=QUESTIONS, prior=known, weight=20.0, rate=0.01
        )
        told = made.probabilities(shifted.concepts).argmax(axis=1)
        right[name] = (told == shifted.labels).mean()
    # By the marker alone 2% are right, by the shadow alone 80%. Pictures without the confounder
    # choose the epoch, or even the layer with a prior would be taken while it still relies on it.
    assert right["with"] > 0.7
    assert right["without"] < right["with"] - 0.3


def test_equal_seeds_give_equal_layers() -> None:
    train = confounded(50, agree=0.5, seed=0)
    made = [
        fit_bottleneck(train, train, classes=CLASSES, questions=QUESTIONS, epochs=3)
        for _ in range(2)
    ]
    np.testing.assert_array_equal(made[0].weights, made[1].weights)


def test_a_bottleneck_is_read_as_it_was_saved(tmp_path: Path) -> None:
    made = Bottleneck(("a", "b"), ("q?",), np.array([[1.0], [2.0]]), np.array([0.0, 1.0]))
    made.save(tmp_path / "b.npz")
    read = Bottleneck.load(tmp_path / "b.npz")
    assert (read.classes, read.questions) == (made.classes, made.questions)
    np.testing.assert_array_equal(read.weights, made.weights)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"not a file of arrays"])
def test_a_damaged_file_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "b.npz").write_bytes(content)
    with pytest.raises(InputFileError, match="no bottleneck"):
        Bottleneck.load(tmp_path / "b.npz")


@pytest.mark.parametrize(
    ("concepts", "labels", "prior"),
    [
        (np.zeros((2, 3)), np.array([0, 1]), None),
        (np.zeros((2, 2)), np.array([0, 2]), None),
        (np.zeros((0, 2)), np.zeros(0, dtype=np.int64), None),
        (np.zeros((2, 2)), np.array([0, 1]), np.zeros((2, 3))),
    ],
)
def test_shapes_that_do_not_fit_are_refused(
    concepts: np.ndarray, labels: np.ndarray, prior: np.ndarray | None
) -> None:
    examples = Examples(concepts, labels)
    with pytest.raises(ValueError, match=r"fit|places"):
        fit_bottleneck(examples, examples, classes=CLASSES, questions=QUESTIONS, prior=prior)


@pytest.mark.parametrize(
    ("name", "value"),
    [("format", np.array("one")), ("weights", np.full((2, 2), np.inf)),
     ("bias", np.zeros((2, 1))), ("classes", np.array(["sick", "sick"]))],
)  # fmt: skip
def test_a_damaged_bottleneck_is_named(tmp_path: Path, name: str, value: object) -> None:
    path = tmp_path / "b.npz"
    Bottleneck(tuple(CLASSES), tuple(QUESTIONS), np.ones((2, 2)), np.zeros(2)).save(path)
    with np.load(path) as stored:
        arrays = dict(stored)
    np.savez(path, **(arrays | {name: value}))
    with pytest.raises(InputFileError, match=r"b\.npz.*fit it again"):
        Bottleneck.load(path)
