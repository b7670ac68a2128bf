"""A linear head with what its probabilities are worth, and what it does not know."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medrag.encoding.heads.files import read_arrays, write_arrays
from medrag.encoding.heads.linear import ARRAYS, LinearHead
from medrag.encoding.heads.logits import softmax
from medrag.encoding.heads.neighbours import Neighbours
from medrag.encoding.rows import Rows
from medrag.errors import InputFileError

_NUMBERS = ("temperature", "least", "margin")
_NEIGHBOURS = ("neighbours", "k", "furthest")


@dataclass(frozen=True, slots=True)
class CalibratedHead:
    """What `medrag eval router` fits. Its file is one of `LinearHead` as well, with more in it.

    Attributes:
        temperature: divides the logits of the head; above 0.
        least: below which the probability of the likeliest class is not enough.
        margin: by which it must lead the next.
        neighbours: what it was fitted on, and how far off is unlike it; None: nothing is.
    """

    head: LinearHead
    temperature: float = 1.0
    least: float = 0.5
    margin: float = 0.1
    neighbours: Neighbours | None = None

    def probabilities(self, vectors: Rows) -> NDArray[np.float64]:
        """Give (n, n_classes), rows that sum to 1, for (n, d) vectors of the head's encoder."""
        return softmax(self.head.logits(vectors) / self.temperature)

    def unlike(self, vectors: Rows) -> NDArray[np.bool_]:
        """Tell which vectors are unlike all that the head was fitted on: (n,)."""
        if self.neighbours is None:
            return np.zeros(len(vectors), dtype=bool)
        return self.neighbours.unlike(vectors)


def save_head(head: CalibratedHead, path: Path) -> None:
    """Write an .npz file of plain arrays.

    Raises:
        InputFileError: if the disk refuses.
    """
    arrays = head.head.arrays() | {name: np.array(getattr(head, name)) for name in _NUMBERS}
    if head.neighbours is not None:
        known = head.neighbours
        arrays |= {
            "neighbours": known.vectors,
            "k": np.array(known.k),
            "furthest": np.array(known.furthest),
        }
    write_arrays(path, arrays)


def load_head(path: Path, *, encoder: str) -> CalibratedHead:
    """Read what `save_head` or `LinearHead.save` wrote; no code in the file is run.

    Args:
        encoder: name of the encoder whose vectors it is to read.

    Returns:
        With the default thresholds, where the file is a plain `LinearHead`.

    Raises:
        InputFileError: if the file is none of these.
        RecipeError: if it was fitted on vectors of another encoder.
    """
    stored = read_arrays(path, ARRAYS, further=(*_NUMBERS, *_NEIGHBOURS))
    head = LinearHead.of(stored, path, encoder=encoder)
    try:
        numbers = {name: float(stored[name]) for name in _NUMBERS if name in stored}
        _check(numbers)
        return CalibratedHead(head=head, neighbours=_neighbours(stored, head), **numbers)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise InputFileError(path, f"its calibration is damaged ({error}); fit it again") from error


def _check(numbers: dict[str, float]) -> None:
    if not 0 < numbers.get("temperature", 1.0) < np.inf:
        raise ValueError(f"temperature must be above 0, got {numbers['temperature']}")
    for name in ("least", "margin"):
        if not 0 <= numbers.get(name, 0.0) <= 1:
            raise ValueError(f"{name} must lie in [0, 1], got {numbers[name]}")


def _neighbours(stored: dict[str, NDArray[Any]], head: LinearHead) -> Neighbours | None:
    if "neighbours" not in stored:
        return None
    vectors = np.asarray(stored["neighbours"], dtype=np.float32)
    if vectors.ndim != 2 or vectors.shape[1] != head.weights.shape[1]:
        raise ValueError(f"neighbours of shape {vectors.shape} do not fit the head")
    if not np.isfinite(vectors).all():
        raise ValueError("neighbours hold numbers that are not finite")
    return Neighbours(vectors=vectors, k=int(stored["k"]), furthest=float(stored["furthest"]))
