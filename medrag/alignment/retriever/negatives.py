"""Passages that a retriever takes for right and that are wrong: what it has to learn next."""

import numpy as np
from numpy.typing import NDArray

from medrag.alignment.retriever.relations import Codes, Relations, masks
from medrag.encoding.rows import Rows

# Scores computed at a time.
_BLOCK = 1 << 22


def hard_negatives(
    queries: Rows, passages: Rows, known: Relations, *, n: int, skip: int = 0
) -> NDArray[np.int64]:
    """Find for each query the wrong passages that score highest.

    Right passages, and others of the same study, subject or picture, are never among them. Equal
    passages count once. Take the vectors from an index, or from the model that is being trained.

    Args:
        queries: (rows, d).
        passages: (rows, d).
        n: for each query at most.
        skip: how many of the highest are left out first, as they may be right unnoticed.

    Returns:
        (rows, n) rows of passages, best first; -1 where there are no more.

    Raises:
        ValueError: if a number is out of range, or the vectors are not of those pairs.

    Source:
        Xiong et al., ICLR 2021 (ANCE), on which FactMM-RAG trains in its second stage.
    """
    if n < 1 or skip < 0:
        raise ValueError(f"n must be at least 1 and skip at least 0, got {n} and {skip}")
    rows = len(known.passages)
    if len(queries) != rows or len(passages) != rows:
        raise ValueError(f"{rows} pairs need as many vectors: {len(queries)}, {len(passages)}")
    found = np.full((rows, n), -1, dtype=np.int64)
    columns = _different(known)
    step = max(1, _BLOCK // max(len(columns), 1))
    for start in range(0, rows, step):
        block: Codes = np.arange(start, min(start + step, rows), dtype=np.int64)
        found[block] = _hardest(queries[block] @ passages[columns].T, known, block, n, skip)
    return found


def hardest(scores: NDArray[np.float32], known: Relations, *, n: int) -> NDArray[np.int64]:
    """Do as `hard_negatives` does, on (rows, rows) scores of queries and passages."""
    rows: Codes = np.arange(len(scores), dtype=np.int64)
    return _hardest(scores[:, _different(known)], known, rows, n, 0)


def _different(known: Relations) -> Codes:
    """Give a row of each different passage: the first of equal ones stands for all."""
    return np.unique(known.passages, return_index=True)[1].astype(np.int64)


def _hardest(
    scores: NDArray[np.float32], known: Relations, rows: Codes, n: int, skip: int
) -> NDArray[np.int64]:
    columns = _different(known)
    positives, ignored = masks(known, rows, columns)
    shown = np.where(positives | ignored, -np.inf, scores.astype(np.float64))
    order = np.argsort(-shown, axis=1, kind="stable")[:, skip : skip + n]
    wrong = np.isfinite(np.take_along_axis(shown, order, axis=1))
    found = np.full((len(rows), n), -1, dtype=np.int64)
    found[:, : order.shape[1]] = np.where(wrong, columns[order], -1)
    return found
