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
from medrag.alignment.training.checkpoints import check_same
from medrag.alignment.training.settings import LoraSettings, ModelSettings, TrainingSettings
from medrag.alignment.training.tuning import source_of
from medrag.codec import to_json
from medrag.errors import RecipeError
from medrag.generation.local.loading import Loaded
from medrag.indexing.durable import move, remove, sync_tree, write_atomically

RECORD, CHECKPOINTS = "training.json", "checkpoints"
_LIBRARIES = ("medrag", "torch", "transformers", "trl", "peft", "accelerate")
# What may be said otherwise when training goes on: where, and how often it is told.
_BESIDE = ("device", "attention", "save_every", "log_every", "gradient_checkpointing")
_SECTIONS = ("model", "grpo", "lora", "training", "rewards")

Losses = tuple[tuple[int, float], ...]


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


def finished(folder: Path, told: Mapping[str, Any], *, resume: bool) -> tuple[Losses, int] | None:
    """Check that a folder can be trained into; of one that holds a finished training, give its end.

    Returns:
        Losses and number of steps of what is finished; None where there is something to train.

    Raises:
        RecipeError: if the folder holds something else, or a training of other settings.
    """
    record = folder / RECORD
    if folder.exists() and not folder.is_dir():
        raise RecipeError(f"{folder} is a file; name a folder to train into")
    if not folder.is_dir() or not any(folder.iterdir()):
        return None
    if not resume:
        raise RecipeError(
            f"{folder} is not empty; resume the training that it holds, or name another folder"
        )
    records = (record, folder / CHECKPOINTS / RECORD)
    kept = next((each for each in records if each.is_file()), None)
    if kept is None:
        raise RecipeError(f"{folder} holds no training to resume; name an empty folder")
    found = json.loads(kept.read_text(encoding="utf-8"))
    check_same(_decisive(found), _decisive(told), folder)
    if kept != record:
        return None
    return tuple((int(step), float(loss)) for step, loss in found["losses"]), int(found["n_steps"])


def begin(folder: Path, told: Mapping[str, Any]) -> None:
    """Write down what is trained, before the first step."""
    checkpoints = folder / CHECKPOINTS
    checkpoints.mkdir(parents=True, exist_ok=True)
    write_atomically(checkpoints / RECORD, _bytes(told))


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
        RecipeError: if the disk takes no more; the last whole checkpoint stays.
    """
    if not trainer.is_world_process_zero():
        return
    new = folder / CHECKPOINTS / "tuned"
    end = {
        **told,
        "n_steps": int(trainer.state.global_step),
        "losses": [list(each) for each in losses],
        "history": [_finite(each) for each in trainer.state.log_history],
    }
    try:
        remove(new)
        _save(loaded, settings, new, adapter=told["lora"] is not None)
        write_atomically(new / RECORD, _bytes(end))
        sync_tree(new)
        # The record comes last: with it the training counts as finished.
        for path in sorted(new.iterdir(), key=lambda each: each.name == RECORD):
            move(path, folder / path.name)
    except OSError as error:
        remove(new)
        raise RecipeError(
            f"what was trained cannot be saved to {folder} ({error}); make room on the disk, then "
            "resume"
        ) from error
    remove(folder / CHECKPOINTS)


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


def _decisive(told: Mapping[str, Any]) -> dict[str, object]:
    found: dict[str, object] = {name: told.get(name) for name in ("kind", "examples_sha256")}
    for section in _SECTIONS:
        values = told.get(section)
        if values is None:
            found[section] = None
            continue
        found |= {f"{section}.{k}": v for k, v in values.items() if k not in _BESIDE}
    return found


def _bytes(told: Mapping[str, Any]) -> bytes:
    return (json.dumps(told, indent=1) + "\n").encode()
