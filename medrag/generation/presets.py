"""Models that write answers, by name, with what is known of them: the rows of `presets.yaml`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import Any, Literal, get_args

from medrag.checkpoints.presets import (
    Check,
    Evidence,
    Gate,
    chosen,
    differs,
    nearest,
    read_row,
    rows_of,
    several,
    size,
    words,
)
from medrag.errors import RecipeError
from medrag.generation.regions import Convention

Loads = Literal["transformers", "peft", "serve"]
Dtype = Literal["bfloat16", "float16", "float32"]
Family = Literal[
    "gemma3", "qwen2_vl", "qwen2_5_vl", "qwen3_vl", "llava", "causal_lm", "internvl_chat",
    "llava_llama", "llava_mistral", "llava_qwen2", "hulumed", "vila", "medplib", "bagel",
    "retinavlm", "llm_cxr", "pa_llava", "gmai_vl", "florence2", "qwen3_vl_moe",
]  # fmt: skip
Domain = Literal[
    "general", "biomedical", "radiology", "chest", "ct", "mri", "pathology", "dermatology",
    "ophthalmology", "endoscopy", "ultrasound",
]  # fmt: skip

_PATH = Path(__file__).with_name("presets.yaml")


@dataclass(frozen=True, slots=True)
class GeneratorPreset:
    """One model that writes answers, and its facts.

    Attributes:
        name: what people write; small letters.
        loads: "transformers", without code of its own; "peft" for an adapter of such a model;
            "serve" for what needs an environment of its own.
        family: the architecture, as its configuration names it.
        licence: of the weights.
        max_images: of one prompt; 0 for a model of texts; None for no known bound.
        trained_multi_image: whether it was trained on several images together.
        domains: what it was made for.
        evidence: how well the facts are known; `differs` has it by key where a fact differs.
        model: hub id; of an adapter, that of its base; None where there is none.
        adapter: hub id of the adapter.
        in_folders: whether the repository holds several models, each in a folder of its own, one of
            which is to be named as `subfolder`.
        aliases: other names.
        min_pixels, max_pixels: of an image, within which it is resized; None for the model's own.
        context_pixels: of an image of the evidence at first; None for as many as of the question's.
        square: whether a picture is filled up to a square before it is resized.
        think, answer: (opening, closing) tags that set thoughts and answer apart.
        coordinates: what numbers of a place mean: pixels of the "original" or of the "resized"
            picture, shares of its sides ("unit"), or thousandths of them; None where it gives none.
        suffix: words that the model was trained to read at the end of a question.
        chat: chat template (Jinja) for a copy of the model that has none of its own.
        dtype: that it was published in.
        gate: what stands before a download: "accept" terms, "request" access, or "download" of a
            file by hand.
        serve: which server to start, for a generator of kind `remote`.
        note: what else one should know.
    """

    name: str
    loads: Loads
    family: Family
    licence: str
    max_images: int | None
    trained_multi_image: bool
    domains: tuple[Domain, ...]
    evidence: Evidence
    model: str | None = None
    adapter: str | None = None
    in_folders: bool = False
    aliases: tuple[str, ...] = ()
    min_pixels: int | None = None
    max_pixels: int | None = None
    context_pixels: int | None = None
    square: bool = False
    think: tuple[str, str] | None = None
    answer: tuple[str, str] | None = None
    coordinates: Convention | None = None
    suffix: str = ""
    chat: str = ""
    dtype: Dtype | None = None
    gate: Gate = "none"
    differs: Mapping[str, Evidence] = field(default_factory=dict, hash=False)
    serve: str | None = None
    note: str = ""


@cache
def presets() -> tuple[GeneratorPreset, ...]:
    """Give every preset, in the order of the file.

    Raises:
        RecipeError: if the file holds a key or a value that is none.
    """
    return tuple(preset_of(row, place) for row, place in rows_of(_PATH))


def find(name: str) -> GeneratorPreset | None:
    """Find a preset by its name, another name of it, or its hub id; small and large letters agree.

    An adapter is found by its own hub id; the id of its base means the base.
    """
    return _by_name().get(name.strip().lower())


def near(name: str, n: int = 3) -> list[str]:
    """Give the names of presets that are spelled most like a name, nearest first."""
    return nearest(name.strip().lower(), _by_name(), n)


def meant(name: str) -> str:
    """Ask for the presets that a name may have meant: "did you mean ...? "; "" without any."""
    close = near(name)
    return f"did you mean {' or '.join(close)}? " if close else ""


def preset_of(row: Any, place: str) -> GeneratorPreset:
    """Check one row of the file.

    Raises:
        RecipeError: naming the place and the key.
    """
    preset = read_row(GeneratorPreset, row, place, _CHECKS)
    _check_together(preset, f"{place} ({preset.name})")
    return preset


def _check_together(preset: GeneratorPreset, place: str) -> None:
    if (preset.serve is not None) != (preset.loads == "serve"):
        raise RecipeError(f"{place}: 'serve' belongs to 'loads: serve', and only to it")
    if (preset.adapter is not None) != (preset.loads == "peft"):
        raise RecipeError(f"{place}: 'adapter' belongs to 'loads: peft', and only to it")
    if preset.model is None and preset.loads != "serve":
        raise RecipeError(f"{place}: needs a 'model'")
    if (preset.min_pixels or 0) > (preset.max_pixels or preset.min_pixels or 0):
        raise RecipeError(f"{place}: min_pixels is more than max_pixels")
    if preset.trained_multi_image and preset.max_images in (0, 1):
        raise RecipeError(f"{place}: what was trained on several images takes several")


def _tags(value: Any, place: str) -> tuple[str, ...]:
    tags = several(value, place, each=words)
    if len(tags) != 2:
        raise RecipeError(f"{place}: expected an opening and a closing tag, got {value!r}")
    return tags


def _images(value: Any, place: str) -> int | None:
    return value if value is None or (value == 0 and value is not False) else size(value, place)


def _flag(value: Any, place: str) -> bool:
    if not isinstance(value, bool):
        raise RecipeError(f"{place}: expected true or false, got {value!r}")
    return value


# What turns a value of a row into one of a preset; words where a key is not named.
_CHECKS: Mapping[str, Check] = {
    "loads": partial(chosen, known=get_args(Loads)),
    "family": partial(chosen, known=get_args(Family)),
    "gate": partial(chosen, known=get_args(Gate)),
    "evidence": partial(chosen, known=get_args(Evidence)),
    "coordinates": partial(chosen, known=get_args(Convention)),
    "dtype": partial(chosen, known=get_args(Dtype)),
    "domains": partial(several, each=partial(chosen, known=get_args(Domain))),
    "aliases": partial(several, each=words),
    "max_images": _images,
    "trained_multi_image": _flag,
    "in_folders": _flag,
    "square": _flag,
    "min_pixels": size,
    "max_pixels": size,
    "context_pixels": size,
    "think": _tags,
    "answer": _tags,
    "differs": differs,
}


@cache
def _by_name() -> Mapping[str, GeneratorPreset]:
    found: dict[str, GeneratorPreset] = {}
    for preset in presets():
        own = preset.adapter or preset.model
        for spelling in filter(None, (preset.name, *preset.aliases, own)):
            found.setdefault(spelling.lower(), preset)
    return found
