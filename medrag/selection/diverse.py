"""Keep hits that say something new beside those already kept."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from medrag.language import stems
from medrag.protocols import Library, VectorChannel
from medrag.records import Hit, Passage, Question, Selection
from medrag.selection.parting import naming, parted
from medrag.selection.scales import FUSED, scores_of

Floats = NDArray[np.float64]


class DiverseSelector:
    """Keep k hits, each in turn that of the largest maximal marginal relevance.

    It is balance * relevance - (1 - balance) * the largest similarity to a hit already kept.
    Relevance is the score, stretched over the ranking to [0, 1], as scores of different scales
    meet similarities in [0, 1]; equal scores are all 1. Hits without the score have 0.

    Args:
        library: of the index, to find the vectors of passages.
        k: hits to keep.
        balance: the lambda of the paper; 1 keeps the first k by score.
        channel: of vectors of the index, whose largest cosine between two passages (0 where it is
            negative, or one has no vector) is their similarity. None: the share of word stems that
            both have among those that either has.
        score: "fused", or a channel or reranker of `Hit.parts`.

    Raises:
        ValueError: if a number is out of range, or the channel has no vectors.

    Source:
        Carbonell & Goldstein, SIGIR 1998.
    """

    def __init__(
        self,
        *,
        library: Library,
        k: int = 5,
        balance: float = 0.7,
        channel: VectorChannel | None = None,
        score: str = FUSED,
    ) -> None:
        if k < 1:
            raise ValueError(f"k must be at least 1, got {k}")
        if not 0 <= balance <= 1:
            raise ValueError(f"balance must lie in [0, 1], got {balance}")
        if channel is not None and not getattr(channel, "has_vectors", False):
            raise ValueError("the channel has no vectors; name a dense one, or leave it out")
        self.library = library
        self.k = k
        self.balance = balance
        self.channel = channel
        self.score = score

    def select(self, question: Question, ranking: Sequence[Hit]) -> Selection:
        """Keep k hits, in the order of the ranking.

        Raises:
            RecipeError: if no hit has such a score; names the question.
        """
        with naming(question, "diverse"):
            relevance = _stretched(scores_of(ranking, self.score))
        if len(ranking) <= self.k:
            return Selection(tuple(ranking), (), f"all {len(ranking)}, of {self.k} wanted")
        passages = [hit.passage for hit in ranking]
        alike = _shared_words(passages) if self.channel is None else self._cosines(passages)
        kept = marginal_relevance(relevance, alike, self.k, self.balance)
        plain = set(np.argsort(-relevance, kind="stable")[: self.k].tolist())
        n_moved = len(plain - set(kept))
        reason = f"{self.k} kept; {n_moved} of the first {self.k} gave way to less similar hits"
        return parted(ranking, kept, reason, fired=n_moved > 0)

    def _cosines(self, passages: Sequence[Passage]) -> Floats:
        if self.channel is None:
            return np.zeros((len(passages), len(passages)))
        found = [self.library.row_of(passage.id) for passage in passages]
        known = [place for place, row in enumerate(found) if row is not None]
        vectors = self.channel.vectors_at([row for row in found if row is not None])
        owners = np.repeat(np.array(known, dtype=np.int64), vectors.lengths)
        values = vectors.values.astype(np.float64)
        norms = np.linalg.norm(values, axis=1, keepdims=True)
        unit = np.divide(values, norms, out=np.zeros_like(values), where=norms > 0)
        alike = np.zeros((len(passages), len(passages)))
        np.maximum.at(alike, (owners[:, None], owners[None, :]), unit @ unit.T)
        return alike


def marginal_relevance(relevance: Floats, alike: Floats, k: int, balance: float) -> list[int]:
    """Choose k places in turn by maximal marginal relevance; equal ones in order.

    Args:
        relevance: (n,) in [0, 1].
        alike: (n, n) in [0, 1], symmetric.
    """
    kept: list[int] = []
    nearest = np.zeros(len(relevance))
    left = np.ones(len(relevance), dtype=bool)
    for _ in range(min(k, len(relevance))):
        worth = np.where(left, balance * relevance - (1 - balance) * nearest, -np.inf)
        best = int(worth.argmax())
        kept.append(best)
        left[best] = False
        nearest = np.maximum(nearest, alike[best])
    return kept


def _stretched(scores: Floats) -> Floats:
    known = ~np.isnan(scores)
    if not known.any():
        return np.zeros(len(scores))
    low, high = scores[known].min(), scores[known].max()
    share = (scores - low) / (high - low) if high > low else np.where(known, 1.0, np.nan)
    return np.nan_to_num(share, nan=0.0)


def _shared_words(passages: Sequence[Passage]) -> Floats:
    found = [frozenset(stems(each.text, each.source.language)) for each in passages]
    alike = np.zeros((len(found), len(found)))
    for i, one in enumerate(found):
        for j, other in enumerate(found[:i]):
            union = len(one | other)
            alike[i, j] = alike[j, i] = len(one & other) / union if union else 0.0
    return alike
