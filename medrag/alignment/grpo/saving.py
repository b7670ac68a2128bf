"""What learning by rewards leaves on disk: weights that a generator takes, and their history."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import version
from math import isfinite
from pathlib import Path
from typing import Any

from medrag.alignment.grpo.settings import GrpoSettings
from medrag.alignment.rewards import Example, WeightedRewards
from medrag.alignment.training.folders import Losses, end
from medrag.alignment.training.settings import LoraSettings, ModelSettings, TrainingSettings
from medrag.alignment.training.tuning import source_of
from medrag.codec import to_json
from medrag.generation.local.loading import Loaded

_LIBRARIES = ("medrag", "torch", "transformers", "trl", "peft", "accelerate")


def told_of(
    model: ModelSettings,
    grpo: GrpoSettings,
    lora: LoraSettings | None,
    training: TrainingSettings,
    rewards: WeightedRewards,
    examples: Sequence[Example],
) -> dict[str, Any]:
    """Tell all that decides what training leaves, as JSON values."""
    lines = "\n".join(json.dumps(to_json(each), sort_keys=True) for each in examples)
    names = {
        reward.name: weight for reward, weight in zip(rewards.rewards, rewards.weights, strict=True)
    }
    return {
        "kind": "grpo",
        "model": asdict(model),
        "grpo": asdict(grpo),
        "lora": None if lora is None else asdict(lora),
        "training": asdict(training),
        "rewards": names,
        "seed": training.seed,
        "n_examples": len(examples),
        "examples_sha256": hashlib.sha256(lines.encode("utf-8", "replace")).hexdigest(),
        "versions": {name: version(name) for name in _LIBRARIES},
    }


def save_policy(
    trainer: Any,
    loaded: Loaded,
    folder: Path,
    told: Mapping[str, Any],
    *,
    settings: ModelSettings,
    losses: Losses,
) -> None:
    """Save what was tuned with the history of its rewards, and delete the checkpoints.

    Raises:
        MedragError: if the disk takes no more; the last whole checkpoint stays.
    """
    if not trainer.is_world_process_zero():
        return
    ended = {
        **told,
        "n_steps": int(trainer.state.global_step),
        "losses": [list(each) for each in losses],
        "history": [_finite(each) for each in trainer.state.log_history],
    }
    adapter = told["lora"] is not None
    end(folder, ended, lambda new: _save(loaded, settings, new, adapter=adapter))


def _save(loaded: Loaded, settings: ModelSettings, folder: Path, *, adapter: bool) -> None:
    model = loaded.model
    if not adapter:
        model.save_pretrained(folder)
        loaded.processor.save_pretrained(folder)
        return
    model.peft_config["default"].base_model_name_or_path = source_of(settings)
    # TRL keeps a copy of the adapter as it was, for the reference.
    model.save_pretrained(folder, selected_adapters=["default"], save_embedding_layers=False)
    (folder / "README.md").unlink(missing_ok=True)


def _finite(logged: Mapping[str, Any]) -> dict[str, Any]:
    """Give what was logged as JSON has it, with null for what is no number."""
    return {
        name: None if isinstance(value, float) and not isfinite(value) else value
        for name, value in logged.items()
    }
