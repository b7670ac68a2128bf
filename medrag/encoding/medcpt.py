"""Texts in the space of two BERT encoders, one for passages and one for questions."""

import copy
import threading
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from medrag.checkpoints.batching import Halving, check_sizes
from medrag.checkpoints.files import content_name
from medrag.checkpoints.loading import auto_model, auto_tokenizer, reading
from medrag.checkpoints.numerics import Dtype, check_dtype, chosen_dtype, moved, numerics_of
from medrag.encoding.rows import means
from medrag.encoding.text.reading import Reader, Window, padded
from medrag.encoding.text.running import text_batches, text_vectors
from medrag.encoding.text.texts import Text, passage_texts, question_texts
from medrag.encoding.weights import chosen_folder
from medrag.errors import RecipeError
from medrag.extras import require
from medrag.protocols import Side
from medrag.records import Embeddings, Passage, Question

# Part of the encoder's name: raise it when what is encoded for a text changes.
_TEXTS = "cls/title,text-pairs-1"


class MedCptEncoder:
    """Two encoders that transformers loads, such as MedCPT's: the vector of the first token.

    A passage is the pair [title, text], with an empty title where it has none; one of more than
    `passage_tokens` becomes several vectors, one per window of its text, each under its title. A
    question is its text and its options; one of more than `question_tokens` is the mean of its
    windows. Nothing is cut off. Scores are inner products, and lengths of vectors count.

    Args:
        model: of passages: hub id, folder, or a preset such as "medcpt".
        question_model: of questions.
        passage_tokens: that the model of passages reads at once, its marks included.
        question_tokens: likewise of questions.
        device: of torch; None for the GPU if there is one, else the CPU.
        dtype: "auto" is bfloat16 where the device computes in it natively, else float32.
        batch_tokens: in one pass, padding included; halved when memory runs out. None for what
            suits the device.
        revision: of the hub id `model`.
        question_revision: of the hub id `question_model`.
        normalise: True for a pair that was trained for cosines.
        trust_remote_code: run Python code that comes with the models.

    Raises:
        RecipeError: (at first use) if a model is not found, or the two have different dimensions.

    Source:
        Jin et al., Bioinformatics 39(11), 2023, btad651.
    """

    def __init__(
        self,
        *,
        model: str = "ncbi/MedCPT-Article-Encoder",
        question_model: str = "ncbi/MedCPT-Query-Encoder",
        passage_tokens: int = 512,
        question_tokens: int = 64,
        device: str | None = None,
        dtype: Dtype = "auto",
        batch_tokens: int | None = None,
        revision: str | None = None,
        question_revision: str | None = None,
        normalise: bool = False,
        trust_remote_code: bool = False,
    ) -> None:
        check_dtype(dtype)
        check_sizes(
            passage_tokens=passage_tokens,
            question_tokens=question_tokens,
            batch_tokens=batch_tokens,
        )
        self.model = model
        self.question_model = question_model
        self.passage_tokens = passage_tokens
        self.question_tokens = question_tokens
        self.device = device
        self.dtype: Dtype = dtype
        self.batch_tokens = batch_tokens
        self.revision = revision
        self.question_revision = question_revision
        self.normalised = normalise
        self.trust_remote_code = trust_remote_code

    @cached_property
    def name(self) -> str:
        """Content of both models, their limits, and which texts they read."""
        passages = content_name(self._folder(passages=True))
        questions = content_name(self._folder(passages=False))
        limits = f"{self.passage_tokens}+{self.question_tokens}"
        scaled = "unit" if self.normalised else "raw"
        return f"{passages}/questions:{questions}/{_TEXTS}/{limits}/{scaled}"

    @property
    def numerics(self) -> str:
        """Device and dtype in use, such as "cpu bfloat16"; loads the model of passages."""
        return numerics_of(self._passages.model)

    def encodes(self, passage: Passage) -> bool:
        """Tell whether a passage has a text."""
        return bool(passage.text.strip())

    def encode_passages(self, passages: Sequence[Passage]) -> Embeddings:
        """Encode pairs of title and text: one vector per window, in passage order."""
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
    def _passages(self) -> "_Tower":
        return self._tower(self._folder(passages=True), self.passage_tokens, pairs=True)

    @cached_property
    def _questions(self) -> "_Tower":
        tower = self._tower(self._folder(passages=False), self.question_tokens, pairs=False)
        if tower.d != self._passages.d:
            raise RecipeError(
                f"{self.question_model} has {tower.d} dimensions, but {self.model} has "
                f"{self._passages.d}; name two models that were trained together"
            )
        return tower

    def _folder(self, *, passages: bool) -> Path:
        if passages:
            return chosen_folder(self.model, self.revision, "medcpt")
        return chosen_folder(self.question_model, self.question_revision, "medcpt", passages=False)

    def _tower(self, folder: Path, limit: int, *, pairs: bool) -> "_Tower":
        trusted = self.trust_remote_code
        model = auto_model(folder, device=self.device, trust_remote_code=trusted)
        model = model.to(chosen_dtype(require("torch"), self.dtype, model.device.type))
        tokenizer = auto_tokenizer(folder, trust_remote_code=trusted)
        batches = text_batches(self.batch_tokens, self.device)
        with reading(folder, "an encoder of texts, such as a BERT"):
            return _Tower(model, tokenizer, limit, batches, pairs=pairs)


class _Tower:
    """One of the two models, with its tokenizer."""

    def __init__(
        self, model: Any, tokenizer: Any, limit: int, batches: Halving, *, pairs: bool
    ) -> None:
        self.model = model
        self.batches = batches
        places = getattr(model.config, "max_position_embeddings", None) or limit
        # A tokenizer keeps settings of its last call: two threads must not use one at once.
        self._lock = threading.Lock()
        self._reader = Reader(
            tokenizer=copy.deepcopy(tokenizer), limit=min(limit, places), pairs=pairs
        )
        self.d = int(self.run(self.read([("", "heart")])[0]).shape[1])

    def read(self, texts: Sequence[Text]) -> list[list[Window]]:
        """Give the windows of each text, at least one."""
        with self._lock:
            return self._reader.read(texts)

    def run(self, batch: list[Window]) -> Any:
        """Give the vector of each window's first token: a tensor (n, d) of float32."""
        columns = padded(self._reader.tokenizer, batch)
        with require("torch").inference_mode():
            tensors = moved(columns, self.model)
            return self.model(**tensors).last_hidden_state[:, 0].float()
