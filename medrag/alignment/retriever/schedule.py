"""How fast a retriever learns at each step, and which pairs it learns from when."""

from collections.abc import Iterator
from math import ceil, cos, pi

import numpy as np
from numpy.typing import NDArray


def rate_at(step: int, n_steps: int, warmup: float) -> float:
    """Give the share of the highest learning rate at a step.

    It rises evenly over the first ceil(warmup * n_steps) steps, the last of which is at 1, and
    falls along a half cosine to 0 after the last step. The warm-up is a share of the steps that are
    really taken: a fixed number may be more than there are.

    Args:
        step: from 0.

    Raises:
        ValueError: if the step is none of them.
    """
    if not 0 <= step < n_steps:
        raise ValueError(f"step must be one of {n_steps} from 0, got {step}")
    rising = ceil(warmup * n_steps)
    if step < rising:
        return (step + 1) / rising
    return 0.5 * (1 + cos(pi * (step - rising) / (n_steps - rising)))


def batches(
    rows: NDArray[np.int64], size: int, rng: np.random.Generator
) -> Iterator[NDArray[np.int64]]:
    """Give all rows once in a random order, in batches of equal size or one less.

    A single row at the end would have nothing to be told from.
    """
    order = rng.permutation(rows)
    yield from np.array_split(order, n_batches(len(rows), size))


def n_batches(n_rows: int, size: int) -> int:
    """Count the batches of `batches`: as few as keep to the size."""
    return max(1, ceil(n_rows / size))
