"""ColPali, ColQwen2 and ColModernVBERT as transformers has them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from threading import Lock
from typing import Any

from medrag.encoding.loading import quietly
from medrag.encoding.numerics import Dtype, chosen_dtype
from medrag.encoding.page.tokens import Prepared, TokenVectors, prepared, stacked, token_vectors
from medrag.encoding.text.sentence_transformers import Task
from medrag.encoding.text.texts import Text, joined
from medrag.encoding.weights import configuration
from medrag.extras import require

# Classes of transformers, by the model type of config.json, without "ForRetrieval".
NATIVE: Mapping[str, str] = {
    "colpali": "ColPali",
    "colqwen2": "ColQwen2",
    "colmodernvbert": "ColModernVBert",
}


class NativeModel:
    """ColPali, ColQwen2 or ColModernVBERT by the classes of transformers."""

    # Of passages: their texts are what only questions are made of.
    modalities: tuple[str, ...] = ("image",)

    def __init__(self, *, folder: Path, device: str, dtype: Dtype) -> None:
        library, torch = require("transformers"), require("torch")
        family = NATIVE[model_type(folder)]
        preparing = getattr(library, f"{family}Processor")
        self.processor = preparing.from_pretrained(folder, local_files_only=True)
        self.tokenizer = self.processor.tokenizer
        with quietly():
            loaded = getattr(library, f"{family}ForRetrieval").from_pretrained(
                folder, dtype=chosen_dtype(torch, dtype, device), local_files_only=True
            )
        self.module = loaded.to(device).eval()
        self.device = device
        self.d = int(self.module.config.embedding_dim)
        self._lock = Lock()

    def windows(self, texts: Sequence[Text], task: Task) -> list[list[str]]:
        """Give each text as one: these models have room for thousands of tokens."""
        del task
        return [[joined(*text)] for text in texts]

    def of_picture(self, picture: Any) -> Prepared:
        """Prepare an image of Pillow."""
        with self._lock:
            return prepared(self.processor.process_images(images=[picture], return_tensors="pt"))

    def of_text(self, text: str, task: Task) -> Prepared:
        """Prepare a question; `modalities` keeps the texts of passages away."""
        del task
        with self._lock:
            return prepared(self.processor.process_queries(text=[text], return_tensors="pt"))

    def vectors(self, batch: Sequence[Prepared], task: Task) -> list[TokenVectors]:
        """Encode inputs of one shape."""
        del task
        with require("torch").inference_mode():
            features = stacked(batch, self.device)
            embeddings = self.module(**features).embeddings
            return token_vectors(embeddings, features["attention_mask"], features["input_ids"])


def model_type(folder: Path) -> str:
    """Read the model type of config.json; "" where there is none."""
    return str(configuration(folder / "config.json").get("model_type") or "")
