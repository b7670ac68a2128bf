"""Heads of concepts from the pictures and reports of an index."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from medrag.concepts.annotating import Annotator, ReportSentences
from medrag.concepts.book import Concept
from medrag.concepts.grounding import ConceptHeads, fit_heads
from medrag.encoding.rows import means
from medrag.errors import MedragError
from medrag.protocols import Encoder, Library, Progress, VectorChannel
from medrag.records import Embeddings, Filter

_VALUES = {True: 1.0, False: 0.0, None: np.nan}


@dataclass(frozen=True, slots=True)
class Labelled:
    """Pictures with a report, and what the reports say to each concept.

    Attributes:
        vectors: (n, d), one for each passage.
        labels: (n, n_concepts): 1 yes, 0 no, nan not said.
        rows: (n,), of the passages in the index.
    """

    vectors: NDArray[np.float32]
    labels: NDArray[np.float64]
    rows: tuple[int, ...]


def labelled(
    library: Library,
    channel: VectorChannel,
    concepts: Sequence[Concept],
    annotator: Annotator,
    *,
    allow: Filter = Filter(kinds=frozenset({"report"})),  # noqa: B008 - frozen
    texts_encoder: Encoder | None = None,
    most: int = 1000,
    progress: Progress | None = None,
) -> Labelled:
    """Read from reports what their pictures show.

    Args:
        channel: of pictures; passages without a vector of it are left out.
        allow: which passages to read; each is to hold a text and a picture.
        texts_encoder: finds the reports that speak of a concept, of which `most` are read; None
            reads all of them for each concept.

    Raises:
        MedragError: if none does.
    """
    found = [(row, passage.text) for row, passage in library.passages_where(allow) if passage.text]
    rows = [row for row, _ in found]
    given = channel.vectors_at(rows)
    kept = [place for place, length in enumerate(given.lengths.tolist()) if length]
    if not kept:
        raise MedragError(
            f"none of {len(rows)} passages has a text and a vector of the channel; index reports "
            "together with their pictures, and name a channel of pictures"
        )
    lengths = given.lengths[given.lengths > 0]
    vectors = means(Embeddings(given.values, lengths), normalised=True).values
    texts = [found[place][1] for place in kept]
    spoken = None
    if texts_encoder is not None and len(texts) > most:
        spoken = ReportSentences(reports=texts, encoder=texts_encoder)
    labels = np.full((len(kept), len(concepts)), np.nan)
    if progress:
        progress.start("concepts", len(concepts), "concepts")
    for column, concept in enumerate(concepts):
        places = list(range(len(texts))) if spoken is None else spoken.nearest(concept, n=most)
        said = annotator.annotate(concept, [texts[place] for place in places])
        labels[places, column] = [_VALUES[each] for each in said]
        if progress:
            progress.advance("concepts")
    if progress:
        progress.finish("concepts")
    return Labelled(vectors, labels, tuple(rows[place] for place in kept))


def fitted_heads(
    read: Labelled, concepts: Sequence[Concept], *, encoder: str, seed: int = 0
) -> ConceptHeads:
    """Fit the heads; see `fit_heads`."""
    return fit_heads(read.vectors, read.labels, concepts, encoder=encoder, seed=seed)
