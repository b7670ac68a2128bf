"""Vectors of questions held against those of hits, every one against every other."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from medrag.protocols import Library, VectorChannel
from medrag.records import Embeddings, Hit, Question

Floats = NDArray[np.float64]


def question_vectors(channel: VectorChannel, questions: Sequence[Question]) -> list[Floats | None]:
    """Encode the side of questions that a channel is asked by; None for one without it."""
    has = [
        bool(each.images) if channel.side == "image" else bool(each.text.strip() or each.options)
        for each in questions
    ]
    usable = [each for each, can in zip(questions, has, strict=True) if can]
    if not usable:
        return [None] * len(questions)
    found = iter(split(channel.encoder.encode_questions(usable, channel.side)))
    return [next(found) if can else None for can in has]


def hit_vectors(
    channel: VectorChannel, library: Library, hits: Sequence[Hit]
) -> list[Floats | None]:
    """Read the vectors of hits; None for one that the channel, or the index, does not have."""
    rows = [library.row_of(hit.passage.id) for hit in hits]
    held = [row for row in rows if row is not None]
    found = iter(split(channel.vectors_at(held)) if held else [])
    vectors = [None if row is None else next(found) for row in rows]
    return [each if each is not None and len(each) else None for each in vectors]


def similarity(channel: VectorChannel, question: Floats, passage: Floats) -> float:
    """Score as the channel does: the sum of best matches, or the best pair of vectors.

    Args:
        question: (n, d).
        passage: (m, d).
    """
    products = question @ passage.T
    if getattr(channel.encoder, "late_interaction", False):
        return float(products.max(axis=1).sum())
    return float(products.max())


def split(embeddings: Embeddings) -> list[Floats]:
    """Give the vectors of each input, (length, d), in double precision."""
    ends = np.cumsum(embeddings.lengths)[:-1]
    return np.split(embeddings.values.astype(np.float64), ends) if len(embeddings.lengths) else []
