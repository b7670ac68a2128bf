"""Where the weights of a CLIP model lie, and which library reads them."""

from dataclasses import dataclass
from pathlib import Path

from medrag.checkpoints.files import configuration, configuration_name, content_name, model_folder
from medrag.encoding.kinds import OPEN_CLIP_CONFIG
from medrag.encoding.presets import PREFIXES
from medrag.encoding.weights import chosen_preset
from medrag.errors import RecipeError


@dataclass(frozen=True, slots=True)
class ClipSource:
    """A folder, or a file of weights.

    Attributes:
        path: of the folder, or of the file.
        open_clip: whether open_clip reads it; else transformers does.
        architecture: of open_clip, for a file.
        text_tower: hub id or whole path of the transformers model that reads texts, where the
            architecture does not say it.
        tokens: of a text at most, with the model's marks; None for what the checkpoint says.
        trusted: whether Python code of the folder may run.
    """

    path: Path
    open_clip: bool
    architecture: str | None = None
    text_tower: str | None = None
    tokens: int | None = None
    trusted: bool = False


def clip_source(
    model: str,
    *,
    checkpoint: str | None,
    architecture: str | None,
    text_tower: str | None,
    tokens: int | None,
    revision: str | None,
    trusted: bool,
) -> ClipSource:
    """Find a model; see `ClipEncoder` for what the names mean.

    Raises:
        RecipeError: if it is not found, needs a file that was not given, must be served, or comes
            with code that is not trusted.
    """
    preset = chosen_preset(model, "clip")
    if preset is not None:
        if preset.loads == "remote code" and not trusted:
            raise RecipeError(
                f"{preset.name} runs Python code that comes with its weights; look at it, and "
                "say trust_remote_code: true"
            )
        architecture = architecture or preset.options.get("architecture")
        text_tower = text_tower or preset.options.get("text_tower")
        tokens = tokens or (preset.tokens if preset.loads == "remote code" else None)
        model = preset.model or model
        if checkpoint is None and preset.checkpoint is not None:
            checkpoint = _given(preset.name, preset.model, preset.checkpoint, revision)
    tower = _tower(text_tower) if text_tower else None
    if checkpoint is not None:
        return ClipSource(_file(checkpoint, model), True, architecture or model, tower, tokens)
    loads_open = preset is not None and preset.loads == "open_clip"
    folder = model_folder(_without_prefix(model), revision)
    is_open = _is_open(folder, told=loads_open or model.startswith(PREFIXES))
    return ClipSource(folder, is_open, None, tower, tokens, trusted)


def source_name(source: ClipSource) -> str:
    """Name weights and configuration by what they hold."""
    content = content_name(source.path)
    return content if source.architecture is None else f"{source.architecture}-{content}"


def tower_name(source: ClipSource) -> str | None:
    """Name the text tower that was given: a folder by what it holds, else the hub id."""
    folder = folder_of(source.text_tower)
    return source.text_tower if folder is None else configuration_name(folder)


def folder_of(text_tower: str | None) -> Path | None:
    """Give the folder of a `ClipSource`'s text tower; None for the id of a hub."""
    return Path(text_tower) if text_tower and Path(text_tower).is_absolute() else None


def _given(name: str, model: str | None, file: str, revision: str | None) -> str:
    """Find the file of weights of a preset, of which the hub has no configuration."""
    if model is None:
        raise RecipeError(
            f"{name} cannot be loaded by its name: get {file} from its authors, and give its path "
            "as `checkpoint`"
        )
    return str(model_folder(model, revision) / file)


def _file(checkpoint: str, model: str) -> Path:
    path = Path(checkpoint).expanduser()
    if not path.is_file():
        raise RecipeError(f"{model}: the file of weights {path} does not exist")
    return path.resolve()


def _is_open(folder: Path, *, told: bool) -> bool:
    """Tell whether open_clip reads a folder: as was told, or because transformers does not."""
    # Only transformers names an architecture in its configuration.
    if not told and "model_type" in configuration(folder / "config.json"):
        return False
    if not (folder / OPEN_CLIP_CONFIG).is_file():
        raise RecipeError(
            f"{folder} is no CLIP model: it has neither {OPEN_CLIP_CONFIG} nor a config.json with "
            "two towers; give a folder that has, or `checkpoint` with an architecture of open_clip"
        )
    return True


def _tower(text_tower: str) -> str:
    """Give the whole path of a folder; the id of a hub stays as it is."""
    folder = Path(text_tower).expanduser()
    if folder.is_dir() or folder.is_absolute():
        folder = model_folder(text_tower)
        if not (folder / "config.json").is_file():
            raise RecipeError(
                f"the text tower {folder} lacks config.json; name the folder of a model that "
                "transformers saved, or a hub id"
            )
        return str(folder)
    return text_tower


def _without_prefix(model: str) -> str:
    for prefix in PREFIXES:
        model = model.removeprefix(prefix)
    return model
