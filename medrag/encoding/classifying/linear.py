"""Domains by a linear head that was fitted on labelled pictures."""

from collections.abc import Sequence
from pathlib import Path

from medrag.encoding.classifying.asking import picture_rows
from medrag.encoding.classifying.deciding import Thresholds, check_thresholds, voted
from medrag.encoding.descriptor import DescriptorEncoder
from medrag.encoding.heads import Neighbours, load_head
from medrag.protocols import Encoder
from medrag.records import Question, Routing


class LinearClassifier:
    """Tell the domain of a question by its pictures, as `medrag eval router` learnt it.

    Every picture votes with its probabilities. One that lies further from what the head was fitted
    on than any picture should is unlike every domain, and has no vote. A question without pictures
    belongs to no domain.

    Args:
        head: the .npz file that `medrag eval router --out` wrote.
        encoder: of the pictures, as it was fitted; the weightless descriptor if left out.
        temperature: in place of the file's.
        least: likewise, below which the likeliest domain is not known.
        margin: likewise, by which it must lead the next.
        furthest: likewise, the greatest distance that is not unlike, in [0, 2]; 2 rejects nothing.

    Raises:
        InputFileError: if the file is missing, damaged, or no head.
        RecipeError: if it was fitted on vectors of another encoder.
        ValueError: if a number is out of range, or `furthest` is given and the file holds nothing
            to be far from.

    Source:
        Xia et al., "MMed-RAG", ICLR 2025: a classifier of domains stands before the
        retrievers; a linear head on frozen vectors in place of its fine-tuned model.
    """

    def __init__(
        self,
        *,
        head: Path,
        encoder: Encoder | None = None,
        temperature: float | None = None,
        least: float | None = None,
        margin: float | None = None,
        furthest: float | None = None,
    ) -> None:
        check_thresholds(least=least, margin=margin, temperature=temperature)
        self.encoder: Encoder = DescriptorEncoder() if encoder is None else encoder
        found = load_head(head, encoder=self.encoder.name)
        neighbours = found.neighbours
        if furthest is not None:
            if neighbours is None:
                raise ValueError(
                    f"{head} holds no vectors to be far from, so that furthest says nothing; "
                    "leave it out, or fit the head by medrag eval router"
                )
            neighbours = Neighbours(vectors=neighbours.vectors, k=neighbours.k, furthest=furthest)
        self.head = type(found)(
            head=found.head,
            temperature=found.temperature if temperature is None else temperature,
            neighbours=neighbours,
        )
        self.thresholds = Thresholds(
            found.least if least is None else least, found.margin if margin is None else margin
        )

    def classify(self, questions: Sequence[Question]) -> list[Routing]:
        """Route questions.

        Raises:
            InputFileError: naming the first picture that cannot be read.
        """
        shown = [place for place, question in enumerate(questions) if question.images]
        routings = [Routing(reason="no picture to tell it by")] * len(questions)
        if not shown:
            return routings
        rows = picture_rows(self.encoder, [questions[place] for place in shown])
        for place, vectors in zip(shown, rows, strict=True):
            routings[place] = voted(
                self.head.head.names,
                self.head.probabilities(vectors),
                self.head.unlike(vectors),
                self.thresholds,
            )
        return routings
