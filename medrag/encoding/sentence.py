"""Texts in the space of one sentence-transformers model, or of two that were trained together."""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np

from medrag.encoding.batching import Halving
from medrag.encoding.numerics import Dtype, check_dtype, numerics_of
from medrag.encoding.rows import unit
from medrag.encoding.running import dense, different, repeated, through
from medrag.encoding.text_model import TextModel, load
from medrag.encoding.texts import (
    Rows,
    batch_budget,
    means,
    passage_text,
    prompts_name,
    question_text,
    text_folder,
)
from medrag.encoding.weights import content_name
from medrag.protocols import Side
from medrag.records import Embeddings, Passage, Question

# Part of the encoder's name: raise it when the text that is encoded for a passage changes.
_TEXTS = "title+text-windows-1"


class SentenceEncoder:
    """Any sentence-transformers model, by preset, hub id or local folder.

    A passage is its title and its text; one that is longer than the model can read becomes
    several vectors, one per window of its text, each under its title: nothing is cut off. A
    question is its text and its options; a long one is the mean of its windows. Questions and
    passages get the prompts and the routes that the model has for them. The model is loaded at the
    first encoding. Rows are equal whatever batch a text stands in, up to rounding (cosine at least
    0.999 in bfloat16).

    Args:
        model: a preset such as "minilm" (see `medrag models`), a hub id, or a folder.
        question_model: another model of the same space for questions; None for the same.
        device: of torch; None for the GPU if there is one, else the CPU.
        dtype: "auto" is bfloat16 where the device computes in it natively, else float32.
        batch_tokens: in one pass through the model, padding included; halved when memory runs
            out. None for what suits the device.
        revision: of a hub id.
        question_revision: of the hub id of `question_model`.
        question_prompt: written before each question; None for the model's own.
        passage_prompt: written before each passage; None for the model's own.
        normalise: False for a model made for inner products.
        trust_remote_code: run Python code that comes with the model.

    Raises:
        RecipeError: (at first use) if the model is not found; the message says what to do.
    """

    def __init__(
        self,
        *,
        model: str,
        question_model: str | None = None,
        device: str | None = None,
        dtype: Dtype = "auto",
        batch_tokens: int | None = None,
        revision: str | None = None,
        question_revision: str | None = None,
        question_prompt: str | None = None,
        passage_prompt: str | None = None,
        normalise: bool = True,
        trust_remote_code: bool = False,
    ) -> None:
        check_dtype(dtype)
        if batch_tokens is not None and batch_tokens < 1:
            raise ValueError(f"batch_tokens must be at least 1, got {batch_tokens}")
        if question_revision is not None and question_model is None:
            raise ValueError("question_revision is of question_model, which was not given")
        self.model = model
        self.question_model = question_model
        self.device = device
        self.dtype: Dtype = dtype
        self.batch_tokens = batch_tokens
        self.revision = revision
        self.question_revision = question_revision
        self.question_prompt = question_prompt
        self.passage_prompt = passage_prompt
        self.normalised = normalise
        self.trust_remote_code = trust_remote_code

    @cached_property
    def name(self) -> str:
        """Content of weights and configuration (with pooling, prompts and length), and texts."""
        parts = [content_name(text_folder(self.model, self.revision, "sentence"))]
        if self.question_model is not None:
            asked = text_folder(self.question_model, self.question_revision, "sentence")
            parts.append(f"questions:{content_name(asked)}")
        parts += prompts_name(self.question_prompt, self.passage_prompt)
        return "/".join([*parts, _TEXTS, "unit" if self.normalised else "raw"])

    @property
    def numerics(self) -> str:
        """Device and dtype in use, such as "cpu bfloat16"; loads the model."""
        return numerics_of(self._passages.model)

    def encodes(self, passage: Passage) -> bool:
        """Tell whether a passage has a text."""
        return bool(passage.text.strip())

    def encode_passages(self, passages: Sequence[Passage]) -> Embeddings:
        """Encode texts under their titles: one vector per window, in passage order."""
        return self._encoded(self._passages, [passage_text(passage) for passage in passages])

    def encode_questions(self, questions: Sequence[Question], side: Side) -> Embeddings:
        """Encode texts with their options: one vector per question.

        Raises:
            ValueError: if the images of the questions are asked for.
        """
        if side != "text":
            raise ValueError(f"a sentence encoder reads texts, not the side {side!r}")
        found = self._encoded(self._questions, [question_text(each) for each in questions])
        values = means(found)
        return Embeddings(
            unit(values) if self.normalised else values, np.ones(len(questions), dtype=np.int32)
        )

    def _encoded(self, model: TextModel, texts: Sequence[tuple[str, str]]) -> Embeddings:
        once, order = different(texts)
        chunks = through(once, read=model.read, run=model.run, halving=self._halving)
        values, lengths = repeated(*dense(chunks, model.d), order)
        return Embeddings(self._scaled(values), lengths)

    def _scaled(self, values: Rows) -> Rows:
        # Anew in float32: a unit row in bfloat16 is off by up to half a percent.
        return unit(values) if self.normalised else values

    @cached_property
    def _halving(self) -> Halving:
        device = str(self._passages.model.device)
        return Halving(budget=self.batch_tokens or batch_budget(device))

    @cached_property
    def _passages(self) -> TextModel:
        model = self._loaded(self.model, self.revision)
        return TextModel(model=model, task="document", prompt=self.passage_prompt)

    @cached_property
    def _questions(self) -> TextModel:
        if self.question_model is None:
            model = self._passages.model
        else:
            model = self._loaded(self.question_model, self.question_revision)
        return TextModel(model=model, task="query", prompt=self.question_prompt)

    def _loaded(self, model: str, revision: str | None) -> Any:
        return load(
            "SentenceTransformer",
            text_folder(model, revision, "sentence"),
            device=self.device,
            dtype=self.dtype,
            trust_remote_code=self.trust_remote_code,
        )
