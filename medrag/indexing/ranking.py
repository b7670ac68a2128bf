"""Rankings of rows: the highest scores first, equal ones by ascending row."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from medrag.records import ScoredRow


def top(rows: NDArray[np.integer], scores: NDArray[np.floating], k: int) -> list[ScoredRow]:
    """Rank the best k of rows, each given once."""
    if len(rows) > 4 * k:
        # Sorting everything would take longer than finding what may be among the best.
        kept = scores >= np.partition(scores, -k)[-k]
        rows, scores = rows[kept], scores[kept]
    order = np.lexsort((rows, -scores))[:k]
    return list(map(ScoredRow, rows[order].tolist(), scores[order].tolist()))


def best_of(rankings: Sequence[list[ScoredRow]], k: int) -> list[ScoredRow]:
    """Join rankings of at most k rows, such as of a question's vectors: each row's best score."""
    if len(rankings) == 1:
        return rankings[0]
    best: dict[int, float] = {}
    for hit in (hit for ranking in rankings for hit in ranking):
        best[hit.row] = max(hit.score, best.get(hit.row, hit.score))
    ordered = sorted(best.items(), key=lambda pair: (-pair[1], pair[0]))
    return [ScoredRow(row, score) for row, score in ordered[:k]]
