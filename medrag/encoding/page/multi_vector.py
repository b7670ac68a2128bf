"""Late-interaction models as sentence-transformers, PyLate and the authors of ColBERT save them."""

import copy
from collections.abc import Sequence
from pathlib import Path
from threading import Lock
from typing import Any

from medrag.encoding.numerics import Dtype
from medrag.encoding.page.tokens import Prepared, TokenVectors, prepared, stacked, token_vectors
from medrag.encoding.text.reading import Reader
from medrag.encoding.text.sentence_transformers import Task, load, prompt_of, token_limit
from medrag.encoding.text.texts import Text
from medrag.encoding.weights import configuration
from medrag.extras import require

# Kinds that sentence-transformers reads; the second is PyLate's.
_SAVED_AS = ("MultiVectorEncoder", "ColBERT")


class MultiVectorModel:
    """Any MultiVectorEncoder of sentence-transformers, which reads PyLate and ColBERT as well."""

    def __init__(self, *, folder: Path, device: str, dtype: Dtype, trust_remote_code: bool) -> None:
        self.module = load(
            "MultiVectorEncoder",
            folder,
            device=device,
            dtype=dtype,
            trust_remote_code=trust_remote_code,
        )
        self.processor = self.module.processor
        self.tokenizer = self.module.tokenizer
        self.modalities = _modalities(self.module)
        self.device = device
        self.d = int(self.module.get_embedding_dimension())
        self._lock = Lock()
        self._readers: dict[Task, Reader] = {}

    def windows(self, texts: Sequence[Text], task: Task) -> list[list[str]]:
        """Give each text as what the model reads at once: ColBERT takes 32 tokens of a question."""
        with self._lock:
            if task not in self._readers:
                self._readers[task] = Reader(
                    # A copy: a tokenizer keeps settings of its last call.
                    tokenizer=copy.deepcopy(self.tokenizer),
                    limit=token_limit(self.module[0], task),
                    prompt=prompt_of(self.module, task),
                )
            several = self._readers[task].read(texts)
        return [[window.text for window in each] for each in several]

    def of_picture(self, picture: Any) -> Prepared:
        """Prepare an image of Pillow."""
        return self._of(picture, "document")

    def of_text(self, text: str, task: Task) -> Prepared:
        """Prepare a question, or the text of a passage, under the model's prompt for it."""
        return self._of(text, task)

    def vectors(self, batch: Sequence[Prepared], task: Task) -> list[TokenVectors]:
        """Encode inputs of one shape."""
        with require("torch").inference_mode():
            features = stacked(batch, self.device)
            identities = features["input_ids"]
            found = self.module(features, task=task)
            return token_vectors(found["token_embeddings"], found["attention_mask"], identities)

    def _of(self, value: Any, task: Task) -> Prepared:
        prompt = prompt_of(self.module, task) or None
        with self._lock:
            return prepared(self.module.preprocess([value], prompt=prompt, task=task))


def is_saved_encoder(folder: Path) -> bool:
    """Tell whether a folder is of sentence-transformers, PyLate or Stanford's ColBERT."""
    saved = configuration(folder / "config_sentence_transformers.json")
    is_late = saved.get("model_type") in _SAVED_AS or "query_prefix" in saved
    is_stanford = "HF_ColBERT" in (configuration(folder / "config.json").get("architectures") or ())
    return (is_late and (folder / "modules.json").is_file()) or is_stanford


def _modalities(module: Any) -> tuple[str, ...]:
    """Tell what a model of sentence-transformers reads of passages."""
    known = tuple(name for name in ("text", "image") if name in module.modalities)
    # A processor of transformers' own retrievers writes every text as a question.
    if getattr(module[0], "transformer_task", None) == "retrieval":
        return tuple(name for name in known if name != "text")
    return known
