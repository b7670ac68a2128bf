"""Pictures in the space of an encoder of texts, by a trained linear head."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import get_args

from medrag.checkpoints.numerics import Dtype, check_dtype
from medrag.encoding.pictures import encodes_pictures
from medrag.encoding.projected.files import Heads, Towers, heads_name, read_heads, read_towers
from medrag.encoding.projected.towers import tower
from medrag.encoding.rows import Rows, unit
from medrag.errors import RecipeError
from medrag.protocols import Encoder, Side
from medrag.records import Embeddings, Passage, Question

# Part of the encoder's name: raise it when the rule changes.
_RULE = "projected-1"


class ProjectedEncoder:
    """Two frozen encoders, one of pictures and one of texts, in one space by linear heads.

    A vector of the encoder of pictures goes through the head and is made unit length. Texts stay
    as their encoder gives them, or go through a head of their own. So questions with words find
    pictures, and questions with pictures find texts or pictures.

    Args:
        folder: that `medrag align retriever` wrote.
        passages: "image" or "text", the side of passages that is encoded.
        device: of torch, for the encoders that use it; None for the GPU if there is one.
        dtype: "auto" is bfloat16 where the device computes in it natively, else float32.

    Raises:
        ValueError: if a setting is none of these.
        RecipeError: (at first use) if the folder is none, its encoders cannot be had, or they are
            not those that the head was trained on.
        InputFileError: (at first use) if the file of the heads is damaged.
    """

    normalised = True

    def __init__(
        self,
        *,
        folder: Path,
        passages: Side = "image",
        device: str | None = None,
        dtype: Dtype = "auto",
    ) -> None:
        if passages not in get_args(Side):
            raise ValueError(f"passages must be 'image' or 'text', got {passages!r}")
        check_dtype(dtype)
        self.folder = Path(folder).expanduser()
        self.passages = passages
        self.device = device
        self.dtype: Dtype = dtype

    @cached_property
    def name(self) -> str:
        """Content of the heads, the side of passages, and the names of both encoders."""
        parts = [f"{_RULE}-{heads_name(self._heads)}", f"{self.passages} passages"]
        return "/".join([*parts, self._image.name, self._text.name])

    @property
    def numerics(self) -> str:
        """Those of the encoder of the passages, as far as it tells."""
        encoder = self._image if self.passages == "image" else self._text
        return str(getattr(encoder, "numerics", "cpu float64"))

    def encodes(self, passage: Passage) -> bool:
        """Tell whether a passage has a text, or pictures that it is about."""
        return encodes_pictures(passage) if self.passages == "image" else bool(passage.text.strip())

    def encode_passages(self, passages: Sequence[Passage]) -> Embeddings:
        """Encode every picture of each passage, or its text.

        Raises:
            InputFileError: naming the first picture that cannot be read.
            ValueError: if a passage has no picture, where pictures are encoded.
        """
        if self.passages == "text":
            return self._put(self._text.encode_passages(passages), "text")
        return self._put(self._image.encode_passages(passages), "image")

    def encode_questions(self, questions: Sequence[Question], side: Side) -> Embeddings:
        """Encode texts with their options, or pictures, one vector for each question.

        Raises:
            InputFileError: naming the first picture that cannot be read.
            ValueError: if a question lacks the picture that is asked for.
        """
        encoder = self._text if side == "text" else self._image
        return self._put(encoder.encode_questions(questions, side), side)

    def _put(self, found: Embeddings, side: Side) -> Embeddings:
        heads = self._heads
        if side == "image":
            values = _through(found.values, heads.image_weights, heads.image_bias)
        elif heads.text_weights is not None and heads.text_bias is not None:
            values = _through(found.values, heads.text_weights, heads.text_bias)
        else:
            values = unit(found.values)
        return Embeddings(values, found.lengths)

    @cached_property
    def _heads(self) -> Heads:
        return read_heads(self.folder)

    @cached_property
    def _towers(self) -> Towers:
        return read_towers(self.folder)

    @cached_property
    def _image(self) -> Encoder:
        encoder = tower(self._towers.image, device=self.device, dtype=self.dtype)
        self._check(encoder, self._towers.image_name)
        return encoder

    @cached_property
    def _text(self) -> Encoder:
        encoder = tower(self._towers.text, device=self.device, dtype=self.dtype)
        self._check(encoder, self._towers.text_name)
        return encoder

    def _check(self, encoder: Encoder, trained_on: str) -> None:
        if encoder.name != trained_on:
            raise RecipeError(
                f"{self.folder} was trained on vectors of {trained_on!r}, and its encoder is now "
                f"{encoder.name!r}; train it again: medrag align retriever"
            )


def _through(rows: Rows, weights: Rows, bias: Rows) -> Rows:
    """Map (n, d of an encoder) rows to (n, d) unit rows."""
    if rows.shape[1] != weights.shape[1]:
        raise RecipeError(
            f"the head takes vectors of {weights.shape[1]} numbers, and its encoder gives "
            f"{rows.shape[1]}; train it again: medrag align retriever"
        )
    return unit(rows @ weights.T + bias)
