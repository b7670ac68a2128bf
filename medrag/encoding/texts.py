"""What is read of passages and questions, and what becomes of the vectors of their windows."""

import hashlib
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from medrag.encoding.presets import find
from medrag.encoding.reading import Text
from medrag.encoding.weights import model_folder
from medrag.errors import RecipeError
from medrag.records import Embeddings, Passage, Question

Rows = NDArray[np.float32]
# Tokens in one pass. On a CPU the activations of a batch should stay in its caches; a GPU needs
# work for thousands of threads.
_BUDGETS = {"cpu": 2048, "cuda": 65536}


def passage_text(passage: Passage) -> Text:
    """Give the title, or "", and the text of a passage."""
    return str(passage.fields.get("title") or "").strip(), passage.text.strip()


def question_text(question: Question) -> Text:
    """Give no title, and a question's text with its options, one per line."""
    return "", "\n".join((question.text, *question.options)).strip()


def batch_budget(device: str) -> int:
    """Give how many tokens go through a model at once on a device of torch."""
    return _BUDGETS.get(device.partition(":")[0], _BUDGETS["cpu"])


def prompts_name(question_prompt: str | None, passage_prompt: str | None) -> list[str]:
    """Name prompts that replace those of a model, for an encoder's name; empty if none does."""
    if question_prompt is None and passage_prompt is None:
        return []
    digest = hashlib.sha256(repr((question_prompt, passage_prompt)).encode()).hexdigest()
    return [f"prompts:{digest[:16]}"]


def text_folder(
    model: str,
    revision: str | None,
    kind: Literal["sentence", "medcpt", "sparse"],
    *,
    passages: bool = True,
) -> Path:
    """Find the files of a text encoder by a preset's name, a hub id or a folder.

    Args:
        passages: of two towers, that of passages, else that of questions.

    Raises:
        RecipeError: if the files are not found, or are of a preset for another kind of encoder,
            which would give other vectors than it was trained for.
    """
    preset = None if Path(model).expanduser().is_dir() else find(model)
    if preset is None:
        return model_folder(model, revision)
    if preset.kind != kind:
        raise RecipeError(f"{model} is an encoder of kind {preset.kind!r}, not {kind!r}")
    # Either hub id names the pair: passages read by the tower of questions find nothing.
    tower = preset.passage_model if passages and preset.passage_model else preset.model
    return model_folder(tower or model, revision)


def means(embeddings: Embeddings) -> Rows:
    """Average the rows of each input; (n, d)."""
    if len(embeddings.lengths) == len(embeddings.values):
        return embeddings.values
    starts = np.cumsum(embeddings.lengths) - embeddings.lengths
    sums: Rows = np.add.reduceat(embeddings.values, starts, axis=0)
    averages: Rows = np.divide(sums, embeddings.lengths[:, None], dtype=np.float32)
    return averages
