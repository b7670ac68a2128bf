"""A head without training by steps: the closed form that a trained one must be held against."""

import numpy as np

from medrag.encoding.projected import Heads
from medrag.encoding.rows import Rows


def ridge_heads(images: Rows, texts: Rows, *, penalty: float = 1.0) -> Heads:
    """Fit a head by least squares with a penalty on the weights.

    It takes the centred vector of a picture nearest to the centred one of its text; nothing tells
    it apart from other texts.

    Args:
        images: (n, d of the encoder of pictures).
        texts: (n, d).

    Raises:
        ValueError: if the penalty is not positive, or there are no pairs.
    """
    if not penalty > 0 or not len(images):
        raise ValueError(f"expected pairs and a positive penalty, got {len(images)} and {penalty}")
    shown, wanted = images.astype(np.float64), texts.astype(np.float64)
    middle = shown.mean(axis=0)
    centred = shown - middle
    gram = centred.T @ centred + penalty * np.eye(shown.shape[1])
    weights = np.linalg.solve(gram, centred.T @ (wanted - wanted.mean(axis=0))).T
    return Heads(weights.astype(np.float32), (-weights @ middle).astype(np.float32))
