"""Domains by descriptions of their pictures, without a single labelled one."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from medrag.encoding.classifying.asking import picture_rows, question_rows
from medrag.encoding.classifying.deciding import Thresholds, check_thresholds, voted
from medrag.encoding.classifying.descriptions import read_descriptions
from medrag.encoding.heads import ClassPrototypes, described
from medrag.encoding.rows import Rows, unit
from medrag.errors import RecipeError
from medrag.protocols import Encoder
from medrag.records import Question, Routing

# Stands beside the domains for pictures of none; no domain is called so.
_OTHERS = ""
# Of an encoder that does not say by which factor it was trained.
_SCALE = 20.0


class ZeroShotClassifier:
    """Tell the domain of a question by which description its picture, or its text, is nearest to.

    A domain is the mean of the unit vectors of its descriptions, the pictures of none are one more;
    what is nearest to these, or far from all, is unlike every domain. Pictures vote, those that are
    unlike do not. Probabilities are a softmax over the domains alone.

    Args:
        encoder: one space for pictures and texts, such as of kind clip. With `side: text` any
            encoder of texts.
        templates: YAML file of descriptions of one's own; that of medrag if left out.
        domains: those of the file to tell apart; all if left out.
        temperature: divides cosines; None for what the encoder was trained with, or 0.05.
        least: below which the likeliest domain is not known.
        margin: by which it must lead the next.
        nearest: cosine to the nearest description below which an input is unlike all of them.
        side: "image", "text", or "any": the pictures of a question that has some, else its text.

    Raises:
        RecipeError: if the file cannot be read, or lacks descriptions.
        ValueError: if a number is out of range.

    Source:
        Xia et al., "MMed-RAG", ICLR 2025 (domain identification); Radford et al., ICML 2021,
        section 3.1.4. Several descriptions, and being unlike all, are ours.
    """

    def __init__(
        self,
        *,
        encoder: Encoder,
        templates: Path | None = None,
        domains: tuple[str, ...] | None = None,
        temperature: float | None = None,
        least: float = 0.5,
        margin: float = 0.1,
        nearest: float | None = None,
        side: Literal["image", "text", "any"] = "any",
    ) -> None:
        check_thresholds(least=least, margin=margin, temperature=temperature)
        if nearest is not None and not -1 <= nearest <= 1:
            raise ValueError(f"nearest must be a cosine in [-1, 1], got {nearest}")
        if side not in ("image", "text", "any"):
            raise ValueError(f"side must be 'image', 'text' or 'any', got {side!r}")
        self.descriptions = read_descriptions(templates, domains)
        for name, texts in self.descriptions.templates.items():
            if not texts:
                raise RecipeError(f"the domain {name!r} has no templates; describe its pictures")
        self.encoder = encoder
        self.temperature = temperature
        self.thresholds = Thresholds(least, margin)
        self.nearest = nearest
        self.side = side

    def classify(self, questions: Sequence[Question]) -> list[Routing]:
        """Route questions.

        Raises:
            InputFileError: naming the first picture that cannot be read.
            RecipeError: if the encoder reads no texts.
        """
        shown, written = self._sides(questions)
        routings = [Routing(reason="nothing to tell it by")] * len(questions)
        rows: dict[int, Rows] = {}
        if shown:
            found = picture_rows(self.encoder, [questions[place] for place in shown])
            rows |= dict(zip(shown, found, strict=True))
        if written:
            texts = self._text_rows([questions[place] for place in written])
            rows |= {place: row[None] for place, row in zip(written, texts, strict=True)}
        for place, vectors in rows.items():
            probabilities, unlike = self._told(vectors)
            routings[place] = voted(self._names, probabilities, unlike, self.thresholds)
        return routings

    def _sides(self, questions: Sequence[Question]) -> tuple[list[int], list[int]]:
        """Give the places of questions that are told by pictures, and of those by texts."""
        shown, written = [], []
        for place, question in enumerate(questions):
            if question.images and self.side != "text":
                shown.append(place)
            elif self.side != "image" and (question.text.strip() or question.options):
                written.append(place)
        return shown, written

    def _told(self, vectors: Rows) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Give probabilities of the domains, rows that sum to 1, and which inputs are unlike."""
        shares = self._prototypes.probabilities(vectors)
        n = len(self._names)
        cosines = unit(vectors).astype(np.float64) @ self._prototypes.vectors.T
        # By cosines: of far less likely domains no share is left to divide by.
        logits = self._prototypes.scale * cosines[:, :n]
        powers = np.exp(logits - logits.max(axis=1, keepdims=True))
        probabilities: NDArray[np.float64] = powers / powers.sum(axis=1, keepdims=True)
        unlike = shares.argmax(axis=1) >= n
        if self.nearest is not None:
            unlike |= cosines[:, :n].max(axis=1) < self.nearest
        return probabilities, unlike

    def _text_rows(self, questions: Sequence[Question]) -> Rows:
        try:
            return question_rows(self.encoder, questions, "text")
        except ValueError as error:
            raise RecipeError(
                f"zero_shot compares with descriptions, which {self.encoder.name!r} cannot read "
                f"({error}); give an encoder of pictures and texts, such as clip"
            ) from error

    @property
    def _names(self) -> tuple[str, ...]:
        return tuple(self.descriptions.templates)

    @cached_property
    def _prototypes(self) -> ClassPrototypes:
        told = dict(self.descriptions.templates)
        if self.descriptions.others:
            told[_OTHERS] = self.descriptions.others
        scale = getattr(self.encoder, "logit_scale", None) or _SCALE
        return described(
            told,
            lambda texts: self._text_rows([Question(text) for text in texts]),
            scale=scale if self.temperature is None else 1 / self.temperature,
        )
