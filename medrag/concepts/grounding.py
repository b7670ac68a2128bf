"""From a picture's vector to the probability of each concept."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from medrag.concepts.book import Concept
from medrag.encoding.heads.files import (
    read_arrays,
    read_format,
    read_numbers,
    read_texts,
    write_arrays,
)
from medrag.encoding.heads.linear import fitted
from medrag.encoding.heads.logits import sigmoid
from medrag.encoding.rows import Rows, means, unit
from medrag.errors import InputFileError, RecipeError
from medrag.protocols import Encoder
from medrag.records import Question

_FORMAT = 1
_ARRAYS = ("format", "questions", "weights", "bias", "accuracy", "encoder")
# Pictures of each answer that are kept aside: a tenth, and 50 at most; with fewer than 10 the
# concept is left out.
_SHARE, _MOST, _LEAST = 0.1, 50, 10


@dataclass(frozen=True, slots=True)
class ConceptHeads:
    """One logistic regression for each concept, on unit vectors of one encoder.

    Attributes:
        questions: of the concepts that could be fitted.
        weights: (n_concepts, d).
        bias: (n_concepts,).
        accuracy: (n_concepts,), mean of both answers' on pictures kept aside.
        encoder: its name.
    """

    questions: tuple[str, ...]
    weights: NDArray[np.float64]
    bias: NDArray[np.float64]
    accuracy: NDArray[np.float64]
    encoder: str

    def probabilities(self, vectors: Rows) -> NDArray[np.float64]:
        """Give (n, n_concepts) for (n, d) vectors of the same encoder."""
        return sigmoid(unit(vectors).astype(np.float64) @ self.weights.T + self.bias)

    def save(self, path: Path) -> None:
        """Write an .npz file of plain arrays; it is whole or untouched.

        Raises:
            InputFileError: if the disk refuses.
        """
        write_arrays(path, {
            "format": np.array(_FORMAT), "questions": np.array(self.questions),
            "weights": self.weights, "bias": self.bias, "accuracy": self.accuracy,
            "encoder": np.array(self.encoder),
        })  # fmt: skip

    @classmethod
    def load(cls, path: Path, *, encoder: str) -> "ConceptHeads":
        """Read what `save` wrote; no code in the file is run.

        Raises:
            InputFileError: if the file is none of these.
            RecipeError: if they were fitted on vectors of another encoder.
        """
        stored = read_arrays(path, _ARRAYS, what="heads of concepts")
        read_format(path, stored, _FORMAT)
        name = str(stored["encoder"])
        if name != encoder:
            raise RecipeError(f"{path} was fitted on vectors of {name!r}, not of {encoder!r}")
        questions = read_texts(path, stored, "questions")
        numbers = read_numbers(path, stored, ("weights", "bias", "accuracy"))
        n = len(questions)
        shapes = (numbers["weights"].shape[:1], numbers["bias"].shape, numbers["accuracy"].shape)
        if numbers["weights"].ndim != 2 or set(shapes) != {(n,)}:
            raise InputFileError(path, f"its arrays do not fit its {n} concepts; fit it again")
        return cls(questions=questions, encoder=name, **numbers)


def fit_heads(
    vectors: Rows,
    labels: NDArray[np.float64],
    concepts: Sequence[Concept],
    *,
    encoder: str,
    seed: int = 0,
    l2: float = 1.0,
) -> ConceptHeads:
    """Fit a head for each concept with enough pictures of both answers.

    Args:
        vectors: (n, d) of pictures.
        labels: (n, n_concepts): 1 yes, 0 no, nan not known.
        concepts: in the order of the columns.
        encoder: name of what gave the vectors.
        seed: of which pictures are kept aside to tell the accuracy.

    Raises:
        ValueError: if shapes differ, or no concept has enough pictures.

    Source:
        KnoBo, arXiv 2405.14839: balanced logistic regressions on unit vectors; a tenth of each
        answer, 50 at most and 10 at least, kept aside.
    """
    if labels.shape != (len(vectors), len(concepts)):
        raise ValueError(
            f"labels of shape {labels.shape} do not fit {len(vectors)} vectors and "
            f"{len(concepts)} concepts"
        )
    wide = unit(vectors)
    draw = np.random.default_rng(seed)
    made = []
    for column, concept in enumerate(concepts):
        parts = _parted(labels[:, column], draw)
        if parts is not None:
            head = fitted(
                wide[np.concatenate(parts.rows)],
                ["yes"] * len(parts.rows[0]) + ["no"] * len(parts.rows[1]),
                encoder=encoder, l2=l2, balanced=True, standardise=False,
            )  # fmt: skip
            # Of two classes in order, the second ("yes") less the first.
            weights, bias = head.weights[1] - head.weights[0], head.bias[1] - head.bias[0]
            right = _right(wide, weights, bias, parts)
            made.append((concept.question, weights, bias, right))
    if not made:
        raise ValueError(
            f"no concept has {_LEAST * 10} pictures of yes and as many of no; label more pictures"
        )
    questions, weights_, biases, accuracies = zip(*made, strict=True)
    return ConceptHeads(
        questions, np.array(weights_), np.array(biases), np.array(accuracies), encoder
    )


class _Parts(NamedTuple):
    """Pictures of yes and of no: those that a head is fitted to, and those kept aside."""

    rows: list[NDArray[np.int64]]
    aside: list[NDArray[np.int64]]


def _parted(answers: NDArray[np.float64], draw: np.random.Generator) -> _Parts | None:
    """Part the pictures of a concept; None where there are too few of an answer."""
    both = [np.flatnonzero(answers == answer) for answer in (1, 0)]
    kept = [min(int(len(rows) * _SHARE), _MOST) for rows in both]
    if min(kept) < _LEAST:
        return None
    # Equally many of both answers: the more frequent one is cut at random.
    each = min(len(rows) - n for rows, n in zip(both, kept, strict=True))
    orders = [draw.permutation(rows) for rows in both]
    return _Parts(
        [order[n:][:each] for order, n in zip(orders, kept, strict=True)],
        [order[:n] for order, n in zip(orders, kept, strict=True)],
    )


def _right(
    vectors: NDArray[np.float32], weights: NDArray[np.float64], bias: float, parts: _Parts
) -> float:
    """Give the share of the pictures kept aside that a head tells right, both answers alike."""
    shares = [
        ((vectors[rows] @ weights + bias > 0) == answer).mean()
        for rows, answer in zip(parts.aside, (True, False), strict=True)
    ]
    return float(np.mean(shares))


def contrasted(
    vectors: Rows, concepts: Sequence[Concept], encoder: Encoder, *, scale: float = 100.0
) -> NDArray[np.float64]:
    """Score concepts without labels: each statement against its denial, by an image-text encoder.

    Args:
        vectors: (n, d) of pictures, of the same encoder.
        scale: of the cosines before the softmax of the two.

    Raises:
        RecipeError: if the encoder reads no texts.

    Returns:
        (n, n_concepts) in [0, 1]. No calibrated probability: an order, and a sign about 0.5.

    Source:
        Tiu et al., Nature Biomedical Engineering 6, 2022 (positive and negative prompts).
    """
    sides = [
        _text_rows(encoder, texts)
        for texts in (
            [each.statement or each.question for each in concepts],
            [each.denial or f"no: {each.question}" for each in concepts],
        )
    ]
    pictures = unit(vectors).astype(np.float64)
    yes, no = (pictures @ unit(side).astype(np.float64).T for side in sides)
    return sigmoid(scale * (yes - no))


def _text_rows(encoder: Encoder, texts: Sequence[str]) -> Rows:
    try:
        found = encoder.encode_questions([Question(text=text) for text in texts], "text")
    except ValueError as error:
        raise RecipeError(
            f"without heads, concepts are compared with texts, which {encoder.name!r} cannot read "
            f"({error}); give heads (medrag concepts fit), or an encoder of pictures and texts"
        ) from error
    return means(found, normalised=True).values
