"""Models found by preset, hub id or folder, and loaded by transformers without noise."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from medrag.encoding.numerics import chosen_device
from medrag.encoding.presets import EncoderKind, Preset, find
from medrag.encoding.weights import model_folder
from medrag.errors import RecipeError
from medrag.extras import require


def chosen_preset(model: str, kind: EncoderKind) -> Preset | None:
    """Give the preset that a name means; None for a folder, or the hub id of another model.

    Raises:
        RecipeError: if it must be served, or is of another kind of encoder, which would give other
            vectors than it was trained for.
    """
    preset = None if Path(model).expanduser().is_dir() else find(model)
    if preset is None or preset.kind == kind:
        return preset
    if preset.serve is not None:
        raise RecipeError(
            f"{preset.name} cannot be loaded here; serve it and use an encoder of kind 'remote': "
            f"{preset.serve}"
        )
    raise RecipeError(f"{model} is an encoder of kind {preset.kind!r}, not {kind!r}")


def chosen_folder(
    model: str, revision: str | None, kind: EncoderKind, *, passages: bool = True
) -> Path:
    """Find the files of a model.

    Args:
        passages: of a preset with two towers, that of passages, else that of questions.

    Raises:
        RecipeError: as `chosen_preset`, or if the files are not found.
    """
    preset = chosen_preset(model, kind)
    if preset is None:
        return model_folder(model, revision)
    # Either hub id names the pair: passages read by the tower of questions find nothing.
    tower = preset.passage_model if passages and preset.passage_model else preset.model
    return model_folder(tower or model, revision)


def auto_model(folder: Path, *, device: str | None, trust_remote_code: bool) -> Any:
    """Load a model with transformers' AutoModel, in its stored precision, ready to encode.

    Raises:
        RecipeError: if the folder holds no model that transformers knows.
    """
    library = require("transformers")
    try:
        with quietly():
            model = library.AutoModel.from_pretrained(
                str(folder), local_files_only=True, trust_remote_code=trust_remote_code
            )
    except (OSError, ValueError, AttributeError) as error:
        raise RecipeError(
            f"{folder} cannot be loaded by transformers: {str(error).splitlines()[0]}"
        ) from error
    return model.to(chosen_device(device)).eval()


@contextmanager
def quietly() -> Iterator[None]:
    """Keep the progress bars of loading from being drawn."""
    logging = require("transformers.utils.logging")
    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()
