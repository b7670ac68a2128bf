"""Vectors out of what a server answers."""

import base64
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medrag.encoding.rows import Rows
from medrag.errors import MedragError

_LARGEST = float(np.finfo(np.float32).max)


def vectors_of(answer: Any, n: int, url: str) -> tuple[Rows, str | None]:
    """Read the vectors of an answer, in the order of the inputs, and the model's name there.

    Raises:
        MedragError: if there are not n vectors of one dimension, finite and in range.
    """
    try:
        listed = sorted(answer["data"], key=lambda each: each["index"])
        places = [each["index"] for each in listed]
        rows = [_numbers(each["embedding"]) for each in listed]
        model = answer.get("model")
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise MedragError(
            f"{url} gave something else than embeddings ({type(error).__name__}: {error}); is it "
            "the address of an OpenAI-compatible server, and the model one for embeddings?"
        ) from error
    if places != list(range(n)):
        raise MedragError(
            f"{url} gave vectors for inputs {places}, expected 0 to {n - 1}; its answers cannot "
            "be told apart: use another server, or batch_size: 1"
        )
    if len({len(row) for row in rows}) != 1 or not len(rows[0]):
        raise MedragError(f"{url} gave vectors of different lengths, or empty ones")
    values = np.stack(rows)
    if not np.isfinite(values).all():
        raise MedragError(
            f"{url} gave a vector that is not finite; is the model's dtype too small?"
        )
    # A score is a sum of as many products of two such numbers.
    limit = (_LARGEST / values.shape[1]) ** 0.5
    largest = float(values.flat[np.abs(values).argmax()])
    if abs(largest) > limit:
        raise MedragError(
            f"{url} gave the number {largest:g}, out of range: expected at most {limit:.2g}, so "
            "that scores fit into single precision; is the model one for embeddings?"
        )
    return values.astype(np.float32), model if isinstance(model, str) else None


def _numbers(embedding: Any) -> NDArray[np.float64]:
    """Read a vector as a list, or as base64 of little-endian float32."""
    if isinstance(embedding, str):
        raw = base64.b64decode(embedding, validate=True)
        return np.frombuffer(raw, dtype="<f4").astype(np.float64)
    row = np.array(embedding, dtype=np.float64)
    if row.ndim != 1:
        raise ValueError(f"an embedding has {row.ndim} axes, expected one")
    return row
