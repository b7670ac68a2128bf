"""Train a FAISS index with however few vectors there are, and say so where they are few."""

import logging
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from medrag.extras import Library

# Vectors that FAISS wants for each cluster of k-means.
POINTS_NEEDED = 39
# Where an index keeps those that it is made of, and where what else is trained by k-means.
_INDEXES = ("index", "base_index", "refine_index", "quantizer", "storage")
_CODEBOOKS = ("pq", "rq")

_LOGGER = logging.getLogger(__name__)


def train(faiss: Library, index: Library, sample: NDArray[np.float32], factory: str) -> None:
    """Train an index on vectors, (n, d).

    Raises:
        RuntimeError: if FAISS cannot, such as with fewer vectors than a codebook has entries.
    """
    parts = list(_parts(faiss, index))
    rotations = [part for part in parts if isinstance(part, faiss.OPQMatrix)]
    for each in rotations:
        # Made by FAISS itself otherwise, out of reach; only for the training.
        each.pq = faiss.ProductQuantizer(each.d_out, each.M, 8)
    codebooks = [
        held for part in parts for name in _CODEBOOKS if (held := getattr(part, name, None))
    ]
    for each in (*parts, *codebooks):
        if hasattr(each, "cp"):
            # With fewer FAISS writes to standard error, which is not its to write to.
            each.cp.min_points_per_centroid = 1
    index.train(sample)
    for each in rotations:
        each.pq.thisown, each.pq = True, None
    entries = max((int(each.ksub) for each in codebooks if hasattr(each, "ksub")), default=0)
    if len(sample) < POINTS_NEEDED * entries:
        _LOGGER.warning(
            "the codes of %r are trained on %d vectors, and FAISS asks for %d: less is found "
            "through them than once the index has grown",
            factory, len(sample), POINTS_NEEDED * entries,
        )  # fmt: skip


def _parts(faiss: Library, index: Library) -> Iterator[Library]:
    """Walk through an index, those that it is made of, and the transforms before them."""
    part = faiss.downcast_index(index)
    yield part
    if isinstance(part, faiss.IndexPreTransform):
        chain = (part.chain.at(number) for number in range(part.chain.size()))
        yield from map(faiss.downcast_VectorTransform, chain)
    for name in _INDEXES:
        if (within := getattr(part, name, None)) is not None:
            yield from _parts(faiss, within)
