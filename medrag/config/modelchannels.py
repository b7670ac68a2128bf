"""Which encoder a channel NAME=MODEL of the command line means."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from medrag.encoding.kinds import folder_kind, is_multi_vector, reads_pictures
from medrag.encoding.presets import PREFIXES, Preset, find, near
from medrag.errors import RecipeError


def model_channel(name: str, model: str) -> dict[str, Any]:
    """Say what a recipe would say.

    A preset gives the kind of encoder, the side of the question and its options; a folder is known
    by its configuration; anything else is the hub id of a sentence-transformers model. An encoder
    of pictures and texts compares pictures with pictures; in a channel that is named "text" texts
    with texts, and in one named "image_text" pictures of questions with texts of passages.

    Raises:
        RecipeError: if the model must be served, needs more than its name, is not known where its
            kind cannot be guessed, or is a folder whose configuration is damaged.
    """
    local = Path(model).expanduser()
    if local.is_dir():
        return _of_folder(name, local)
    preset = find(model)
    if preset is not None:
        return _of_preset(name, model, preset)
    if model.startswith(PREFIXES):
        return _channel(name, "clip", {"model": model})
    if name in ("image", "page"):
        close = near(model)
        hint = f"did you mean {' or '.join(close)}? " if close else ""
        raise RecipeError(
            f"channel {name}: {model!r} is no folder and no preset; {hint}medrag models lists the "
            "presets, and a recipe can say the kind of encoder for any hub id"
        )
    return _channel(name, "sentence", {"model": model})


def _of_folder(name: str, folder: Path) -> dict[str, Any]:
    kind = folder_kind(folder)
    # A folder is kept absolute, so that the index opens from anywhere on this machine.
    options = {"folder" if kind == "projected" else "model": str(folder.absolute())}
    if is_multi_vector(folder) and not reads_pictures(folder):
        options["reads"] = "texts"
    return _channel(name, kind, options)


def _of_preset(name: str, model: str, preset: Preset) -> dict[str, Any]:
    if preset.serve is not None:
        raise RecipeError(
            f"channel {name}: current libraries cannot load {preset.name}. Serve it: "
            f"{preset.serve} Then give the channel in a recipe, with an encoder of kind 'remote'"
        )
    if preset.wrap is not None:
        raise RecipeError(
            f"channel {name}: {preset.name} can be neither loaded nor served: {preset.wrap}"
        )
    if preset.loads == "remote code":
        raise RecipeError(
            f"channel {name}: {preset.name} runs Python code that comes with its weights; give the "
            f"channel in a recipe, with encoder: {{kind: {preset.kind}, model: {preset.name}, "
            "trust_remote_code: true}"
        )
    if preset.model is None and preset.checkpoint is not None:
        raise RecipeError(
            f"channel {name}: {preset.name} is a file of weights that its authors give "
            f"({preset.checkpoint}); give the channel in a recipe, with encoder: "
            f"{{kind: {preset.kind}, model: {preset.name}, checkpoint: PATH}}"
        )
    if preset.kind == "descriptor":
        return {"kind": "dense", "encoder": {"kind": "descriptor"}, "side": "image"}
    # Encoders of pictures know the options of their presets; their names stay readable without.
    options = {} if preset.kind in ("clip", "image") else dict(preset.options)
    return _channel(name, preset.kind, {"model": model, **options})


def _channel(name: str, kind: str, options: Mapping[str, Any]) -> dict[str, Any]:
    encoder = {"kind": kind, **options}
    if kind == "sparse":
        return {"kind": "sparse", "encoder": encoder}
    if kind in ("clip", "projected") and name in ("text", "image_text"):
        encoder["passages"] = "text"
    pictures = kind == "image" or (kind in ("clip", "projected") and name != "text")
    return {"kind": "dense", "encoder": encoder, "side": "image" if pictures else "text"}
