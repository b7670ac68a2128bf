"""LoRA adapters: put onto the model they were trained on, and onto no other."""

import hashlib
import logging
import re
import warnings
from pathlib import Path
from typing import Any

from medrag.checkpoints.files import configuration, weight_files
from medrag.checkpoints.loading import reading
from medrag.errors import RecipeError
from medrag.extras import require

_LOGGER = logging.getLogger(__name__)
_CONFIG = "adapter_config.json"
_OTHER = "name the model that it was trained on"
# Before release 4.52 transformers named these layers so, and adapters still do.
_QWEN = {
    r"^visual\.": "model.visual.",
    r"^model\.(?!language_model|visual)": "model.language_model.",
}
_OLD_NAMES = {"qwen2_vl": _QWEN, "qwen2_5_vl": _QWEN}


def check_base(adapter: Path, source: str, place: Path) -> None:
    """Refuse an adapter of another model, as far as names tell.

    Names are all there is before loading: where the model, or the base that the adapter names, is
    a folder, a difference is only told in the log, for the same weights may lie in two folders.

    Args:
        adapter: its folder.
        source: hub id or folder of the model.
        place: where the model lies.

    Raises:
        RecipeError: if the folder holds no adapter, or it names another hub id as its base.
    """
    settings = configuration(adapter / _CONFIG)
    if not settings:
        raise RecipeError(f"{adapter} lacks {_CONFIG}, expected a LoRA adapter saved by peft")
    base = str(settings.get("base_model_name_or_path") or "")
    if not base or base.lower() == source.lower() or _leaf(base) == _leaf(source):
        return
    told = f"the adapter {adapter} was trained on {base}, and the model is {source}"
    if not Path(source).expanduser().is_dir() and not _is_path(base):
        raise RecipeError(f"{told}; {_OTHER}")
    _LOGGER.warning("%s (%s); see that they are the same weights", told, place)


def adapter_name(adapter: Path) -> str:
    """Name an adapter by its settings and weights: "lora-" and the first 12 digits of a SHA-256."""
    digest = hashlib.sha256()
    for path in sorted([adapter / _CONFIG, *weight_files(adapter)]):
        digest.update(path.name.encode() + b"\n" + path.read_bytes())
    return f"lora-{digest.hexdigest()[:12]}"


def adapted(model: Any, adapter: Path, *, merge: bool) -> Any:
    """Put an adapter onto a model.

    Args:
        merge: add it to the weights, so that it takes no time; not for quantised weights.

    Raises:
        MissingExtraError: if peft is not installed.
        RecipeError: if it does not fit the model, or would change nothing.
    """
    peft = require("peft", extra="local")
    weight_files(adapter)
    with reading(adapter, "a LoRA adapter of this model"), warnings.catch_warnings():
        # What they tell of bases and of layers without weights is looked at here.
        warnings.simplefilter("ignore")
        settings = peft.PeftConfig.from_pretrained(str(adapter))
        settings.inference_mode = True
        both = peft.get_peft_model(model, settings)
        names = _OLD_NAMES.get(model.config.model_type, {})
        found = both.load_adapter(str(adapter), "default", key_mapping=names)
    _check_laid(adapter, {name for name, _ in both.named_parameters() if "lora_" in name}, found)
    factors = [each for name, each in both.named_parameters() if "lora_B" in name]
    if factors and not any(bool(each.any()) for each in factors):
        raise RecipeError(
            f"the adapter {adapter} changes nothing: all its factors B are 0, as before training; "
            "name the folder that training saved"
        )
    return both.merge_and_unload(safe_merge=True) if merge else both


def _check_laid(adapter: Path, factors: set[str], found: Any) -> None:
    """Refuse weights without a layer, and layers without weights among those that have some.

    A layer elsewhere, as in the tower of pictures, that settings name and training had not, stays
    as it is in the base.
    """
    if found.unexpected_keys:
        raise RecipeError(
            f"the adapter {adapter} is of another model: this one lacks layers for "
            f"{len(found.unexpected_keys)} of its weights, such as {found.unexpected_keys[0]}; "
            f"{_OTHER}"
        )
    begun = {_before_number(name) for name in factors - {*found.missing_keys}}
    if absent := [name for name in found.missing_keys if _before_number(name) in begun]:
        raise RecipeError(
            f"the adapter {adapter} lacks weights for {len(absent)} of the layers that it names, "
            f"such as {absent[0]}; get its files again, or {_OTHER}"
        )


def _before_number(name: str) -> str:
    return re.split(r"\.\d+\.", name, maxsplit=1)[0]


def _leaf(name: str) -> str:
    return name.rstrip("/\\").replace("\\", "/").rpartition("/")[2].lower()


def _is_path(name: str) -> bool:
    return name.startswith(("/", ".", "~")) or "\\" in name or name.count("/") != 1
