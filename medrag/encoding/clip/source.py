"""Where the weights of a CLIP model lie, and which library reads them."""

from dataclasses import dataclass
from pathlib import Path

from medrag.encoding.clip.open_clip import CONFIG, OpenClipTowers
from medrag.encoding.clip.towers import Towers
from medrag.encoding.clip.transformers import TransformersTowers
from medrag.encoding.loading import chosen_preset
from medrag.encoding.numerics import Dtype
from medrag.encoding.presets import PREFIXES
from medrag.encoding.weights import configuration, content_name, model_folder
from medrag.errors import RecipeError


@dataclass(frozen=True, slots=True)
class ClipSource:
    """A folder, or a file of weights.

    Attributes:
        path: of the folder, or of the file.
        open_clip: whether open_clip reads it; else transformers does.
        architecture: of open_clip, for a file.
        text_tower: hub id or folder, where the architecture does not say it.
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
    if checkpoint is not None:
        path = Path(checkpoint).expanduser()
        if not path.is_file():
            raise RecipeError(f"{model}: the file of weights {path} does not exist")
        named = architecture or model
        return ClipSource(path.resolve(), True, named, text_tower, tokens)
    folder = model_folder(_without_prefix(model), revision)
    loads_open = preset is not None and preset.loads == "open_clip"
    # Only transformers names an architecture in its configuration.
    is_transformers = "model_type" in configuration(folder / "config.json")
    is_open = loads_open or model.startswith(PREFIXES) or not is_transformers
    if is_open and not (folder / CONFIG).is_file():
        raise RecipeError(
            f"{folder} is no CLIP model: it has neither {CONFIG} nor a config.json with two "
            "towers; give a folder that has, or `checkpoint` with an architecture of open_clip"
        )
    return ClipSource(folder, is_open, None, text_tower, tokens, trusted)


def towers_of(source: ClipSource, *, device: str | None, dtype: Dtype) -> Towers:
    """Load the towers.

    Raises:
        RecipeError: if they cannot be loaded.
    """
    if source.open_clip:
        return OpenClipTowers(
            source.path,
            architecture=source.architecture,
            text_tower=source.text_tower,
            device=device,
            dtype=dtype,
            tokens=source.tokens,
        )
    return TransformersTowers(
        source.path,
        device=device,
        dtype=dtype,
        trust_remote_code=source.trusted,
        tokens=source.tokens,
    )


def source_name(source: ClipSource) -> str:
    """Name weights and configuration by what they hold."""
    content = content_name(source.path)
    return content if source.architecture is None else f"{source.architecture}-{content}"


def _given(name: str, model: str | None, file: str, revision: str | None) -> str:
    """Find the file of weights of a preset, of which the hub has no configuration."""
    if model is None:
        raise RecipeError(
            f"{name} is no model of the hub: get {file} from its authors, and give its path as "
            "`checkpoint`"
        )
    return str(model_folder(model, revision) / file)


def _without_prefix(model: str) -> str:
    for prefix in PREFIXES:
        model = model.removeprefix(prefix)
    return model
