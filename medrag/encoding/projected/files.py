"""The folder of a projected encoder: what is under the heads, and the heads."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from medrag.checkpoints.files import configuration
from medrag.encoding.heads.files import read_arrays, read_format, read_numbers, write_arrays
from medrag.encoding.rows import Rows
from medrag.errors import InputFileError, RecipeError

# By this file a folder is known.
TOLD = "projected.json"
ARRAYS = "heads.npz"
# Of both files; raise it when they change meaning.
_FORMAT = 1
_IMAGE = ("image_weights", "image_bias")
_TEXT = ("text_weights", "text_bias")


@dataclass(frozen=True, slots=True)
class Heads:
    """Linear maps of the vectors of two encoders into one space of d numbers.

    Attributes:
        image_weights: (d, d of the encoder of pictures).
        image_bias: (d,).
        text_weights: (d, d of the encoder of texts); None where its own space is the space.
        text_bias: (d,); None likewise.
    """

    image_weights: Rows
    image_bias: Rows
    text_weights: Rows | None = None
    text_bias: Rows | None = None


@dataclass(frozen=True, slots=True)
class Towers:
    """What is under the heads.

    Attributes:
        image, text: encoders, as a recipe would say them.
        image_name, text_name: their names when the heads were trained.
    """

    image: Mapping[str, Any]
    text: Mapping[str, Any]
    image_name: str
    text_name: str


def write_projected(folder: Path, heads: Heads, towers: Towers) -> None:
    """Write what `ProjectedEncoder` reads into a folder that is there.

    Raises:
        InputFileError: if the disk refuses.
    """
    arrays = {name: getattr(heads, name) for name in (*_IMAGE, *_TEXT)}
    kept = {name: array for name, array in arrays.items() if array is not None}
    write_arrays(folder / ARRAYS, {"format": np.array(_FORMAT), **kept})
    told = {
        "format": _FORMAT,
        "image": {**towers.image, "name": towers.image_name},
        "text": {**towers.text, "name": towers.text_name},
    }
    path = folder / TOLD
    try:
        path.write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise InputFileError(path, f"cannot be written ({error.strerror or error})") from error


def read_heads(folder: Path) -> Heads:
    """Read the heads of a folder.

    Raises:
        InputFileError: if the file is none, or its arrays do not fit together.
    """
    path = folder / ARRAYS
    stored = read_arrays(path, ("format", *_IMAGE), further=_TEXT)
    read_format(path, stored, _FORMAT)
    names = [name for name in (*_IMAGE, *_TEXT) if name in stored]
    numbers = read_numbers(path, stored, names)
    read = {name: array.astype(np.float32) for name, array in numbers.items()}
    pairs = [_IMAGE, _TEXT] if len(read) > len(_IMAGE) else [_IMAGE]
    d = read["image_bias"].shape
    for weights, bias in pairs:
        whole = weights in read and bias in read and read[weights].ndim == 2
        if not whole or len(d) != 1 or read[bias].shape != d or read[weights].shape[:1] != d:
            raise InputFileError(path, "its arrays have the wrong shapes; train it again")
    return Heads(**read)


def read_towers(folder: Path) -> Towers:
    """Read what a folder says of the encoders under its heads.

    Raises:
        RecipeError: if it is no folder of a projected encoder.
    """
    path = folder / TOLD
    if not path.is_file():
        raise RecipeError(
            f"{folder} lacks {TOLD}; name a folder that medrag align retriever wrote for a head"
        )
    told = configuration(path)
    sides = [told.get(side) for side in ("image", "text")]
    if told.get("format") != _FORMAT or not all(
        isinstance(side, dict) and isinstance(side.get("name"), str) for side in sides
    ):
        raise RecipeError(f"{path} was not written by this release of medrag; train it again")
    image, text = (dict(side) for side in sides if isinstance(side, dict))
    return Towers(image_name=image.pop("name"), text_name=text.pop("name"), image=image, text=text)


def heads_name(heads: Heads) -> str:
    """Name heads by what they hold, the first 16 digits of a SHA-256."""
    digest = hashlib.sha256()
    for array in (heads.image_weights, heads.image_bias, heads.text_weights, heads.text_bias):
        digest.update(b"none" if array is None else f"{array.shape}".encode() + array.tobytes())
    return digest.hexdigest()[:16]
