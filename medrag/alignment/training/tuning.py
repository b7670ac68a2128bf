"""Which weights of a model are tuned: those of an adapter, or all but those that see."""

import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from medrag.alignment.training.settings import LoraSettings, ModelSettings, check_lora
from medrag.checkpoints.files import configuration, model_folder
from medrag.checkpoints.numerics import chosen_device, chosen_dtype
from medrag.errors import RecipeError
from medrag.extras import require
from medrag.generation.local.adapting import check_base
from medrag.generation.local.loading import Loaded, load, preset_for

# Modules of models of pictures and texts, by their names in transformers: what sees, and what
# brings it to the language model. The second may lie within the first.
_TOWER = r"(?:.*\.)?(?:vision_tower|vision_model|visual|vision_embed_tokens|image_newline)(?:\..*)?"
_PROJECTOR = (
    r"(?:.*\.)?(?:multi_modal_projector|connector|visual\.merger"
    r"|visual\.deepstack_merger_list\.\d+)"
)
_HEAD = r"(?:.*\.)?lm_head"
_DTYPES = ("float32", "bfloat16")


def load_to_tune(settings: ModelSettings, lora: LoraSettings | None) -> Loaded:
    """Load a model with what is to be tuned of it set free; on the CPU, for a trainer to move.

    Args:
        lora: None for all weights but those of the tower of pictures.

    Returns:
        Its `model` is peft's, where there is an adapter.

    Raises:
        ValueError: for a setting that is none.
        MissingExtraError: if a library is not installed.
        RecipeError: if the model does not load, or has nothing that is to be tuned.
    """
    known = preset_for(settings.model, settings.preset)
    if lora is not None and known is not None and known.adapter is not None:
        raise RecipeError(
            f"{settings.model} is an adapter itself, and a second one would take its place; say "
            f"model: {known.model}, adapter: {known.adapter}"
        )
    goes_on = lora is not None and settings.adapter is not None
    loaded = load(
        model=settings.model,
        preset=settings.preset,
        revision=settings.revision,
        adapter=None if goes_on else settings.adapter,
        dtype="float32" if lora is None else computed_in(settings),
        device="cpu",
        attention=settings.attention,
        trust_remote_code=settings.trust_remote_code,
        min_pixels=settings.min_pixels,
        max_pixels=settings.max_pixels,
    )
    if lora is None:
        _free_all(loaded.model)
        return loaded
    check_lora(lora)
    if settings.adapter is not None:
        adapter, source = model_folder(settings.adapter), source_of(settings)
        check_base(adapter, source, Path(source))
        return replace(loaded, model=_gone_on(loaded.model, adapter, lora))
    return replace(loaded, model=with_adapter(loaded.model, lora))


def computed_in(settings: ModelSettings) -> Any:
    """Name the data type that a model is computed in.

    Raises:
        ValueError: if nothing is trained in it here.
    """
    if settings.device not in (None, "cpu", "cuda"):
        raise ValueError(
            f"device must be cpu, cuda or None, got {settings.device!r}; choose a GPU by "
            "CUDA_VISIBLE_DEVICES"
        )
    chosen = chosen_dtype(require("torch"), settings.dtype, chosen_device(settings.device))
    name = str(chosen).removeprefix("torch.")
    if name not in _DTYPES:
        raise ValueError(f"dtype must be one of {', '.join(_DTYPES)} for training, got {name!r}")
    return name


def source_of(settings: ModelSettings) -> str:
    """Name where a model comes from, as its adapters name their base: a hub id, or its folder."""
    folder = Path(settings.model).expanduser()
    if folder.is_dir():
        return str(folder.resolve())
    known = preset_for(settings.model, settings.preset)
    return settings.model if known is None or known.model is None else known.model


def with_adapter(model: Any, lora: LoraSettings) -> Any:
    """Put a new adapter onto the language model; its factors B are 0, so it changes nothing yet.

    Raises:
        RecipeError: if the model has no layer for it, or lacks the projector that is to be tuned.
    """
    peft = require("peft", extra="align")
    names = [name for name, _ in model.named_modules()]
    kept = _excluded(lora)
    projectors = [name for name in names if re.fullmatch(_PROJECTOR, name)]
    if lora.projector and not projectors:
        raise RecipeError(
            f"{type(model).__name__} has no projector by a name that is known here; "
            "set projector: false"
        )
    settings = peft.LoraConfig(
        r=lora.r,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules="all-linear",
        exclude_modules=kept if any(re.fullmatch(kept, name) for name in names) else None,
        modules_to_save=projectors if lora.projector else None,
        task_type="CAUSAL_LM",
    )
    try:
        with old_names():
            return peft.get_peft_model(model, settings)
    except ValueError as error:
        raise RecipeError(f"no adapter fits {type(model).__name__}: {error}") from error


@contextmanager
def old_names() -> Iterator[None]:
    """Leave unsaid that peft calls attributes of transformers by names that will go."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*gradient_checkpointing.*", FutureWarning)
        yield


def is_projector(name: str) -> bool:
    """Tell whether a weight belongs to what brings pictures to the language model."""
    return re.search(rf"(?:^|\.)(?:{_PROJECTOR})\.", name) is not None


def _excluded(lora: LoraSettings) -> str:
    if lora.exclude is None:
        return f"{_TOWER}|{_PROJECTOR}(?:\\..*)?|{_HEAD}"
    try:
        re.compile(lora.exclude)
    except re.error as error:
        raise ValueError(f"exclude must be a pattern, got {lora.exclude!r} ({error})") from error
    return lora.exclude


def _gone_on(model: Any, adapter: Path, lora: LoraSettings) -> Any:
    peft = require("peft", extra="align")
    told = configuration(adapter / "adapter_config.json")
    found = (told.get("peft_type"), told.get("r"), told.get("lora_alpha"))
    if found != ("LORA", lora.r, lora.alpha):
        raise RecipeError(
            f"the adapter {adapter} is {found[0]} with r {found[1]} and alpha {found[2]}, expected "
            f"LORA with r {lora.r} and alpha {lora.alpha}; say the same of lora, or train without "
            "it"
        )
    kept = peft.PeftConfig.from_pretrained(str(adapter))
    kept.inference_mode = False
    try:
        with warnings.catch_warnings():
            # What they tell of bases and of layers without weights is looked at here.
            warnings.simplefilter("ignore")
            both = peft.get_peft_model(model, kept)
            fit = both.load_adapter(str(adapter), "default", is_trainable=True)
    except (ValueError, RuntimeError) as error:
        raise RecipeError(f"the adapter {adapter} is of another model: {error}") from error
    if wrong := [*fit.unexpected_keys, *(name for name in fit.missing_keys if "lora_" in name)]:
        raise RecipeError(
            f"the adapter {adapter} is of another model: {len(wrong)} weights do not fit, such as "
            f"{wrong[0]}; name the model that it was trained on"
        )
    return both


def _free_all(model: Any) -> None:
    for name, weights in model.named_parameters():
        weights.requires_grad_(is_projector(name) or not re.fullmatch(_TOWER, name))
