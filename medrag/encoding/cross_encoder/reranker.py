"""Hits in the order that a cross-encoder gives them."""

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import numpy as np

from medrag.checkpoints.batching import check_sizes
from medrag.checkpoints.files import model_folder
from medrag.checkpoints.numerics import Dtype, check_dtype, numerics_of
from medrag.encoding.cross_encoder.model import Pair, PairModel, load
from medrag.encoding.rows import different
from medrag.encoding.text.running import text_batches
from medrag.encoding.text.texts import passage_text, question_text
from medrag.records import Hit, Part, Question

# Scores that differ by less are equal: a batch moves the last bits of a number.
_DECIMALS = 4


class CrossEncoderReranker:
    """Order hits by a model that reads question and passage together, such as MedCPT's.

    Loads any CrossEncoder of sentence-transformers and any classifier of transformers with one
    number: BERT and its kin, and language models that are asked for a yes. A passage is its title
    and its text; one that is too long is read in windows, and its best counts. A score is the
    model's own number (a logit): it orders hits of one question, and is no probability. A hit
    without words comes last; a question without words changes nothing. The model is loaded when it
    is first needed. Numbers do not depend on the batch, up to rounding.

    Args:
        model: hub id, or a folder. Nothing is downloaded where the hub's cache has it.
        revision: of a hub id.
        tokens: of a question and a passage together, at most; None for what the model reads.
        device: of torch; None for the GPU if there is one, else the CPU.
        dtype: "auto" is bfloat16 where the device computes in it natively, else float32.
        batch_tokens: in one pass through the model, padding included; halved when memory runs out.
            None for what suits the device.
        trust_remote_code: run Python code that comes with the model.

    Raises:
        ValueError: if a setting is out of range.
        RecipeError: (at first use) if the model is not found, or is none of these.

    Source:
        MedCPT: Jin et al., Bioinformatics 39(11), 2023, btad651.
    """

    name = "cross_encoder"
    # What no order depends on.
    beside = frozenset({"device", "batch_tokens"})

    def __init__(
        self,
        *,
        model: str = "ncbi/MedCPT-Cross-Encoder",
        revision: str | None = None,
        tokens: int | None = None,
        device: str | None = None,
        dtype: Dtype = "auto",
        batch_tokens: int | None = None,
        trust_remote_code: bool = False,
    ) -> None:
        check_dtype(dtype)
        check_sizes(tokens=tokens, batch_tokens=batch_tokens)
        self.model = model
        self.revision = revision
        self.tokens = tokens
        self.device = device
        self.dtype: Dtype = dtype
        self.batch_tokens = batch_tokens
        self.trust_remote_code = trust_remote_code

    @property
    def numerics(self) -> str:
        """Device and dtype in use, such as "cpu bfloat16"; loads the model."""
        return numerics_of(self._loaded.model)

    def rerank(
        self, questions: Sequence[Question], rankings: Sequence[Sequence[Hit]]
    ) -> list[list[Hit]]:
        """Order each ranking; all are read in the same batches."""
        pairs: list[Pair] = []
        owners: list[tuple[int, int]] = []
        for number, (question, hits) in enumerate(zip(questions, rankings, strict=True)):
            for place, several in self._pairs(question, hits):
                pairs += several
                owners += [(number, place)] * len(several)
        scores = [np.full(len(hits), math.nan) for hits in rankings]
        once, order = different(pairs)
        found = self._loaded.scores(once) if once else np.zeros(0)
        for (number, place), each in zip(owners, found[order], strict=True):
            scores[number][place] = np.fmax(scores[number][place], each)
        return [
            _ordered(hits, of_hits, self.name)
            for hits, of_hits in zip(rankings, scores, strict=True)
        ]

    def _pairs(self, question: Question, hits: Sequence[Hit]) -> list[tuple[int, list[Pair]]]:
        """Pair a question with the hits that have words, by their places."""
        query = question_text(question)[1]
        texts = [passage_text(hit.passage) for hit in hits]
        worded = [place for place, text in enumerate(texts) if any(text)]
        if not query or not worded:
            return []
        several = self._loaded.pairs(query, [texts[place] for place in worded])
        return list(zip(worded, several, strict=True))

    @cached_property
    def _folder(self) -> Path:
        return model_folder(self.model, self.revision)

    @cached_property
    def _loaded(self) -> PairModel:
        model = load(
            self._folder,
            device=self.device,
            dtype=self.dtype,
            trust_remote_code=self.trust_remote_code,
        )
        batches = text_batches(self.batch_tokens, self.device)
        return PairModel(self._folder, model, self.tokens, batches)


def _ordered(hits: Sequence[Hit], scores: np.ndarray, name: str) -> list[Hit]:
    """Rank hits by new scores, equal ones as before; those without a score last."""
    known = ~np.isnan(scores)
    if not known.any():
        return list(hits)
    filled = np.round(np.where(known, scores, scores[known].min()), _DECIMALS)
    best = np.lexsort((np.arange(len(hits)), -filled, ~known))
    found = []
    for rank, place in enumerate(best.tolist(), start=1):
        hit, score = hits[place], float(filled[place])
        part = {name: Part(rank, score)} if known[place] else {}
        parts = {key: each for key, each in hit.parts.items() if key != name} | part
        found.append(replace(hit, score=score, rank=rank, parts=parts))
    return found
