"""Scores on a scale on which their ratios mean something."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from medrag.records import Hit

Floats = NDArray[np.float64]
Scale = Literal["raw", "cosine", "softmax"]
# The name of the score of a hit itself, beside those of its parts.
FUSED = "fused"
# Cosines of float32 vectors leave [-1, 1] by so much.
_ROUNDING = 1e-4


def scores_of(ranking: Sequence[Hit], score: str) -> Floats:
    """Give the scores of hits: the fused ones, or those of a channel or reranker.

    Args:
        score: "fused" for `Hit.score`, or a name of `Hit.parts`.

    Returns:
        (n_hits,); nan where a hit has no such part.

    Raises:
        ValueError: if no hit has such a part, or a score is infinite or not a number.
    """
    if score == FUSED:
        found = [hit.score for hit in ranking]
    else:
        found = [hit.parts[score].score for hit in ranking if score in hit.parts]
        if ranking and not found:
            names = sorted({name for hit in ranking for name in hit.parts})
            raise ValueError(
                f"no hit has a score {score!r}; there are {', '.join([FUSED, *names])}"
            )
    if wrong := [each for each in found if not np.isfinite(each)]:
        raise ValueError(f"the {score} score {wrong[0]} is no number that can be compared")
    if score == FUSED:
        return np.array(found, dtype=np.float64)
    return np.array(
        [hit.parts[score].score if score in hit.parts else np.nan for hit in ranking],
        dtype=np.float64,
    )


def by_score(scores: Floats) -> list[int]:
    """List the places of scores from the highest on; equal ones in order, nan left out."""
    order = np.argsort(-scores, kind="stable")
    return [place for place in order.tolist() if not np.isnan(scores[place])]


def unscored(scores: Floats) -> list[int]:
    """List the places without a score (nan), ascending."""
    places: list[int] = np.flatnonzero(np.isnan(scores)).tolist()
    return places


def logarithms(scores: ArrayLike, scale: Scale, *, temperature: float = 1.0) -> Floats:
    """Give the logarithms of scores on a scale: only their differences mean something.

    "raw" takes a score as it is; what is not above 0 becomes -inf. "cosine" takes (1 + score) / 2.
    "softmax" takes the share of exp(score / temperature), which any score has, also one whose zero
    is arbitrary, such as a reranker's logit.

    Raises:
        ValueError: if a score lies outside [-1, 1] and the scale is "cosine", or the temperature
            is not positive.
    """
    given = np.asarray(scores, dtype=np.float64)
    if not temperature > 0:
        raise ValueError(f"temperature must be positive, got {temperature}")
    if scale == "softmax":
        return _log_softmax(given / temperature)
    if scale == "cosine":
        beyond = given[np.abs(given) > 1 + _ROUNDING]
        if len(beyond):
            raise ValueError(
                f"{beyond[0]:g} is no cosine; for scores of another kind use scale: softmax"
            )
        given = (1 + given) / 2
    logs = np.full(given.shape, -np.inf)
    np.log(given, out=logs, where=given > 0)
    return logs


def _log_softmax(given: Floats) -> Floats:
    if not len(given):
        return given
    shifted: Floats = given - given.max()
    logs: Floats = shifted - np.log(np.exp(shifted).sum())
    return logs
