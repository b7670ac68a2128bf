"""Folders of tuned encoders: whole or absent."""

import contextlib
import json
import secrets
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from medrag.errors import InputFileError, RecipeError
from medrag.indexing.durable import move, write_atomically

# What is told of the training, beside the weights.
TOLD = "tuning.json"


def check_free(folder: Path) -> None:
    """Refuse a folder that holds something, before hours are spent.

    Raises:
        RecipeError: if it is there and not empty, or is a file.
    """
    if folder.is_file() or (folder.is_dir() and any(folder.iterdir())):
        raise RecipeError(f"{folder} is there already; name a new folder, or remove it first")


@contextlib.contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """Give a folder beside another, whose place it takes in the end.

    On an error it is gone, and nothing is at the place of the other.

    Raises:
        RecipeError: if the place is taken.
        InputFileError: if the disk refuses.
    """
    check_free(folder)
    made = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}.tmp")
    try:
        made.mkdir(parents=True)
        yield made
        if folder.is_dir():
            folder.rmdir()
        move(made, folder)
    except OSError as error:
        raise InputFileError(folder, f"cannot be written ({error.strerror or error})") from error
    finally:
        shutil.rmtree(made, ignore_errors=True)


def write_told(folder: Path, told: Mapping[str, Any]) -> None:
    """Write what is told of a training."""
    content = json.dumps(told, indent=2, sort_keys=True, allow_nan=True) + "\n"
    write_atomically(folder / TOLD, content.encode())
