"""Scores of classes to probabilities."""

import numpy as np
from numpy.typing import NDArray


def softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give rows that sum to 1, for (n, n_classes)."""
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    shares: NDArray[np.float64] = powers / powers.sum(axis=1, keepdims=True)
    return shares


def sigmoid(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give a probability of each class by itself."""
    # By the hyperbolic tangent, which does not overflow.
    halves: NDArray[np.float64] = 0.5 * (1 + np.tanh(logits / 2))
    return halves
