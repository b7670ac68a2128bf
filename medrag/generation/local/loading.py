"""A model of pictures and texts, or of texts, out of a folder or the hub, ready to answer."""

import logging
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal, get_args

from medrag.checkpoints.files import configuration, content_name, holds_weights, model_folder
from medrag.checkpoints.loading import auto_tokenizer, check_held, check_words, reading
from medrag.checkpoints.numerics import Dtype, check_dtype, chosen_device, chosen_dtype
from medrag.errors import RecipeError
from medrag.extras import require
from medrag.generation.local.adapting import adapted, adapter_name, check_base
from medrag.generation.local.messages import ChatTemplate, chat_template
from medrag.generation.local.pixels import own_least
from medrag.generation.presets import GeneratorPreset, find, meant

Quantise = Literal["4bit", "8bit"]

_LOGGER = logging.getLogger(__name__)
_EXPECTED = "a model of pictures and texts, or of texts, that transformers knows"
_PROCESSORS = ("preprocessor_config.json", "processor_config.json")
_REMOTE = "serve it from an environment of its own and use kind: remote"


@dataclass(frozen=True, slots=True)
class Loaded:
    """A model that is ready, and what is known of it.

    Attributes:
        model: of transformers, in evaluation mode.
        processor: of pictures and texts; the tokenizer of a model of texts.
        tokenizer: the processor's.
        preset: what is known of the model; None for one without a preset.
        name: of what decides what it answers: weights, revision, adapter, quantisation.
        template: how it is talked to.
        context: tokens of prompt and answer that its configuration allows; None if it says none.
        eos: ids of the tokens that end a reply, ascending.
        min_pixels: of an image, to which the processor enlarges what has fewer; None if that is
            not known.
        max_pixels: of an image; None for the processor's own.
        remembered: what stands for an image in a text, by the image and its most pixels; None where
            that cannot be told.
    """

    model: Any
    processor: Any
    tokenizer: Any
    preset: GeneratorPreset | None
    name: str
    template: ChatTemplate
    context: int | None
    eos: tuple[int, ...]
    min_pixels: int | None = None
    max_pixels: int | None = None
    remembered: dict[Any, str | None] = field(default_factory=dict, compare=False, repr=False)


def load(
    *,
    model: str,
    preset: str | None = None,
    revision: str | None = None,
    subfolder: str | None = None,
    adapter: str | None = None,
    dtype: Dtype = "auto",
    device: str | None = None,
    quantise: Quantise | None = None,
    attention: str | None = None,
    trust_remote_code: bool = False,
    min_pixels: int | None = None,
    max_pixels: int | None = None,
) -> Loaded:
    """Load a model, its processor and, where one is named, an adapter.

    Args:
        model: name of a preset, hub id, or folder.
        preset: whose facts hold of a folder; None for those of the model that is named.
        revision: branch, tag or commit of a hub id.
        subfolder: of the repository or folder, in which the model lies.
        adapter: folder or hub id of a LoRA adapter of it.
        dtype: as in `medrag.checkpoints.numerics`.
        device: of torch; "auto" spreads the layers over what there is.
        quantise: weights of 4 or 8 bits by bitsandbytes, on a GPU.
        attention: as transformers names them: "sdpa", "eager", "flash_attention_2".
        trust_remote_code: let Python code that comes with the model run.
        min_pixels, max_pixels: of an image; None for the preset's, or the processor's own.

    Raises:
        ValueError: for a setting that is none.
        MissingExtraError: if a library is not installed.
        RecipeError: if there is no such model, its folder is broken, or it does not load here.
    """
    check_settings(dtype=dtype, quantise=quantise, min_pixels=min_pixels, max_pixels=max_pixels)
    known = preset_for(model, preset)
    place, source = _place(model, known, revision, subfolder)
    added = adapter or (known.adapter if known is not None else None)
    tuned = _adapter(added) if added else None
    if tuned is not None:
        check_base(tuned, source, place)
    processor = _processor(place, sees=_sees(place, trust_remote_code), trusted=trust_remote_code)
    template = chat_template(processor, spare=known.chat if known is not None else "")
    _tell(place, processor, template, known)
    built = _model(
        place,
        dtype=dtype,
        device=device,
        quantise=quantise,
        attention=attention,
        trusted=trust_remote_code,
        sees=bool(template.placeholder),
    )
    if tuned is not None:
        built = adapted(built, tuned, merge=quantise is None)
    tokenizer = getattr(processor, "tokenizer", processor)
    return Loaded(
        model=built.eval(),
        processor=processor,
        tokenizer=tokenizer,
        preset=known,
        name=_name(place, source, tuned, quantise),
        template=template,
        context=_context(built.config),
        eos=_ends(place, built, tokenizer, template),
        min_pixels=min_pixels
        or (known.min_pixels if known is not None else None)
        or _least(processor),
        max_pixels=max_pixels or (known.max_pixels if known is not None else None),
    )


def check_settings(
    *, dtype: str, quantise: str | None, min_pixels: int | None, max_pixels: int | None
) -> None:
    """Refuse what `load` would, without a library.

    Raises:
        ValueError: naming the setting.
    """
    check_dtype(dtype)
    if quantise is not None and quantise not in get_args(Quantise):
        raise ValueError(f"quantise must be 4bit or 8bit, got {quantise!r}")
    for name, value in (("min_pixels", min_pixels), ("max_pixels", max_pixels)):
        if value is not None and value < 1:
            raise ValueError(f"{name} must be at least 1, got {value}")
    if min_pixels and max_pixels and min_pixels > max_pixels:
        raise ValueError(f"min_pixels is {min_pixels}, more than max_pixels {max_pixels}")


def preset_for(model: str, preset: str | None = None) -> GeneratorPreset | None:
    """Find what is known of a model by its name, or by that of a preset; None if nothing is.

    Raises:
        RecipeError: if no preset has the name, or the model cannot be loaded here at all.
    """
    known = find(preset if preset is not None else model)
    if preset is not None and known is None:
        raise RecipeError(
            f"no preset {preset!r}; {meant(preset)}medrag models --generators lists them all"
        )
    if known is not None and known.serve is not None:
        raise RecipeError(
            f"{known.name} does not load with the transformers of today. {known.serve} Then use "
            "kind: remote"
        )
    if known is None and "/" not in model and not Path(model).expanduser().exists():
        raise RecipeError(
            f"no model {model!r}: no preset, hub id or folder; {meant(model)}medrag models "
            "--generators lists the presets"
        )
    return known


def _place(
    model: str, known: GeneratorPreset | None, revision: str | None, subfolder: str | None
) -> tuple[Path, str]:
    """Find the folder of a model, and what it is called where it comes from."""
    local = Path(model).expanduser().is_dir()
    source = model if local or known is None or known.model is None else known.model
    if known is not None and known.in_folders and not local:
        if subfolder is None:
            raise RecipeError(
                f"{source} holds several models, each in a folder of its own; name one as "
                f"subfolder (https://huggingface.co/{source}/tree/main lists them)"
            )
        _fetch(source, revision, subfolder)
    folder, inner = model_folder(source, revision), subfolder
    held = _models_below(folder)
    if inner is None and held and not (folder / "config.json").is_file():
        raise RecipeError(
            f"{folder} holds several models; name one as subfolder: {', '.join(held[:20])}"
        )
    if inner is not None and Path(inner).as_posix() not in held:
        raise RecipeError(
            f"{folder} holds no model in {inner!r}; it holds models in: "
            f"{', '.join(held[:20]) or 'no folder'}"
        )
    return (folder if inner is None else folder / inner), source


def _adapter(adapter: str) -> Path:
    try:
        return model_folder(adapter)
    except RecipeError as error:
        raise RecipeError(
            f"the adapter's folder {Path(adapter).expanduser().absolute()} does not exist; taken "
            f"for a hub id: {error}"
        ) from error


def _fetch(source: str, revision: str | None, subfolder: str) -> None:
    """Bring one folder of a repository into the hub's cache, and not its other models.

    What goes wrong is told by the search for the model that follows.
    """
    hub = require("huggingface_hub")
    wrong = (OSError, ValueError, hub.errors.HfHubHTTPError)
    with suppress(*wrong):
        kept = Path(hub.snapshot_download(source, revision=revision, local_files_only=True))
        if holds_weights(kept / subfolder):
            return
    with suppress(*wrong):
        hub.snapshot_download(source, revision=revision, allow_patterns=[f"{subfolder}/*"])


def _models_below(folder: Path) -> list[str]:
    found = (each.parent.relative_to(folder) for each in folder.rglob("config.json"))
    return sorted(each.as_posix() for each in found if each != Path())


def _sees(place: Path, trusted: bool) -> bool:
    """Tell a model of pictures and texts from one of texts by its configuration.

    Raises:
        RecipeError: if it is neither.
    """
    check_held(place, _EXPECTED)
    library = require("transformers")
    with reading(place, _EXPECTED):
        config = library.AutoConfig.from_pretrained(
            str(place), local_files_only=True, trust_remote_code=trusted
        )
    remote = {*(getattr(config, "auto_map", None) or {})} if trusted else set()
    if type(config) in library.MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING or (
        "AutoModelForImageTextToText" in remote
    ):
        return True
    if type(config) in library.MODEL_FOR_CAUSAL_LM_MAPPING or "AutoModelForCausalLM" in remote:
        return False
    raise RecipeError(f"{place} holds a {config.model_type}, expected {_EXPECTED}; {_REMOTE}")


def _processor(place: Path, *, sees: bool, trusted: bool) -> Any:
    check_words(place)
    if not sees:
        return auto_tokenizer(place, trust_remote_code=trusted)
    if not any((place / name).is_file() for name in _PROCESSORS):
        # transformers would give its tokenizer for a processor, and every picture were lost.
        raise RecipeError(
            f"{place} holds no preparation of pictures ({' or '.join(_PROCESSORS)}); copy it from "
            "the model that this one was made of"
        )
    require("torchvision")
    with reading(place, "a processor of pictures and texts"):
        processor = require("transformers").AutoProcessor.from_pretrained(
            str(place), local_files_only=True, trust_remote_code=trusted
        )
    if not hasattr(processor, "image_processor") or not hasattr(processor, "tokenizer"):
        raise RecipeError(
            f"{place} holds a {type(processor).__name__}, expected a processor of pictures and "
            f"texts; {_REMOTE}"
        )
    return processor


def _least(processor: Any) -> int | None:
    images = getattr(processor, "image_processor", None)
    return None if images is None else own_least(images)


def _tell(
    place: Path, processor: Any, template: ChatTemplate, known: GeneratorPreset | None
) -> None:
    """Log what a reader of answers should know of a model."""
    if template.asks == "plain":
        _LOGGER.warning("%s has no chat template: it reads prompts as plain text", place)
    images = getattr(processor, "image_processor", None)
    whole = getattr(images, "do_pad", False) or (known is not None and known.square)
    if getattr(images, "do_center_crop", False) and not whole:
        _LOGGER.warning(
            "%s sees of a picture that is not square its middle only; if it is a LLaVA, say "
            "preset: llava-med-1.5-hf, by which pictures are filled up to a square",
            place,
        )


def _model(
    place: Path,
    *,
    dtype: Dtype,
    device: str | None,
    quantise: Quantise | None,
    attention: str | None,
    trusted: bool,
    sees: bool,
) -> Any:
    library, torch = require("transformers"), require("torch")
    spread = device == "auto"
    where = chosen_device(None if spread else device)
    given: dict[str, Any] = {"dtype": chosen_dtype(torch, dtype, where)}
    if attention is not None:
        given["attn_implementation"] = attention
    if quantise is not None:
        given["quantization_config"] = _quantisation(place, quantise, torch, given["dtype"], where)
    if spread or quantise is not None:
        require("accelerate", extra="local")
    # Read right onto a GPU where that is possible, and not through as much memory of the machine.
    if spread or quantise is not None or (where.startswith("cuda") and find_spec("accelerate")):
        given["device_map"] = "auto" if spread else {"": where}
    kind = library.AutoModelForImageTextToText if sees else library.AutoModelForCausalLM
    with reading(place, _EXPECTED):
        model = kind.from_pretrained(
            str(place), local_files_only=True, trust_remote_code=trusted, **given
        )
        return model if "device_map" in given else model.to(where)


def _quantisation(place: Path, wanted: Quantise, torch: Any, dtype: Any, device: str) -> Any:
    if configuration(place / "config.json").get("quantization_config"):
        raise RecipeError(f"the weights of {place} are quantised already; leave out quantise")
    if not device.startswith("cuda") or not torch.cuda.is_available():
        raise RecipeError(
            f"quantise: {wanted} needs a GPU of NVIDIA, and the model was to run on {device}; "
            "leave it out, or name a device such as cuda"
        )
    require("bitsandbytes", extra="quantised")
    config = require("transformers").BitsAndBytesConfig
    if wanted == "8bit":
        return config(load_in_8bit=True)
    return config(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=dtype,
    )


def _name(place: Path, source: str, tuned: Path | None, quantise: str | None) -> str:
    """Name what decides an answer.

    The hub's commit stands for the weights where the folder is a snapshot of it: reading all of a
    large model takes minutes.
    """
    parents = [place, *place.parents]
    snapshot = next((each for each in parents if each.parent.name == "snapshots"), None)
    if snapshot is None:
        name = content_name(place)
    else:
        inner = place.relative_to(snapshot).as_posix()
        name = f"{source}@{snapshot.name[:12]}" + (f"/{inner}" if inner != "." else "")
    if tuned is not None:
        name += f"+{adapter_name(tuned)}"
    return f"{name} {quantise}" if quantise else name


def _context(config: Any) -> int | None:
    text = config.get_text_config()
    value = getattr(text, "max_position_embeddings", None)
    return int(value) if value else None


def _ends(place: Path, model: Any, tokenizer: Any, template: ChatTemplate) -> tuple[int, ...]:
    """Collect the tokens that end a reply: those the model names, and what its template writes."""
    # Refused where it is broken: transformers passes over it, and replies would not end.
    configuration(place / "generation_config.json")
    told = [model.generation_config.eos_token_id, tokenizer.eos_token_id]
    if template.ends:
        told.append(tokenizer.convert_tokens_to_ids(template.ends))
    every = [one for each in told for one in (each if isinstance(each, list) else [each])]
    ids = {one for one in every if isinstance(one, int)}
    if wrong := [one for one in every if one is not None and not isinstance(one, int)]:
        raise RecipeError(
            f"{place} ends replies by the token {wrong[0]!r}, expected numbers of tokens "
            "(eos_token_id); get the model's files again"
        )
    return tuple(sorted(ids))
