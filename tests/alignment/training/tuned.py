"""Tiny models with preference pairs to tune them by."""

from collections.abc import Sequence
from pathlib import Path

import torch

from medrag.alignment.pairs.pair import Parts, PreferencePair
from medrag.alignment.training import LoraSettings, ModelSettings, TrainingSettings
from medrag.generation.local.inputs import encode
from medrag.generation.local.loading import Loaded, load
from medrag.records import ImageRef, Prompt, Question
from tests.generation.local.vivid import model_inputs, pictures, save_vivid

FAMILIES = ("llava", "qwen2_5_vl", "gemma3")
LORA = LoraSettings(r=4, alpha=8, dropout=0.0)
QUICK = TrainingSettings(
    learning_rate=1e-2, max_steps=4, batch=2, warmup=0.0, schedule="constant", save_every=None
)
_SAID = (
    ("Yes. The heart", "No. The lung", 1.3), ("There is no effusion.", "Yes.", 0.7),
    ("left", "There is an effusion in the left lung.", 1.0), ("enlarged", "No heart.", 0.4),
)  # fmt: skip


def saved(family: str, folder: Path) -> Path:
    """Save a model and three pictures beside it."""
    save_vivid(family, folder / family)
    return folder / family


def settings(model: Path) -> ModelSettings:
    return ModelSettings(str(model), dtype="float32", device="cpu")


def loaded(model: Path, adapter: Path | None = None) -> Loaded:
    told = None if adapter is None else str(adapter)
    return load(model=str(model), adapter=told, dtype="float32", device="cpu")


def pairs_of(folder: Path, n: int = 4) -> list[PreferencePair]:
    """Make pairs of prompts of one, one, two and no pictures, with evidence of unequal length."""
    a, b, c = pictures(folder)
    shown: Sequence[Parts] = (
        ("What does it show?", a),
        ("The heart is enlarged. " * 3, b, "Is it?"),
        (a, "or", c, "which?"),
        ("What does the image show?",),
    )
    return [_pair(place, shown[place % 4]) for place in range(n)]


def prompt_of(parts: Parts) -> Prompt:
    images = tuple(part for part in parts if isinstance(part, ImageRef))
    return Prompt(Question("", images), (), parts)


def slow_log_probability(model: Loaded, parts: Parts, tokens: Sequence[int]) -> float:
    """Sum what a plain pass over one row gives each token of an answer."""
    inputs = encode(model, prompt_of(parts))
    with torch.inference_mode():
        logits = model.model(**model_inputs(inputs, tokens)).logits[0]
    logs = logits.double().log_softmax(-1)
    n = len(inputs.ids)
    return sum(float(logs[n - 1 + place, token]) for place, token in enumerate(tokens))


def _pair(place: int, parts: Parts) -> PreferencePair:
    chosen, rejected, weight = _SAID[place % 4]
    return PreferencePair(
        id=f"pair-{place}",
        prompt=parts,
        chosen=chosen,
        rejected=rejected,
        family="use_context",
        weight=weight,
    )
