"""Hits in the order of a mean of two similarities: of the words and of the pictures."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from medrag.protocols import Library, VectorChannel
from medrag.records import Hit, Question
from medrag.retrieval.checking import check_shares
from medrag.retrieval.rerank.ordering import ordered
from medrag.retrieval.rerank.similarity import hit_vectors, question_vectors, similarity
from medrag.retrieval.scaling import Scaling, check_scaling, mean_of_scaled


class ImageTextReranker:
    """Order hits by weight times the similarity of text plus the rest times that of pictures.

    Each similarity is scaled among the hits of one question first, as the two are not comparable.
    It is computed anew for every hit by a channel of vectors where one is given; else it is the
    score in the part of the hit that is named, which a hit lacks that the channel did not find, and
    which then counts as below the lowest. Where a question has one side only, that side orders.

    Args:
        library: the passages of the index.
        weight: of the text, in [0, 1].
        text: a channel of vectors that is asked by the text of a question.
        image: one that is asked by its pictures.
        text_part: of `Hit.parts`, where no such channel is given.
        image_part: likewise.
        scaling: of each similarity among the hits.

    Raises:
        ValueError: if the weight is out of range, or a channel is asked by the other side.
        RecipeError: (when asked) if a channel has no vectors.
    """

    # Not "image...": readers of cases take the first such part for the similarity of pictures.
    name = "text_and_picture"

    def __init__(
        self,
        *,
        library: Library,
        weight: float = 0.5,
        text: VectorChannel | None = None,
        image: VectorChannel | None = None,
        text_part: str = "text",
        image_part: str = "image",
        scaling: Scaling = "min_max",
    ) -> None:
        check_shares(weight=weight)
        for side, channel in (("text", text), ("image", image)):
            if channel is not None and channel.side != side:
                raise ValueError(
                    f"{side} must be a channel that is asked by that side of a question, got one "
                    f"asked by its {channel.side}"
                )
        check_scaling(scaling)
        self.library = library
        self.weight = weight
        self.text = text
        self.image = image
        self.text_part = text_part
        self.image_part = image_part
        self.scaling: Scaling = scaling

    def rerank(
        self, questions: Sequence[Question], rankings: Sequence[Sequence[Hit]]
    ) -> list[list[Hit]]:
        """Order each ranking."""
        texts = self._similarities(self.text, self.text_part, questions, rankings)
        images = self._similarities(self.image, self.image_part, questions, rankings)
        return [
            self._reranked(hits, np.array([text, image]))
            for hits, text, image in zip(rankings, texts, images, strict=True)
        ]

    def _reranked(self, hits: Sequence[Hit], scores: NDArray[np.float64]) -> list[Hit]:
        weights = np.array([self.weight, 1 - self.weight])
        weights[np.isnan(scores).all(axis=1)] = 0.0
        if not weights.any():
            return list(hits)
        mean = mean_of_scaled(scores, weights=weights, scaling=self.scaling)
        mean[np.isnan(scores[weights > 0]).all(axis=0)] = np.nan
        return ordered(hits, mean, self.name)

    def _similarities(
        self,
        channel: VectorChannel | None,
        part: str,
        questions: Sequence[Question],
        rankings: Sequence[Sequence[Hit]],
    ) -> list[list[float]]:
        """Give one side's similarity of each hit; nan where it is not known."""
        if channel is None:
            return [
                [hit.parts[part].score if part in hit.parts else np.nan for hit in hits]
                for hits in rankings
            ]
        vectors = question_vectors(channel, questions)
        found = []
        for vector, hits in zip(vectors, rankings, strict=True):
            passages = hit_vectors(channel, self.library, hits) if vector is not None else []
            found.append(
                [np.nan] * len(hits)
                if vector is None
                else [np.nan if p is None else similarity(channel, vector, p) for p in passages]
            )
        return found
