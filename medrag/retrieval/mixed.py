"""One vector of a question's pictures and words together, held against the means of passages."""

from collections.abc import Iterator, Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from medrag.errors import RecipeError
from medrag.protocols import Library, Side, VectorChannel
from medrag.records import Embeddings, Filter, Hit, Part, Question, ScoredRow
from medrag.retrieval.checking import check_asked, check_shares

Floats = NDArray[np.float32]
# Rows whose vectors are read at a time.
_BLOCK = 4096
_DECIMALS = 6


class MixedRetriever:
    """Search a channel by (1 - share) times the picture's vector plus share times the text's.

    Each side of the question is the mean of its vectors, and so is a passage: the score is the
    mean over the passage's vectors of the inner product with the mixed one. The two are added as
    they are: neither the mixture nor the means are scaled to unit length. A question with one side
    only is asked by that side; one with neither finds nothing.

    The search is exact and looks at every allowed passage. At the first question the means of the
    channel are computed, which reads all its vectors once, and kept: 4 * d bytes for each passage
    (2 GB for a million of 512 numbers). After that a question costs one product with them.

    Args:
        library: the passages of the index that the channel searches.
        channel: of vectors, whose encoder reads texts and pictures into one space, such as CLIP's.
        share: of the text, in [0, 1].

    Raises:
        ValueError: if the share is out of range.
        RecipeError: (when asked) if the channel has no vectors, or its encoder cannot read a side.

    Source:
        WeiMoCIR (Wu et al., 2024), as the baseline of Patho-AgenticRAG, AAAI 2026,
        arXiv 2508.02258, which mixes with a share of 0.1.
    """

    def __init__(self, *, library: Library, channel: VectorChannel, share: float = 0.1) -> None:
        check_shares(share=share)
        self.library = library
        self.channel = channel
        self.share = share

    def retrieve(
        self, questions: Sequence[Question], k: int, filters: Sequence[Filter]
    ) -> list[list[Hit]]:
        """Rank passages for each question, at most k each; equal scores by ascending row.

        Raises:
            ValueError: if k is below 1, or questions and filters differ in number.
        """
        check_asked(questions, k, filters)
        vectors = self._mixed(questions)
        return [
            [] if vector is None else self._hits(question, vector, k, wanted)
            for question, vector, wanted in zip(questions, vectors, filters, strict=True)
        ]

    def _mixed(self, questions: Sequence[Question]) -> list[Floats | None]:
        pictures = self._side("image", questions, [bool(each.images) for each in questions])
        texts = self._side("text", questions, [_has_words(each) for each in questions])
        return [
            words
            if picture is None
            else picture
            if words is None
            else self._mixture(picture, words)
            for picture, words in zip(pictures, texts, strict=True)
        ]

    def _mixture(self, picture: Floats, words: Floats) -> Floats:
        mixed: Floats = ((1 - self.share) * picture + self.share * words).astype(np.float32)
        return mixed

    def _side(
        self, side: Side, questions: Sequence[Question], usable: Sequence[bool]
    ) -> list[Floats | None]:
        """Encode one side of the questions that have it, as one vector each."""
        wanted = [each for each, has in zip(questions, usable, strict=True) if has]
        if not wanted:
            return [None] * len(questions)
        try:
            found = self.channel.encoder.encode_questions(wanted, side)
        except ValueError as error:
            raise RecipeError(
                f"the encoder of the channel does not read the {side} side of questions ({error}); "
                "name a channel whose encoder reads texts and pictures into one space, such as clip"
            ) from error
        means = iter(_means(found))
        return [next(means) if has else None for has in usable]

    def _hits(self, question: Question, vector: Floats, k: int, wanted: Filter) -> list[Hit]:
        rows, means = self._means
        allowed = np.flatnonzero(self.library.row_mask(wanted)[rows])
        if not len(allowed):
            return []
        scores = means[allowed] @ vector
        # Rounded, so that the last bits of a product do not order equal passages.
        best = np.lexsort((rows[allowed], -np.round(scores.astype(np.float64), _DECIMALS)))[:k]
        scored = [ScoredRow(int(rows[allowed[each]]), float(scores[each])) for each in best]
        passages = self.library.passages_at([each.row for each in scored])
        return [
            Hit(passage, each.score, rank, question.text, {"mixed": Part(rank, each.score)})
            for rank, (passage, each) in enumerate(zip(passages, scored, strict=True), start=1)
        ]

    @cached_property
    def _means(self) -> tuple[NDArray[np.int64], Floats]:
        """Give the rows that have vectors, ascending, and the mean of those of each."""
        if not self.channel.has_vectors:
            raise RecipeError("a mixed search needs a channel of vectors; name a dense one")
        blocks = list(self._blocks())
        rows = np.concatenate([np.zeros(0, dtype=np.int64), *(rows for rows, _ in blocks)])
        d = max((means.shape[1] for _, means in blocks), default=0)
        held = [means for _, means in blocks if len(means)]
        return rows, np.concatenate([np.zeros((0, d), dtype=np.float32), *held])

    def _blocks(self) -> Iterator[tuple[NDArray[np.int64], Floats]]:
        live = np.flatnonzero(self.library.row_mask(Filter()))
        for start in range(0, len(live), _BLOCK):
            rows = live[start : start + _BLOCK]
            found = self.channel.vectors_at([int(row) for row in rows])
            held = found.lengths > 0
            yield rows[held], _means(Embeddings(found.values, found.lengths[held]))


def _means(embeddings: Embeddings) -> Floats:
    """Average the vectors of each input, which has at least one; float32."""
    lengths = embeddings.lengths.astype(np.int64)
    if not len(lengths):
        return np.zeros((0, embeddings.values.shape[1]), dtype=np.float32)
    values = embeddings.values.astype(np.float64)
    sums = np.add.reduceat(values, np.cumsum(lengths) - lengths, axis=0)
    means: Floats = (sums / lengths[:, None]).astype(np.float32)
    return means


def _has_words(question: Question) -> bool:
    return bool(question.text.strip() or question.options)
