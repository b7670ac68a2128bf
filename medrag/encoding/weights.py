"""Which preset a name means, and where its files lie."""

from pathlib import Path

from medrag.checkpoints.files import model_folder
from medrag.encoding.presets import EncoderKind, Preset, find
from medrag.errors import RecipeError


def chosen_preset(model: str, kind: EncoderKind) -> Preset | None:
    """Give the preset that a name means; None for a folder, or the hub id of another model.

    Raises:
        RecipeError: if it must be served or wrapped, or is of another kind of encoder, which would
            give other vectors than it was trained for.
    """
    preset = None if Path(model).expanduser().is_dir() else find(model)
    if preset is not None and preset.wrap is not None:
        raise RecipeError(f"{preset.name} can be neither loaded nor served: {preset.wrap}")
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
    """Find the files of a model, by preset, hub id or folder.

    Args:
        passages: of a preset with two towers, that of passages, else that of questions.

    Raises:
        RecipeError: as `chosen_preset` and `model_folder`.
    """
    preset = chosen_preset(model, kind)
    if preset is None:
        return model_folder(model, revision)
    # Either hub id names the pair: passages read by the tower of questions find nothing.
    tower = preset.passage_model if passages and preset.passage_model else preset.model
    return model_folder(tower or model, revision)
