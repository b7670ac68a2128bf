"""Pages in the order of Patho-Fusion: those whose similarities stand out."""

import math
from collections.abc import Sequence

from medrag.protocols import Library, VectorChannel
from medrag.records import Hit, ImageRef, Passage, Question, Source
from medrag.retrieval.rerank.fusion_formula import Kurtosis, Squared, check_reading, patho_fusion
from medrag.retrieval.rerank.ordering import ordered
from medrag.retrieval.rerank.similarity import Floats, hit_vectors, question_vectors, split


class PathoFusionReranker:
    """Order hits by `patho_fusion` of their vectors in a page channel.

    The tokens of the question are those of its text and options. The patches of its pictures are
    encoded as those of a page are, where the encoder is one of late interaction; else as the image
    side of a question. A hit without vectors comes last. A question without words changes nothing.

    Args:
        library: the passages of the index.
        channel: of pages.
        squared, kurtosis: see `patho_fusion`.
        by_picture: let the question's pictures count; False leaves their factor out, as for a
            question without any.

    Raises:
        ValueError: if a name is unknown, or the channel is not asked by text.
        RecipeError: (when asked) if the channel has no vectors.
        InputFileError: (when asked) if a picture of the question cannot be read.
    """

    name = "patho_fusion"

    def __init__(
        self,
        *,
        library: Library,
        channel: VectorChannel,
        squared: Squared = "kappa",
        kurtosis: Kurtosis = "pearson",
        by_picture: bool = True,
    ) -> None:
        check_reading(squared, kurtosis)
        if channel.side != "text":
            raise ValueError(
                "channel must be one of pages that is asked by the text of a question, got one "
                f"asked by its {channel.side}"
            )
        self.library = library
        self.channel = channel
        self.squared: Squared = squared
        self.kurtosis: Kurtosis = kurtosis
        self.by_picture = by_picture

    def rerank(
        self, questions: Sequence[Question], rankings: Sequence[Sequence[Hit]]
    ) -> list[list[Hit]]:
        """Order each ranking."""
        wanted = [
            question if hits else Question()
            for question, hits in zip(questions, rankings, strict=True)
        ]
        texts = question_vectors(self.channel, wanted)
        pictures = [
            self._patches(question) if text is not None and self.by_picture else None
            for question, text in zip(wanted, texts, strict=True)
        ]
        return [
            list(hits) if text is None else self._reranked(text, picture, hits)
            for text, picture, hits in zip(texts, pictures, rankings, strict=True)
        ]

    def _reranked(self, text: Floats, picture: Floats | None, hits: Sequence[Hit]) -> list[Hit]:
        pages = hit_vectors(self.channel, self.library, hits)
        scores = [
            math.nan
            if page is None
            else patho_fusion(
                text @ page.T,
                None if picture is None else picture @ page.T,
                squared=self.squared,
                kurtosis=self.kurtosis,
            )
            for page in pages
        ]
        return ordered(hits, scores, self.name)

    def _patches(self, question: Question) -> Floats | None:
        """Encode the pictures of a question: (n_patches, d); None without any."""
        if not question.images:
            return None
        encoder = self.channel.encoder
        if not getattr(encoder, "late_interaction", False):
            return split(encoder.encode_questions([question], "image"))[0]
        images = tuple(
            each if isinstance(each, ImageRef) else ImageRef(str(each)) for each in question.images
        )
        shown = Passage("question", "page", "", Source("question", "", ""), images)
        return split(encoder.encode_passages([shown]))[0]
