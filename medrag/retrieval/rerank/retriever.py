"""A retriever whose rankings are put into a better order."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from medrag.protocols import Library, Reranker, Retriever
from medrag.records import Filter, Hit, Question, Retrieved
from medrag.retrieval.checking import check_asked, check_positive
from medrag.retrieval.rerank.ordering import ordered
from medrag.retrieval.rerank.page_words import PageWords
from medrag.retrieval.scaling import Scaling, check_scaling, mean_of_scaled
from medrag.retrieval.tracing import asked, is_repeatable

# Under which the interpolated score stands in `Hit.parts`.
_INTERPOLATED = "interpolated"


class RerankRetriever:
    """Retrieve deeper than is wanted, order that anew, and keep the best.

    Rerankers run in turn, each on what the one before gave. They see a page with the words that
    stand on it; what is returned is the page itself.

    Args:
        library: the passages of the index, for the words of its pages.
        retriever: the first stage.
        rerankers: at least one.
        depth: hits that are reranked; k of them if that is more.
        keep: hits that are returned at most; None for k. 1 after Patho-AgenticRAG.
        weight: of the rerankers' score beside that of the first stage, each scaled in its ranking;
            1 for theirs alone.
        scaling: of the two scores, where the weight is below 1.

    Raises:
        ValueError: if there is no reranker, or a number is out of range.

    Source:
        Patho-AgenticRAG, AAAI 2026, arXiv 2508.02258 (top 20, rerank, top 1 of each query).
    """

    def __init__(
        self,
        *,
        library: Library,
        retriever: Retriever,
        rerankers: tuple[Reranker, ...],
        depth: int = 20,
        keep: int | None = None,
        weight: float = 1.0,
        scaling: Scaling = "min_max",
    ) -> None:
        if not rerankers:
            raise ValueError("rerankers must name at least one")
        check_positive(depth=depth, keep=keep)
        if not 0 < weight <= 1:
            raise ValueError(f"weight must be above 0 and at most 1, got {weight}")
        check_scaling(scaling)
        self.words = PageWords(library=library)
        self.retriever = retriever
        self.rerankers = tuple(rerankers)
        self.depth = depth
        self.keep = keep
        self.weight = weight
        self.scaling: Scaling = scaling

    @property
    def repeatable(self) -> bool:
        return is_repeatable(self.retriever, *self.rerankers)

    def retrieve(
        self, questions: Sequence[Question], k: int, filters: Sequence[Filter]
    ) -> list[list[Hit]]:
        """Rank passages for each question, at most k each.

        Raises:
            ValueError: if k is below 1, or questions and filters differ in number.
        """
        return [list(each.hits) for each in self.retrieve_traced(questions, k, filters)]

    def retrieve_traced(
        self, questions: Sequence[Question], k: int, filters: Sequence[Filter]
    ) -> list[Retrieved]:
        """The same, with the steps of the first stage and what reranking changed.

        Raises:
            ValueError: as `retrieve`.
        """
        check_asked(questions, k, filters)
        found = asked(self.retriever, questions, max(k, self.depth), filters)
        rankings = self._reranked(questions, [each.hits for each in found])
        n = min(k, self.keep or k)
        return [
            replace(each, hits=tuple(hits[:n]), trace=(*each.trace, self._step(each.hits, hits)))
            for each, hits in zip(found, rankings, strict=True)
        ]

    def _reranked(
        self, questions: Sequence[Question], rankings: Sequence[Sequence[Hit]]
    ) -> list[list[Hit]]:
        now = [self.words.given(hits) for hits in rankings]
        for reranker in self.rerankers:
            now = reranker.rerank(questions, now)
        return [
            self._interpolated(before, _restored(before, after))
            for before, after in zip(rankings, now, strict=True)
        ]

    def _interpolated(self, before: Sequence[Hit], after: list[Hit]) -> list[Hit]:
        if self.weight == 1 or not after:
            return after
        first = {hit.passage.id: hit for hit in before}
        # In the order of the first stage, so that equal sums stay in it.
        after = sorted(after, key=lambda hit: first[hit.passage.id].rank)
        scores = np.array(
            [[first[hit.passage.id].score for hit in after], [hit.score for hit in after]]
        )
        weights = [1 - self.weight, self.weight]
        mean = mean_of_scaled(scores, weights=weights, scaling=self.scaling)
        return ordered(after, mean, _INTERPOLATED)

    def _step(self, before: Sequence[Hit], after: Sequence[Hit]) -> dict[str, Any]:
        return {
            "step": "reranked",
            "rerankers": [type(each).__name__ for each in self.rerankers],
            "n": len(before),
            "kept": len(after),
            "best_before": before[0].passage.id if before else None,
            "best_after": after[0].passage.id if after else None,
        }


def _restored(before: Sequence[Hit], after: Sequence[Hit]) -> list[Hit]:
    """Put back the passages as they were found; ranks are those of the order."""
    passages: Mapping[str, Any] = {hit.passage.id: hit.passage for hit in before}
    return [
        replace(hit, passage=passages[hit.passage.id], rank=rank)
        for rank, hit in enumerate(after, start=1)
    ]
