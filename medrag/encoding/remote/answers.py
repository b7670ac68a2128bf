"""Vectors out of what a server answers."""

import base64
from typing import Any

import numpy as np

from medrag.encoding.rows import Rows
from medrag.errors import MedragError


def vectors_of(answer: Any, n: int, url: str) -> tuple[Rows, str | None]:
    """Read the vectors of an answer, in the order of the inputs, and the model's name there.

    Raises:
        MedragError: if there are not n vectors of one dimension, all finite.
    """
    try:
        listed = sorted(answer["data"], key=lambda each: each["index"])
        places = [each["index"] for each in listed]
        rows = [_numbers(each["embedding"]) for each in listed]
        model = answer.get("model")
    except (KeyError, TypeError, ValueError, AttributeError) as error:
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
    return values, model if isinstance(model, str) else None


def _numbers(embedding: Any) -> Rows:
    """Read a vector as a list, or as base64 of little-endian float32."""
    if isinstance(embedding, str):
        raw = base64.b64decode(embedding, validate=True)
        return np.frombuffer(raw, dtype="<f4").astype(np.float32)
    row = np.array(embedding, dtype=np.float32)
    if row.ndim != 1:
        raise ValueError(f"an embedding has {row.ndim} axes, expected one")
    return row
