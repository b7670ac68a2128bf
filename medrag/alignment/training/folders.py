"""The folder of a training: whether it can be trained into, and how what was trained gets there."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from medrag.alignment.training.checkpoints import check_same, drop_cut_short, last_whole
from medrag.errors import MedragError, RecipeError
from medrag.indexing.durable import move, remove, sync_tree, write_atomically

RECORD, CHECKPOINTS = "training.json", "checkpoints"
# What may be said otherwise when training goes on: where, and how often it is told.
_BESIDE = ("device", "attention", "save_every", "log_every", "gradient_checkpointing", "precompute")
_SECTIONS = ("model", "preference", "grpo", "lora", "training", "rewards")

Losses = tuple[tuple[int, float], ...]
# All that decides what training leaves, by section, as JSON has it.
Told = Mapping[str, Any]


def finished(folder: Path, told: Told, *, resume: bool) -> tuple[Losses, int] | None:
    """Look into the folder to train into; of a training that is finished, give how it went.

    What a training has left that came to no whole checkpoint counts as nothing.

    Returns:
        Losses and number of steps of what is finished; None where there is something to train.

    Raises:
        RecipeError: if the folder holds something else, or a training of other settings.
    """
    if folder.exists() and not folder.is_dir():
        raise RecipeError(f"{folder} is a file; name a folder to train into")
    checkpoints, record = folder / CHECKPOINTS, folder / RECORD
    kept = last_whole(checkpoints)
    others = folder.is_dir() and any(each != checkpoints for each in folder.iterdir())
    if not resume and (others or kept is not None):
        raise RecipeError(
            f"{folder} is not empty; resume the training that it holds, or name another folder"
        )
    if others and kept is None and not record.is_file():
        raise RecipeError(f"{folder} holds no training to resume; name an empty folder")
    begun = record if record.is_file() else checkpoints / RECORD
    if not begun.is_file() or (begun != record and kept is None):
        return None
    found = json.loads(begun.read_text(encoding="utf-8"))
    check_same(_decisive(found), _decisive(told), folder)
    if begun != record:
        return None
    return tuple((int(step), float(loss)) for step, loss in found["losses"]), int(found["n_steps"])


def begin(folder: Path, told: Told) -> None:
    """Clear away what came to no whole checkpoint, and note what is trained beside those to come.

    Raises:
        OSError: if the folder cannot be written to.
    """
    checkpoints = folder / CHECKPOINTS
    drop_cut_short(checkpoints)
    checkpoints.mkdir(parents=True, exist_ok=True)
    write_atomically(checkpoints / RECORD, _bytes(told))


def end(folder: Path, told: Told, save: Callable[[Path], None]) -> None:
    """Put what was trained into its folder with its record, and delete the checkpoints.

    Args:
        save: writes weights into the folder that it is given.

    Raises:
        MedragError: if the disk takes no more; the last whole checkpoint stays.
    """
    new = folder / CHECKPOINTS / "tuned"
    try:
        remove(new)
        save(new)
        write_atomically(new / RECORD, _bytes(told))
        sync_tree(new)
        # The record comes last: with it the training counts as finished.
        for path in sorted(new.iterdir(), key=lambda each: each.name == RECORD):
            move(path, folder / path.name)
    except Exception as error:  # libraries tell of a full disk by errors of their own
        remove(new)
        raise MedragError(
            f"what was trained cannot be saved to {folder} ({error}); make room on the disk, then "
            "resume"
        ) from error
    remove(folder / CHECKPOINTS)


def _decisive(told: Told) -> dict[str, Any]:
    found = {name: told[name] for name in told if name == "kind" or name.endswith("_sha256")}
    for section in _SECTIONS:
        values = told.get(section)
        if values is None:
            found[section] = None
            continue
        found |= {f"{section}.{k}": v for k, v in values.items() if k not in _BESIDE}
    # However a step is dealt out, its rows are the same; memory may have been short.
    sizes = (found.pop("training.batch"), found.pop("training.accumulation"))
    found["training.batch x accumulation"] = sizes[0] * sizes[1]
    return found


def _bytes(told: Told) -> bytes:
    return (json.dumps(told, indent=1) + "\n").encode()
