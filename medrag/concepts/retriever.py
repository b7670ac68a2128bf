"""Evidence about a picture by concepts: the passages they come from, and what the picture shows."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from medrag.concepts.book import Concept, ConceptBook, load_book
from medrag.concepts.bottleneck import Bottleneck
from medrag.concepts.grounding import ConceptHeads, contrasted
from medrag.encoding.rows import means
from medrag.errors import RecipeError
from medrag.language.verbal import CHATCAD, in_words
from medrag.protocols import Encoder, Library, Retriever
from medrag.records import Filter, Hit, Part, Question, Retrieved
from medrag.records.usage import together
from medrag.retrieval.checking import check_asked
from medrag.retrieval.tracing import asked, is_repeatable

Array = NDArray[np.float64]
Order = Literal["certain", "present", "contribution"]
_TOLD = 10
# For a question that asks for no thing by its name.
_OTHERWISE = (
    (0.0, "{finding} no"),
    (0.2, "{finding} rather no"),
    (0.5, "{finding} likely"),
    (0.9, "{finding} yes"),
)


class ConceptsRetriever:
    """Ask a picture the concepts of a book, and bring the passages of those that tell most.

    A hit is the passage that a concept was written from; its summary says what the picture shows,
    by number and in words, and quotes the sentence. A question without a picture gets nothing.

    Args:
        book: of `medrag concepts write`.
        encoder: of pictures, and of texts where there are no heads.
        heads: of `fit_heads`; None scores each statement against its denial by the encoder.
        bottleneck: of `fit_bottleneck`; the trace then tells the likeliest classes.
        retriever: finds a passage for a concept that has none (one that a model wrote from its
            memory), or whose passage a filter keeps out; None leaves such concepts out.
        order: which concepts come first: those farthest from one half ("certain"), the most
            probable ("present"), or those that add most to the likeliest class ("contribution").
        scale: of cosines where there are no heads.

    Raises:
        InputFileError: if a file cannot be read.
        RecipeError: if heads, bottleneck and book do not fit.
        ValueError: if "contribution" has no bottleneck.

    Source:
        KnoBo, arXiv 2405.14839; ConceptCLIP, arXiv 2501.15579, for explanations without heads.
    """

    def __init__(
        self,
        *,
        rows: Library,
        book: Path,
        encoder: Encoder,
        heads: Path | None = None,
        bottleneck: Path | None = None,
        retriever: Retriever | None = None,
        order: Order = "certain",
        scale: float = 100.0,
    ) -> None:
        if order == "contribution" and bottleneck is None:
            raise ValueError("order: contribution needs a bottleneck, which tells it")
        self.rows = rows
        self.encoder = encoder
        self.retriever = retriever
        self.repeatable = is_repeatable(retriever)
        self.order = order
        self.scale = scale
        self.heads = None if heads is None else ConceptHeads.load(heads, encoder=encoder.name)
        self.concepts = _known(load_book(book), self.heads, book)
        self.bottleneck = None if bottleneck is None else Bottleneck.load(bottleneck)
        self._check_bottleneck(book)

    def retrieve(
        self, questions: Sequence[Question], k: int, filters: Sequence[Filter]
    ) -> list[list[Hit]]:
        return [list(each.hits) for each in self.retrieve_traced(questions, k, filters)]

    def retrieve_traced(
        self, questions: Sequence[Question], k: int, filters: Sequence[Filter]
    ) -> list[Retrieved]:
        """Rank concepts by the picture, and give their passages; at most k.

        Raises:
            ValueError: if k is below 1, or questions and filters differ in number.
        """
        check_asked(questions, k, filters)
        pictured = [place for place, question in enumerate(questions) if question.images]
        scores = self.probabilities([questions[place] for place in pictured])
        found = [Retrieved(()) for _ in questions]
        for place, row in zip(pictured, scores, strict=True):
            found[place] = self._retrieved(questions[place], row, k, filters[place])
        return found

    def probabilities(self, questions: Sequence[Question]) -> Array:
        """Score the concepts for the pictures of each question: (n, n_concepts)."""
        if not questions:
            return np.zeros((0, len(self.concepts)))
        vectors = means(self.encoder.encode_questions(questions, "image"), normalised=True).values
        if self.heads is not None:
            return self.heads.probabilities(vectors)
        return contrasted(vectors, self.concepts, self.encoder, scale=self.scale)

    def _retrieved(self, question: Question, scores: Array, k: int, wanted: Filter) -> Retrieved:
        classes = self._classes(scores)
        hits: list[Hit] = []
        looked: list[Retrieved] = []
        seen: set[str] = set()
        keys = self._keys(scores, classes)
        for place in np.argsort(-keys, kind="stable").tolist():
            if len(hits) == k:
                break
            looked.append(self._source(self.concepts[place], question, wanted))
            if not looked[-1].hits or (passage := looked[-1].hits[0].passage).id in seen:
                continue
            seen.add(passage.id)
            concept = self.concepts[place]
            # What another passage says is not quoted: a filter may keep that one out.
            quoted = concept if passage.id == concept.passage else replace(concept, sentence="")
            told = told_of(quoted, float(scores[place]))
            part = {"concepts": Part(len(hits) + 1, float(scores[place]))}
            rank = len(hits) + 1
            hits.append(Hit(passage, float(keys[place]), rank, concept.question, part, told))
        steps = (step for each in looked for step in each.trace)
        usage = together(each.usage for each in looked)
        return Retrieved(tuple(hits), (self._step(scores, classes), *steps), usage)

    def _keys(self, scores: Array, classes: Mapping[str, float]) -> Array:
        """Give the scores by which concepts are ranked, higher first."""
        if self.order == "present":
            return scores
        if self.order == "contribution" and self.bottleneck is not None:
            likeliest = max(classes, key=lambda name: classes[name])
            added: Array = self.bottleneck.contributions(scores[None], likeliest)[0]
            return added
        surest: Array = np.abs(scores - 0.5)
        return surest

    def _classes(self, scores: Array) -> dict[str, float]:
        if self.bottleneck is None:
            return {}
        shares = self.bottleneck.probabilities(scores[None])[0]
        return dict(zip(self.bottleneck.classes, shares.tolist(), strict=True))

    def _step(self, scores: Array, classes: Mapping[str, float]) -> dict[str, Any]:
        best = np.argsort(-np.abs(scores - 0.5), kind="stable")[:_TOLD]
        told = {self.concepts[i].question: round(float(scores[i]), 4) for i in best}
        step: dict[str, Any] = {"step": "concepts", "n": len(self.concepts), "surest": told}
        return {**step, "classes": dict(classes)} if classes else step

    def _source(self, concept: Concept, question: Question, wanted: Filter) -> Retrieved:
        """Give the passage of a concept if the filter allows it, or one that is found for it."""
        row = self.rows.row_of(concept.passage) if concept.passage else None
        if row is not None and self.rows.row_mask(wanted)[row]:
            (passage,) = self.rows.passages_at([row])
            return Retrieved((Hit(passage, 1.0, 1, concept.question),))
        if self.retriever is None:
            return Retrieved(())
        text = Question(text=concept.question, subject=question.subject, study=question.study)
        return asked(self.retriever, [text], 1, [wanted])[0]

    def _check_bottleneck(self, book: Path) -> None:
        asked = tuple(concept.question for concept in self.concepts)
        if self.bottleneck is not None and self.bottleneck.questions != asked:
            raise RecipeError(
                f"the bottleneck was fitted on {len(self.bottleneck.questions)} concepts that are "
                f"not the {len(asked)} of {book} and its heads, in order; fit it again"
            )


def _known(book: ConceptBook, heads: ConceptHeads | None, path: Path) -> tuple[Concept, ...]:
    """Give the concepts of a book that can be scored, in the order of their heads."""
    if heads is None:
        return book.concepts
    by_question = {concept.question: concept for concept in book.concepts}
    lost = [question for question in heads.questions if question not in by_question]
    if lost:
        raise RecipeError(f"{path} lacks {len(lost)} concepts of the heads, such as {lost[0]!r}")
    return tuple(by_question[question] for question in heads.questions)


def told_of(concept: Concept, probability: float) -> str:
    """Say what a picture shows of a concept, by number and in words, and what the book says."""
    thing = concept.statement.removeprefix("there is ")
    plain = thing != concept.statement
    words = {thing if plain else concept.question: min(max(probability, 0.0), 1.0)}
    said = in_words(words, table=CHATCAD if plain else _OTHERWISE)
    lines = [f"Asked of the picture: {concept.question}", f"{said} ({probability:.2f})"]
    if concept.sentence:
        lines.append(f"The book: {concept.sentence}")
    return "\n".join(lines)
