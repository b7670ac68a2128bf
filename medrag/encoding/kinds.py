"""Which kind of encoder reads a folder of weights, by its configuration alone."""

from collections.abc import Mapping
from pathlib import Path

from medrag.checkpoints.files import configuration
from medrag.encoding.presets import EncoderKind

# What open_clip saves beside weights.
OPEN_CLIP_CONFIG = "open_clip_config.json"
# What an encoder of pictures under a trained head says of itself.
PROJECTED = "projected.json"
# How pictures are prepared; a folder without them is of a model that reads texts alone.
PROCESSORS = ("preprocessor_config.json", "processor_config.json")
# Classes of transformers for pages, by the model type of config.json, without "ForRetrieval".
PAGE_CLASSES: Mapping[str, str] = {
    "colpali": "ColPali",
    "colqwen2": "ColQwen2",
    "colmodernvbert": "ColModernVBert",
}
_KINDS: Mapping[str, EncoderKind] = {
    "clip": "clip",
    "siglip": "clip",
    "siglip2": "clip",
    "dinov2": "image",
    "dinov2_with_registers": "image",
    "dinov3_vit": "image",
    **dict.fromkeys(PAGE_CLASSES, "page"),
}
# What sentence-transformers says of a model that it saved.
_SAVED = "config_sentence_transformers.json"
# Late-interaction models among these; the second is PyLate's.
_LATE = ("MultiVectorEncoder", "ColBERT")


def folder_kind(folder: Path) -> EncoderKind:
    """Tell which encoder reads a folder; "sentence" where nothing says another.

    Raises:
        RecipeError: if a configuration is not a JSON object.
    """
    if (folder / PROJECTED).is_file():
        return "projected"
    if is_multi_vector(folder):
        return "page"
    told = str(configuration(folder / "config.json").get("model_type"))
    if told in _KINDS:
        return _KINDS[told]
    if (folder / OPEN_CLIP_CONFIG).is_file():
        return "clip"
    saved = configuration(folder / _SAVED).get("model_type")
    return "sparse" if saved == "SparseEncoder" else "sentence"


def is_multi_vector(folder: Path) -> bool:
    """Tell whether a folder is a MultiVectorEncoder of sentence-transformers, PyLate or ColBERT.

    Raises:
        RecipeError: if a configuration is not a JSON object.
    """
    saved = configuration(folder / _SAVED)
    is_late = saved.get("model_type") in _LATE or "query_prefix" in saved
    told = configuration(folder / "config.json").get("architectures")
    is_stanford = isinstance(told, list) and "HF_ColBERT" in told
    return (is_late and (folder / "modules.json").is_file()) or is_stanford


def reads_pictures(folder: Path) -> bool:
    """Tell whether a folder says how pictures are prepared."""
    return any((folder / name).is_file() for name in PROCESSORS)
