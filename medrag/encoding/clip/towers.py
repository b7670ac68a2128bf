"""What two towers of pictures and texts give, whichever library runs them."""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from medrag.encoding.pictures import Inputs
from medrag.errors import RecipeError


class Towers(Protocol):
    """A picture tower and a text tower with one space.

    Attributes:
        logit_scale: factor of a cosine in the model's loss; None if it has none.
        logit_bias: what a sigmoid loss adds to the scaled cosine; None if it has none.
        numerics: such as "cpu bfloat16".
    """

    logit_scale: float | None
    logit_bias: float | None

    @property
    def limit(self) -> int:
        """Tokens of a text at most, the model's own marks left out."""
        ...

    @property
    def numerics(self) -> str: ...
    def prepared(self, pixels: NDArray[np.uint8]) -> Inputs:
        """Turn (h, w, 3) RGB into what the picture tower reads; safe to call in threads."""
        ...

    def pictures(self, inputs: Inputs) -> NDArray[np.float32]:
        """Encode a batch to (n, d), not scaled to unit length."""
        ...

    def count(self, texts: Sequence[str]) -> list[int]:
        """Count the tokens of each text, the model's own marks left out."""
        ...

    def texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Encode texts within the limit to (n, d), not scaled to unit length."""
        ...


def vectors_of(found: Any, model: str) -> NDArray[np.float32]:
    """Take the vectors from what a model's method gave: a tensor, an output with one, or a tuple.

    Raises:
        RecipeError: if there is none.
    """
    if getattr(found, "pooler_output", None) is not None:
        found = found.pooler_output
    elif isinstance(found, (tuple, list)) and found:
        found = found[0]
    if getattr(found, "ndim", None) != 2:
        raise RecipeError(
            f"{model} gives {type(found).__name__} instead of one vector for each input; "
            "serve it with its own code and use an encoder of kind 'remote'"
        )
    rows: NDArray[np.float32] = found.float().cpu().numpy()
    return rows


def scalar(parameter: Any, *, exponential: bool) -> float | None:
    """Read a learned factor of the loss, which models keep as its logarithm."""
    if parameter is None:
        return None
    value = float(parameter.detach().float().reshape(-1)[0])
    return float(np.exp(value)) if exponential else value
