"""Fewer vectors for a page: like patches, or neighbouring ones, become their mean."""

from typing import Literal, get_args

import numpy as np

from medrag.encoding.page.patches import PatchGrid
from medrag.encoding.rows import Rows, unit
from medrag.extras import require

Pooling = Literal["hierarchical", "grid"]


def check_pooling(pooling: str, pool: int) -> None:
    """Refuse a way of pooling that does not exist, and a factor below 1."""
    if pooling not in get_args(Pooling):
        raise ValueError(f"pooling must be one of {', '.join(get_args(Pooling))}, got {pooling!r}")
    if pool < 1:
        raise ValueError(f"pool must be at least 1, got {pool}")


def pooled_by_likeness(values: Rows, pool: int) -> Rows:
    """Put vectors that are alike together, wherever on the page they are.

    Clustering after Ward on the cosine distance, cut where n // pool clusters are left; each
    becomes its mean, made unit. Factor 3 is said to keep 97.8% of the quality of ColPali.

    Args:
        values: (n, d) unit rows.
        pool: how many times fewer vectors there shall be.

    Returns:
        (max(n // pool, 1), d) unit rows, or fewer where vectors are equal.

    Source:
        Clavié, Chaffin & Adams, "Reducing the Footprint of Multi-Vector Retrieval with Minimal
        Performance Impact via Token Pooling", 2024; as sentence-transformers 6 implements it.
    """
    if pool == 1 or len(values) < 2:
        return values
    torch = require("torch")
    modules = require("sentence_transformers.multi_vector_encoder.modules")
    pooling = modules.HierarchicalTokenPooling(pool, num_protected_tokens=0)
    pooled: Rows = pooling.pool_one(torch.from_numpy(np.ascontiguousarray(values))).numpy()
    return pooled


def pooled_by_place(values: Rows, grid: PatchGrid, pool: int) -> Rows:
    """Put neighbouring patches together: blocks of the page, each as its mean, made unit.

    A block is the squarest that has `pool` patches, wider than high (a line of print is), such as
    1 x 3 for 3, 2 x 2 for 4; at the right and lower edges blocks may be cut. The overview of a
    model with tiles is pooled by itself.

    Args:
        values: (grid.n_tokens, d) unit rows, in token order.
        grid: of the picture.
        pool: patches in a block.

    Returns:
        (blocks, d) unit rows; row by row of blocks, then those of the overview.
    """
    if pool == 1:
        return values
    height = max(n for n in range(1, pool + 1) if pool % n == 0 and n * n <= pool)
    parts = [_blocks(values[grid.places], height, pool // height)]
    if grid.overview is not None:
        parts.append(_blocks(values[grid.overview], height, pool // height))
    return unit(np.concatenate(parts))


def _blocks(patches: Rows, height: int, width: int) -> Rows:
    """Average the blocks of (rows, columns, d); (blocks, d)."""
    rows = np.arange(0, patches.shape[0], height)
    columns = np.arange(0, patches.shape[1], width)
    sums = np.add.reduceat(np.add.reduceat(patches, rows, axis=0), columns, axis=1)
    # A mean and a sum have the same direction, and the length is made 1 after all.
    return sums.reshape(-1, patches.shape[2])
