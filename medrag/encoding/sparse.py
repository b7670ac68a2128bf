"""Texts as weights over a vocabulary: the sparse encoders of sentence-transformers."""

from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medrag.checkpoints.batching import check_sizes
from medrag.checkpoints.files import content_name
from medrag.checkpoints.numerics import Dtype, check_dtype, numerics_of
from medrag.encoding.rows import different
from medrag.encoding.text.reading import Window
from medrag.encoding.text.running import text_batches, through
from medrag.encoding.text.sentence_transformers import Task, TaskModel, load
from medrag.encoding.text.texts import Text, passage_texts, question_texts
from medrag.encoding.weights import chosen_folder
from medrag.extras import require
from medrag.protocols import Side
from medrag.records import Passage, Question, SparseEmbeddings

# Part of the encoder's name: raise it when what is encoded for a text changes.
_TEXTS = "title+text-windows-max-1"

# (terms, weights) of one text, terms ascending.
_Row = tuple[NDArray[np.int32], NDArray[np.float32]]


class SparseTextEncoder:
    """Any SparseEncoder of sentence-transformers, such as SPLADE.

    A passage is its title and its text, a question its text and its options. Of a text that is
    longer than the model can read, each term weighs what it weighs at most in one of its windows,
    as SPLADE itself takes the largest of its tokens. Models whose questions need no transformer
    (an inference-free route of a `Router`) take that route.

    Args:
        model: a preset such as "splade" (see `medrag models`), a hub id, or a folder.
        device: of torch; None for the GPU if there is one, else the CPU.
        dtype: "auto" is bfloat16 where the device computes in it natively, else float32.
        batch_tokens: in one pass, padding included; halved when memory runs out. None for what
            suits the device: a token costs a number for each term of the vocabulary.
        revision: of a hub id.
        terms: keep so many of the heaviest terms of each text; None for what the model says.
        trust_remote_code: run Python code that comes with the model.

    Raises:
        RecipeError: (at first use) if the model is not found; the message says what to do.

    Source:
        Formal et al., SIGIR 2021 and arXiv:2109.10086 (SPLADE).
    """

    normalised = False

    def __init__(
        self,
        *,
        model: str,
        device: str | None = None,
        dtype: Dtype = "auto",
        batch_tokens: int | None = None,
        revision: str | None = None,
        terms: int | None = None,
        trust_remote_code: bool = False,
    ) -> None:
        check_dtype(dtype)
        check_sizes(batch_tokens=batch_tokens, terms=terms)
        self.model = model
        self.device = device
        self.dtype: Dtype = dtype
        self.batch_tokens = batch_tokens
        self.revision = revision
        self.terms = terms
        self.trust_remote_code = trust_remote_code

    @cached_property
    def name(self) -> str:
        """Content of weights and configuration, and which texts and terms are read."""
        return f"{content_name(self._folder)}/{_TEXTS}" + (
            f"/top{self.terms}" if self.terms else ""
        )

    @property
    def numerics(self) -> str:
        """Device and dtype in use, such as "cpu bfloat16"; loads the model."""
        return numerics_of(self._loaded)

    def encodes(self, passage: Passage) -> bool:
        """Tell whether a passage has a text."""
        return bool(passage.text.strip())

    def encode_passages(self, passages: Sequence[Passage]) -> SparseEmbeddings:
        """Encode texts under their titles."""
        return self._encoded(self._passages, passage_texts(passages))

    def encode_questions(self, questions: Sequence[Question], side: Side) -> SparseEmbeddings:
        """Encode texts with their options.

        Raises:
            ValueError: if the images of the questions are asked for.
        """
        texts = question_texts(questions, side)
        return self._encoded(self._questions, texts)

    def _encoded(self, model: TaskModel, texts: Sequence[Text]) -> SparseEmbeddings:
        once, order = different(texts)

        def run(batch: list[Window]) -> list[_Row]:
            return _heaviest(model.run(batch), self._kept)

        found: list[_Row] = []
        for chunk in through(model, once, run):
            rows: dict[int, _Row] = {}
            for places, several in chunk.batches:
                rows.update(zip(places, several, strict=True))
            windows = iter(rows[place] for place in range(len(rows)))
            found += [largest([next(windows) for _ in range(n)], self._kept) for n in chunk.lengths]
        return _packed([found[place] for place in order], model.d)

    @cached_property
    def _kept(self) -> int | None:
        return self.terms or self._loaded.max_active_dims

    @cached_property
    def _folder(self) -> Path:
        return chosen_folder(self.model, self.revision, "sparse")

    @cached_property
    def _loaded(self) -> Any:
        return load(
            "SparseEncoder",
            self._folder,
            device=self.device,
            dtype=self.dtype,
            trust_remote_code=self.trust_remote_code,
        )

    @cached_property
    def _passages(self) -> TaskModel:
        return self._model("document")

    @cached_property
    def _questions(self) -> TaskModel:
        return self._model("query")

    def _model(self, task: Task) -> TaskModel:
        # The scores of all terms stand in memory at once: half of what other encoders take.
        batches = text_batches(self.batch_tokens, self.device, share=2)
        return TaskModel(self._folder, self._loaded, task, batches)


def largest(rows: Sequence[_Row], kept: int | None = None) -> _Row:
    """Give each term of several rows the largest of its weights; terms ascending.

    Args:
        rows: windows of one text.
        kept: so many of the heaviest terms; None for all.
    """
    if len(rows) == 1:
        return rows[0]
    terms = np.concatenate([terms for terms, _ in rows])
    weights = np.concatenate([weights for _, weights in rows])
    found, places = np.unique(terms, return_inverse=True)
    most = np.zeros(len(found), dtype=np.float32)
    np.maximum.at(most, places, weights)
    if kept is not None and kept < len(found):
        heaviest = np.sort(np.argsort(-most, kind="stable")[:kept])
        return found[heaviest], most[heaviest]
    return found, most


def _heaviest(rows: Any, kept: int | None) -> list[_Row]:
    """Give the positive weights of a tensor (n, d), or the heaviest so many of each row."""
    torch = require("torch")
    dense = rows.to_dense() if rows.is_sparse else rows
    if kept is not None and kept < dense.shape[1]:
        top = torch.topk(dense, kept, dim=1)
        dense = torch.zeros_like(dense).scatter_(1, top.indices, top.values)
    place, term = torch.nonzero(dense > 0, as_tuple=True)
    weights = dense[place, term].cpu().numpy()
    counts = torch.bincount(place, minlength=len(dense)).cpu().numpy()
    ends = np.cumsum(counts)[:-1]
    terms = term.cpu().numpy().astype(np.int32)
    return list(zip(np.split(terms, ends), np.split(weights, ends), strict=True))


def _packed(rows: Iterable[_Row], d: int) -> SparseEmbeddings:
    listed = list(rows)
    terms = [np.zeros(0, dtype=np.int32), *(terms for terms, _ in listed)]
    weights = [np.zeros(0, dtype=np.float32), *(weights for _, weights in listed)]
    lengths = np.array([len(terms) for terms, _ in listed], dtype=np.int32)
    return SparseEmbeddings(np.concatenate(terms), np.concatenate(weights), lengths, d)
