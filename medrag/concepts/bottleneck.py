"""From concepts to classes by one linear layer, held to what is known of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from medrag.encoding.heads.files import (
    read_arrays,
    read_format,
    read_numbers,
    read_texts,
    write_arrays,
)
from medrag.encoding.heads.logits import softmax
from medrag.errors import InputFileError

Array = NDArray[np.float64]
_FORMAT = 1
_ARRAYS = ("format", "classes", "questions", "weights", "bias")
_BETA1, _BETA2, _TINY = 0.9, 0.999, 1e-8


@dataclass(frozen=True, slots=True)
class Bottleneck:
    """A linear layer from the probabilities of concepts to classes.

    Attributes:
        weights: (n_classes, n_concepts).
        bias: (n_classes,).
    """

    classes: tuple[str, ...]
    questions: tuple[str, ...]
    weights: Array
    bias: Array

    def probabilities(self, concepts: Array) -> Array:
        """Give (n, n_classes), rows that sum to 1, for (n, n_concepts) in [0, 1]."""
        return softmax(concepts @ self.weights.T + self.bias)

    def contributions(self, concepts: Array, name: str) -> Array:
        """Give what each concept adds to the logit of a class: (n, n_concepts)."""
        shares: Array = concepts * self.weights[self.classes.index(name)]
        return shares

    def save(self, path: Path) -> None:
        """Write an .npz file of plain arrays; it is whole or untouched.

        Raises:
            InputFileError: if the disk refuses.
        """
        write_arrays(path, {
            "format": np.array(_FORMAT), "classes": np.array(self.classes),
            "questions": np.array(self.questions), "weights": self.weights, "bias": self.bias,
        })  # fmt: skip

    @classmethod
    def load(cls, path: Path) -> "Bottleneck":
        """Read what `save` wrote; no code in the file is run.

        Raises:
            InputFileError: if the file is none of these.
        """
        stored = read_arrays(path, _ARRAYS, what="bottleneck of concepts")
        read_format(path, stored, _FORMAT)
        classes = read_texts(path, stored, "classes")
        questions = read_texts(path, stored, "questions")
        numbers = read_numbers(path, stored, ("weights", "bias"))
        weights, bias = numbers["weights"], numbers["bias"]
        if weights.shape != (len(classes), len(questions)) or bias.shape != (len(classes),):
            raise InputFileError(path, "its arrays do not fit each other; fit it again")
        return cls(classes, questions, weights, bias)


@dataclass(frozen=True, slots=True)
class Examples:
    """Pictures by the probabilities of their concepts, and the class of each.

    Attributes:
        concepts: (n, n_concepts) in [0, 1].
        labels: (n,), places in the list of classes.
    """

    concepts: Array
    labels: NDArray[np.int64]


def fit_bottleneck(
    train: Examples,
    validation: Examples,
    *,
    classes: Sequence[str],
    questions: Sequence[str],
    prior: Array | None = None,
    weight: float = 1.0,
    rate: float = 1e-3,
    epochs: int = 200,
    batch: int = 64,
    seed: int = 42,
) -> Bottleneck:
    """Fit a bottleneck by Adam, and keep the epoch that is best on the validation examples.

    The loss is the cross-entropy plus `weight` times the mean of |tanh(W) - prior|.

    Args:
        prior: (n_classes, n_concepts) of 1, -1 and 0; None leaves its term out.
        rate: of learning.
        seed: of the order of examples, and of where the weights start.

    Raises:
        ValueError: if shapes do not fit, or there is no example.

    Source:
        KnoBo, arXiv 2405.14839 (parameter prior), with the settings of its code: weight 1, rate
        1e-3, 200 epochs, batches of 64, seed 42.
    """
    shape = (len(classes), len(questions))
    _check_fit(train, validation, shape, prior)
    draw = np.random.default_rng(seed)
    bound = 1.0 / np.sqrt(max(shape[1], 1))
    layer = draw.uniform(-bound, bound, (shape[0], shape[1] + 1))
    first, second = np.zeros_like(layer), np.zeros_like(layer)
    best, best_right, step = layer.copy(), -1.0, 0
    for _ in range(epochs):
        order = draw.permutation(len(train.labels))
        for start in range(0, len(order), batch):
            rows = order[start : start + batch]
            part = Examples(train.concepts[rows], train.labels[rows])
            slope = gradient(layer, part, prior, weight)
            step += 1
            first = _BETA1 * first + (1 - _BETA1) * slope
            second = _BETA2 * second + (1 - _BETA2) * slope**2
            steady = first / (1 - _BETA1**step)
            layer = layer - rate * steady / (np.sqrt(second / (1 - _BETA2**step)) + _TINY)
        right = _accuracy(layer, validation)
        if right > best_right:
            best, best_right = layer.copy(), right
    return Bottleneck(tuple(classes), tuple(questions), best[:, :-1], best[:, -1])


def loss(layer: Array, examples: Examples, prior: Array | None, weight: float) -> float:
    """Give cross-entropy and prior term for a layer (n_classes, n_concepts + 1), bias last."""
    shares = softmax(_logits(layer, examples))
    rows = np.arange(len(examples.labels))
    entropy = -np.log(np.maximum(shares[rows, examples.labels], 1e-300)).mean()
    if prior is None:
        return float(entropy)
    return float(entropy + weight * np.abs(np.tanh(layer[:, :-1]) - prior).mean())


def gradient(layer: Array, examples: Examples, prior: Array | None, weight: float) -> Array:
    """Give the slope of `loss` by every number of the layer."""
    off = softmax(_logits(layer, examples))
    off[np.arange(len(examples.labels)), examples.labels] -= 1
    off /= len(examples.labels)
    slope = np.concatenate([off.T @ examples.concepts, off.sum(axis=0)[:, None]], axis=1)
    if prior is not None:
        bent = np.tanh(layer[:, :-1])
        slope[:, :-1] += weight * np.sign(bent - prior) * (1 - bent**2) / prior.size
    return slope


def _logits(layer: Array, examples: Examples) -> Array:
    logits: Array = examples.concepts @ layer[:, :-1].T + layer[:, -1]
    return logits


def _accuracy(layer: Array, examples: Examples) -> float:
    return float((_logits(layer, examples).argmax(axis=1) == examples.labels).mean())


def _check_fit(
    train: Examples, validation: Examples, shape: tuple[int, int], prior: Array | None
) -> None:
    for name, each in (("train", train), ("validation", validation)):
        if each.concepts.shape != (len(each.labels), shape[1]) or not len(each.labels):
            raise ValueError(
                f"{name}: concepts of shape {each.concepts.shape} do not fit {len(each.labels)} "
                f"labels and {shape[1]} questions"
            )
        if each.labels.min() < 0 or each.labels.max() >= shape[0]:
            raise ValueError(f"{name}: labels must be places among {shape[0]} classes")
    if prior is not None and prior.shape != shape:
        raise ValueError(f"a prior of shape {prior.shape} does not fit {shape}")
