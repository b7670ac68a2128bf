"""Personalised PageRank over the neighbours of nodes in compressed rows."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from medrag.extras import require

Rank = NDArray[np.float64]


class Walk:
    """The links of a graph, made ready for one walk after another.

    Args:
        starts: (n + 1,), where each node's neighbours begin.
        neighbours: those that each node links to, one for every link.
    """

    def __init__(self, *, starts: NDArray[np.int64], neighbours: NDArray[np.int32]) -> None:
        sparse = require("scipy.sparse")
        n = len(starts) - 1
        # Copied from a mapped array, which would be checked and copied in every product.
        places = np.array(neighbours, dtype=np.int32)
        ends = np.array(starts, dtype=np.int32 if len(neighbours) < 2**31 else np.int64)
        ones = np.ones(len(neighbours), dtype=np.float64)
        # In rows, so that a product gathers what arrives instead of scattering what leaves.
        self.arriving: Any = sparse.csr_matrix((ones, places, ends), shape=(n, n)).T.tocsr()
        links = np.diff(ends).astype(np.float64)
        self.share: Rank = np.divide(1.0, links, out=np.zeros(n), where=links > 0)
        self.lonely: NDArray[np.int64] = np.flatnonzero(links == 0)


def personalised_pagerank(
    walk: Walk,
    restart: Rank,
    *,
    damping: float = 0.85,
    tolerance: float = 1e-8,
    most_steps: int = 300,
) -> Rank:
    """Share rank among the nodes of a graph by power iteration.

    A walker follows one of a node's links, all equally likely, or, once in 1 / (1 - damping)
    steps and from a node without links, starts anew.

    Args:
        restart: (n,), how likely each node is to be started from; not negative, not all 0.
        damping: in [0, 1); how far the rank is carried away from where it starts.
        tolerance: sum of the changes of a step below which the rank is done.
        most_steps: after which it is done in any case.

    Returns:
        (n,), at least 0, with sum 1.

    Raises:
        ValueError: if damping is out of range, or restart is negative or all 0.

    Source:
        Page, Brin, Motwani & Winograd 1999; Haveliwala, "Topic-sensitive PageRank", WWW 2002.
    """
    if not 0 <= damping < 1:
        raise ValueError(f"damping must be in [0, 1), got {damping}")
    if not len(restart) or (restart < 0).any() or not restart.sum() > 0:
        raise ValueError("restart must have no negative number, and one above 0")
    begun: Rank = restart / restart.sum()
    rank = begun
    for _ in range(most_steps):
        moved = walk.arriving @ (rank * walk.share)
        kept = rank[walk.lonely].sum()
        following = damping * moved + (damping * kept + 1 - damping) * begun
        change = float(np.abs(following - rank).sum())
        rank = following
        if change < tolerance:
            break
    total: Rank = rank / rank.sum()
    return total
