"""Checkpoints from which training goes on: whole ones only, and the last whole one is kept."""

import json
from collections.abc import Mapping
from pathlib import Path

from medrag.errors import RecipeError
from medrag.indexing.durable import remove, sync_tree, write_atomically

_PREFIX = "checkpoint-"
# Written last: the sizes of all files. A folder without it was cut short.
_WHOLE = "whole.json"


def vouch(folder: Path) -> None:
    """Bring a checkpoint onto the disk and say that it is whole; then delete those before it.

    Raises:
        OSError: if the disk takes no more.
    """
    sync_tree(folder)
    sizes = {path.name: path.stat().st_size for path in _files(folder)}
    write_atomically(folder / _WHOLE, json.dumps(sizes).encode())
    for other in _checkpoints(folder.parent):
        if _step(other) < _step(folder):
            remove(other)


def last_whole(folder: Path) -> Path | None:
    """Find the last whole checkpoint in a folder; None if there is none."""
    return next((each for each in reversed(_checkpoints(folder)) if is_whole(each)), None)


def is_whole(folder: Path) -> bool:
    """Tell whether a checkpoint has all files that it was saved with, of the sizes they had."""
    try:
        sizes = json.loads((folder / _WHOLE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    held = {path.name: path.stat().st_size for path in _files(folder)}
    return isinstance(sizes, dict) and held == sizes


def drop_cut_short(folder: Path) -> None:
    """Delete what a save that failed has left, so that a full disk has room for a better one."""
    for each in _checkpoints(folder):
        if not is_whole(each):
            remove(each)


def check_same(kept: Mapping[str, object], asked: Mapping[str, object], folder: Path) -> None:
    """Refuse to go on with other pairs or settings than training began with.

    Raises:
        RecipeError: naming what differs.
    """
    for name in {**kept, **asked}:
        if kept.get(name) != asked.get(name):
            raise RecipeError(
                f"{folder} holds a training whose {name} is {kept.get(name)}, and now it is "
                f"{asked.get(name)}; say the same, or train into another folder"
            )


def _checkpoints(folder: Path) -> list[Path]:
    found = (each for each in folder.glob(f"{_PREFIX}*") if each.is_dir())
    return sorted((each for each in found if _step(each) >= 0), key=_step)


def _step(folder: Path) -> int:
    number = folder.name.removeprefix(_PREFIX)
    return int(number) if number.isdecimal() else -1


def _files(folder: Path) -> list[Path]:
    return [each for each in folder.iterdir() if each.is_file() and each.name != _WHOLE]
