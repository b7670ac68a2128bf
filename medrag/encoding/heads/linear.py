"""A linear classifier of vectors, fitted on labelled ones."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

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
from medrag.encoding.rows import Rows
from medrag.errors import InputFileError, RecipeError
from medrag.extras import require

# Of a file that `LinearHead.save` wrote; raise it when its arrays change meaning.
_FORMAT = 1
ARRAYS = ("format", "names", "weights", "bias", "mean", "deviation", "encoder")


class LinearHead:
    """A linear classifier of vectors: multinomial logistic regression.

    Made by `fitted`, or read back by `load`.

    Args:
        names: of the classes.
        weights: (n_classes, d), for standardised vectors.
        bias: (n_classes,).
        mean: (d,), taken from a vector first.
        deviation: (d,), by which it is divided then.
        encoder: name of the encoder whose vectors it was fitted on.
    """

    def __init__(
        self, *, names: Sequence[str], weights: NDArray[np.float64], bias: NDArray[np.float64],
        mean: NDArray[np.float64], deviation: NDArray[np.float64], encoder: str,
    ) -> None:  # fmt: skip
        n, d = weights.shape
        shapes = (len(names), bias.shape, mean.shape, deviation.shape)
        if shapes != (n, (n,), (d,), (d,)):
            raise ValueError(f"weights of shape {(n, d)} do not fit the others: {shapes}")
        self.names = tuple(names)
        self.weights = weights
        self.bias = bias
        self.mean = mean
        self.deviation = deviation
        self.encoder = encoder

    def logits(self, vectors: Rows) -> NDArray[np.float64]:
        """Give (n, n_classes) scores whose softmax are the probabilities."""
        standard = (vectors.astype(np.float64) - self.mean) / self.deviation
        scores: NDArray[np.float64] = standard @ self.weights.T + self.bias
        return scores

    def probabilities(self, vectors: Rows) -> NDArray[np.float64]:
        """Give (n, n_classes), rows that sum to 1, for (n, d) vectors of the same encoder."""
        return softmax(self.logits(vectors))

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Give what a file holds, by name."""
        return {
            "format": np.array(_FORMAT),
            "names": np.array(self.names),
            "weights": self.weights,
            "bias": self.bias,
            "mean": self.mean,
            "deviation": self.deviation,
            "encoder": np.array(self.encoder),
        }

    def save(self, path: Path) -> None:
        """Write an .npz file of plain arrays.

        Raises:
            InputFileError: if the disk refuses.
        """
        write_arrays(path, self.arrays())

    @classmethod
    def load(cls, path: Path, *, encoder: str) -> "LinearHead":
        """Read what `save` wrote; no code in the file is run.

        Args:
            encoder: name of the encoder whose vectors it is to read.

        Raises:
            InputFileError: if the file is none of these.
            RecipeError: if it was fitted on vectors of another encoder.
        """
        return cls.of(read_arrays(path, ARRAYS), path, encoder=encoder)

    @classmethod
    def of(cls, stored: Mapping[str, NDArray[Any]], path: Path, *, encoder: str) -> "LinearHead":
        """Make a head of the arrays of a file; see `load`."""
        read_format(path, stored, _FORMAT)
        fitted_on = str(stored["encoder"])
        if fitted_on != encoder:
            raise RecipeError(
                f"{path} was fitted on vectors of {fitted_on!r}, not of {encoder!r}; fit it again"
            )
        numbers = read_numbers(path, stored, ("weights", "bias", "mean", "deviation"))
        names = read_texts(path, stored, "names")
        if numbers["weights"].ndim != 2 or not (numbers["deviation"] > 0).all():
            raise InputFileError(path, "its arrays have the wrong shapes or signs; fit it again")
        try:
            return cls(names=names, encoder=encoder, **numbers)
        except ValueError as error:
            raise InputFileError(path, f"{error}; fit it again") from error


def fitted(
    vectors: Rows,
    labels: Sequence[str],
    *,
    encoder: str,
    l2: float = 1.0,
    balanced: bool = False,
    standardise: bool = True,
) -> LinearHead:
    """Fit a linear head on labelled vectors. Deterministic: it starts from zero.

    Minimises the cross-entropy, summed over the examples, plus l2 / 2 times the squared weights
    (not the bias), by L-BFGS.

    Args:
        vectors: (n, d).
        labels: (n,), of at least two classes.
        encoder: name of the encoder that gave the vectors.
        l2: positive; the larger, the smoother.
        balanced: let every class weigh the same, however few its examples.
        standardise: scale every number of a vector to mean 0 and deviation 1 first.

    Raises:
        ValueError: if there are fewer than two classes, or lengths differ.
    """
    if vectors.ndim != 2 or len(vectors) != len(labels):
        raise ValueError(f"{len(labels)} labels do not fit vectors of shape {vectors.shape}")
    if not l2 > 0:
        raise ValueError(f"l2 must be positive, got {l2}")
    names, targets = _targets(labels)
    wide = vectors.astype(np.float64)
    mean = wide.mean(axis=0) if standardise else np.zeros(wide.shape[1])
    deviation = wide.std(axis=0) if standardise else np.ones(wide.shape[1])
    deviation = np.where(deviation > 0, deviation, 1.0)  # A number that never moves says nothing.
    importance = _importance(targets) if balanced else np.ones(len(targets))
    weights, bias = _minimised((wide - mean) / deviation, targets, importance, l2)
    return LinearHead(
        names=names, weights=weights, bias=bias, mean=mean, deviation=deviation, encoder=encoder
    )


def _targets(labels: Sequence[str]) -> tuple[list[str], NDArray[np.float64]]:
    """Give the classes in order, and (n, n_classes) with a 1 at the class of each example."""
    names = sorted(set(labels))
    if len(names) < 2:
        raise ValueError(f"expected at least two classes, got {names}")
    places = {name: place for place, name in enumerate(names)}
    return names, np.eye(len(names))[[places[label] for label in labels]]


def _minimised(
    rows: NDArray[np.float64],
    targets: NDArray[np.float64],
    importance: NDArray[np.float64],
    l2: float,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    n_classes, d = targets.shape[1], rows.shape[1]

    def loss(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        both = flat.reshape(n_classes, d + 1)
        weights, bias = both[:, :d], both[:, d]
        logits = rows @ weights.T + bias
        high = logits.max(axis=1, keepdims=True)
        logs = logits - high - np.log(np.exp(logits - high).sum(axis=1, keepdims=True))
        value = -(importance * (targets * logs).sum(axis=1)).sum() + l2 / 2 * (weights**2).sum()
        off = (np.exp(logs) - targets) * importance[:, None]
        slope = np.concatenate([off.T @ rows + l2 * weights, off.sum(axis=0)[:, None]], axis=1)
        return float(value), slope.ravel()

    minimise: Any = require("scipy.optimize").minimize
    start = np.zeros(n_classes * (d + 1))
    found = minimise(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 1000})
    both = np.asarray(found.x, dtype=np.float64).reshape(n_classes, d + 1)
    return both[:, :d].copy(), both[:, d].copy()


def _importance(targets: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weigh examples so that every class has the same sum, and all together their number."""
    counts = targets.sum(axis=0)
    weights: NDArray[np.float64] = targets @ (len(targets) / (len(counts) * counts))
    return weights
