"""Texts in the space of one sentence-transformers model, or of two that were trained together."""

import hashlib
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from medrag.checkpoints.batching import check_sizes
from medrag.checkpoints.files import content_name
from medrag.checkpoints.numerics import Dtype, check_dtype, numerics_of
from medrag.encoding.rows import means
from medrag.encoding.text.running import text_batches, text_vectors
from medrag.encoding.text.sentence_transformers import TaskModel, load
from medrag.encoding.text.texts import passage_texts, question_texts
from medrag.encoding.weights import chosen_folder
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
        window: tokens of a window of a passage at most, where that is less than the model reads:
            a passage is then found by its best few sentences. None for as many as it reads.
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
        window: int | None = None,
        trust_remote_code: bool = False,
    ) -> None:
        check_dtype(dtype)
        check_sizes(batch_tokens=batch_tokens, window=window)
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
        self.window = window
        self.trust_remote_code = trust_remote_code

    @cached_property
    def name(self) -> str:
        """Content of weights and configuration (with pooling, prompts and length), and texts."""
        parts = [content_name(self._folder)]
        if self.question_model is not None:
            parts.append(f"questions:{content_name(self._question_folder)}")
        prompts = (self.question_prompt, self.passage_prompt)
        if prompts != (None, None):
            digest = hashlib.sha256(repr(prompts).encode()).hexdigest()
            parts.append(f"prompts:{digest[:16]}")
        if self.window is not None:
            parts.append(f"window:{self.window}")
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
        texts = passage_texts(passages)
        return text_vectors(self._passages, texts, normalised=self.normalised)

    def encode_questions(self, questions: Sequence[Question], side: Side) -> Embeddings:
        """Encode texts with their options: one vector per question.

        Raises:
            ValueError: if the images of the questions are asked for.
        """
        texts = question_texts(questions, side)
        found = text_vectors(self._questions, texts, normalised=self.normalised)
        return means(found, normalised=self.normalised)

    @cached_property
    def _folder(self) -> Path:
        return chosen_folder(self.model, self.revision, "sentence")

    @cached_property
    def _question_folder(self) -> Path:
        if self.question_model is None:
            return self._folder
        return chosen_folder(self.question_model, self.question_revision, "sentence")

    @cached_property
    def _passages(self) -> TaskModel:
        model, batches = self._loaded(self._folder), text_batches(self.batch_tokens, self.device)
        return TaskModel(
            self._folder, model, "document", batches,
            prompt=self.passage_prompt, window=self.window,
        )  # fmt: skip

    @cached_property
    def _questions(self) -> TaskModel:
        folder, one = self._question_folder, self.question_model is None
        model = self._passages.model if one else self._loaded(folder)
        batches = text_batches(self.batch_tokens, self.device)
        return TaskModel(folder, model, "query", batches, prompt=self.question_prompt)

    def _loaded(self, folder: Path) -> Any:
        return load(
            "SentenceTransformer",
            folder,
            device=self.device,
            dtype=self.dtype,
            trust_remote_code=self.trust_remote_code,
        )
