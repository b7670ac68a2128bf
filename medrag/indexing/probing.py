"""Whether the encoder of today makes the vectors that an index holds."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from medrag.errors import MedragError
from medrag.images import resolved
from medrag.indexing.checking import Problem
from medrag.indexing.storage import Store
from medrag.indexing.vectors import as_rows
from medrag.protocols import Encoder, SparseEncoder

# Half precision on another machine keeps 0.998 (measured on all-MiniLM-L6-v2); a different pooling,
# tokenizer or image backend does not keep 0.995.
PROBED = 32
LOWEST_COSINE = 0.995


@dataclass(frozen=True, slots=True)
class Probe:
    """What encoding some passages anew showed. `lowest`: the smallest cosine; nan if n is 0."""

    channel: str
    n: int
    lowest: float
    unreadable: int

    @property
    def problem(self) -> Problem | None:
        """Say what is wrong, if the vectors of the index are not those of the encoder."""
        if self.n == 0 or self.lowest >= LOWEST_COSINE:
            return None
        return Problem(
            self.channel,
            f"of {self.n} passages encoded anew one has a cosine of {self.lowest:.4f} to its "
            f"vector, below {LOWEST_COSINE}: the encoder or its libraries changed; build the index "
            "anew",
        )


def probe(
    store: Store, channel: str, encoder: Encoder | SparseEncoder, *, n: int = PROBED
) -> Probe:
    """Encode live passages, spread evenly over a channel, and compare them with their vectors.

    A passage whose original cannot be read is passed over and counted.

    Raises:
        KeyError: if the store has no such channel.
    """
    held = _vectors_of(store, channel)
    cosine = _sparse_cosine if store.channel(channel).kind == "sparse" else _lowest_cosine
    chosen = sorted(held)
    picks = np.unique(np.linspace(0, len(chosen) - 1, min(n, len(chosen))).astype(int))
    cosines, unreadable = [], 0
    for row in (chosen[pick] for pick in picks):
        (passage,) = store.passages_at([row])
        try:
            there = resolved(passage, store.corpus_root(passage.source.corpus))
            fresh = as_rows(encoder.encode_passages([there]))
        except (MedragError, OSError):
            unreadable += 1
            continue
        cosines.append(cosine(held[row], fresh))
    return Probe(channel, len(cosines), min(cosines, default=float("nan")), unreadable)


def _vectors_of(store: Store, channel: str) -> dict[int, NDArray[np.float32]]:
    """Map the vectors of the live passages of a channel, by row."""
    held: dict[int, NDArray[np.float32]] = {}
    for block in store.vectors(channel):
        ends = np.cumsum(block.lengths)
        for row, end, length in zip(block.rows.tolist(), ends, block.lengths, strict=True):
            if store.live[row]:
                held[row] = block.values[end - length : end]
    return held


def _lowest_cosine(held: NDArray[np.float32], fresh: NDArray[np.float32]) -> float:
    """Give the smallest cosine of corresponding vectors, -1 where their shapes differ."""
    if held.shape != fresh.shape:
        return -1.0
    norms = np.linalg.norm(held, axis=1) * np.linalg.norm(fresh, axis=1)
    return float(((held * fresh).sum(axis=1) / np.maximum(norms, 1e-12)).min())


def _sparse_cosine(held: NDArray[np.float32], fresh: NDArray[np.float32]) -> float:
    """Give the cosine of two sparse vectors, kept as (term, weight) rows; 1 if both are zero."""
    terms = np.union1d(held[:, 0], fresh[:, 0])
    one, two = (_over(terms, each) for each in (held, fresh))
    norm = float(np.linalg.norm(one) * np.linalg.norm(two))
    if norm == 0:
        return 1.0 if one.any() == two.any() else -1.0
    return float(one @ two) / norm


def _over(terms: NDArray[np.float32], pairs: NDArray[np.float32]) -> NDArray[np.float64]:
    weights = np.zeros(len(terms))
    np.add.at(weights, np.searchsorted(terms, pairs[:, 0]), pairs[:, 1])
    return weights
