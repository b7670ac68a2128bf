"""Hits in the order of new scores."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from medrag.records import Hit, Part

# Scores that differ by less are equal: a batch moves the last bits of a model's numbers.
_DECIMALS = 6


def ordered(hits: Sequence[Hit], scores: ArrayLike, name: str) -> list[Hit]:
    """Rank hits by new scores; equal ones keep their order.

    Args:
        scores: (n_hits,) higher is better; nan where a hit could not be scored. Such hits come
            last, in the order they had, with the lowest score given; where all are nan, nothing
            changes.
        name: of the reranker, under which rank and score stand in the `parts` of scored hits,
            behind those of the channels.

    Returns:
        New hits, ranks from 1, scores to six decimals; the given ones are not changed.
    """
    given = np.asarray(scores, dtype=np.float64)
    if given.shape != (len(hits),):
        raise ValueError(f"{len(hits)} hits need as many scores, got {given.shape}")
    known = ~np.isnan(given)
    if not known.any():
        return list(hits)
    filled = np.round(np.where(known, given, given[known].min()), _DECIMALS)
    best = np.lexsort((np.arange(len(hits)), -filled, ~known))
    found = []
    for rank, place in enumerate(best.tolist(), start=1):
        hit, score = hits[place], float(filled[place])
        parts = {key: part for key, part in hit.parts.items() if key != name}
        if known[place]:
            parts[name] = Part(rank, score)
        found.append(replace(hit, score=score, rank=rank, parts=parts))
    return found
