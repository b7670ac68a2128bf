"""Models that write answers, by name, with what is known of them: the rows of `presets.yaml`."""

from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, field, fields
from difflib import get_close_matches
from functools import cache, partial
from pathlib import Path
from typing import Any, Literal, get_args

from medrag.errors import RecipeError
from medrag.extras import require
from medrag.generation.regions import Convention

Loads = Literal["transformers", "peft", "serve"]
Gate = Literal["none", "accept", "request", "download"]
Evidence = Literal["verified", "secondary", "from memory"]
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
    yaml = require("yaml")
    rows = yaml.safe_load(_PATH.read_text(encoding="utf-8"))
    return tuple(preset_of(row, f"{_PATH.name}, row {n}") for n, row in enumerate(rows, 1))


def find(name: str) -> GeneratorPreset | None:
    """Find a preset by its name, another name of it, or its hub id; small and large letters agree.

    An adapter is found by its own hub id; the id of its base means the base.
    """
    return _by_name().get(name.strip().lower())


def near(name: str, n: int = 3) -> list[str]:
    """Give the names of presets that are spelled most like a name, nearest first."""
    spellings = get_close_matches(name.strip().lower(), _by_name(), n=4 * n, cutoff=0.6)
    return list(dict.fromkeys(_by_name()[spelling].name for spelling in spellings))[:n]


def preset_of(row: Any, place: str) -> GeneratorPreset:
    """Check one row of the file.

    Raises:
        RecipeError: naming the place and the key.
    """
    if not isinstance(row, Mapping):
        raise RecipeError(f"{place}: expected a mapping, got {type(row).__name__}")
    place = f"{place} ({row.get('name', 'without a name')})"
    known = {each.name: each for each in fields(GeneratorPreset)}
    for key in row:
        if key not in known:
            raise RecipeError(f"{place}: unknown key {key!r}; known: {', '.join(known)}")
    for key, each in known.items():
        if key not in row and each.default is MISSING and each.default_factory is MISSING:
            raise RecipeError(f"{place}: lacks the key {key!r}")
    values = {key: _value(key, each, f"{place}, {key}") for key, each in row.items()}
    for key in values.get("differs", {}):
        if key not in values:
            raise RecipeError(f"{place}: 'differs' names {key!r}, which the row does not hold")
    preset = GeneratorPreset(**values)
    _check_together(preset, place)
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


def _value(key: str, value: Any, place: str) -> Any:
    check: Callable[[Any, str], Any] = _CHECKS.get(key, _text)
    return check(value, place)


def _chosen(value: Any, place: str, *, known: tuple[str, ...]) -> str:
    if value not in known:
        raise RecipeError(f"{place}: expected one of {', '.join(known)}, got {value!r}")
    return str(value)


def _several(value: Any, place: str, *, each: Callable[[Any, str], Any]) -> tuple[Any, ...]:
    if not isinstance(value, list) or not value:
        raise RecipeError(f"{place}: expected a list, got {value!r}")
    return tuple(each(one, place) for one in value)


def _tags(value: Any, place: str) -> tuple[str, ...]:
    tags = _several(value, place, each=_text)
    if len(tags) != 2:
        raise RecipeError(f"{place}: expected an opening and a closing tag, got {value!r}")
    return tags


def _differs(value: Any, place: str) -> dict[str, str]:
    if not isinstance(value, Mapping):
        raise RecipeError(f"{place}: expected a mapping, got {value!r}")
    return {key: _chosen(one, place, known=get_args(Evidence)) for key, one in value.items()}


def _size(value: Any, place: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise RecipeError(f"{place}: expected a whole number from 1, got {value!r}")
    return value


def _images(value: Any, place: str) -> int | None:
    return value if value is None or (value == 0 and value is not False) else _size(value, place)


def _flag(value: Any, place: str) -> bool:
    if not isinstance(value, bool):
        raise RecipeError(f"{place}: expected true or false, got {value!r}")
    return value


def _text(value: Any, place: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise RecipeError(f"{place}: expected words, got {value!r}")
    return value


# What turns a value of a row into one of a preset; words where a key is not named.
_CHECKS: Mapping[str, Callable[[Any, str], Any]] = {
    "loads": partial(_chosen, known=get_args(Loads)),
    "family": partial(_chosen, known=get_args(Family)),
    "gate": partial(_chosen, known=get_args(Gate)),
    "evidence": partial(_chosen, known=get_args(Evidence)),
    "coordinates": partial(_chosen, known=get_args(Convention)),
    "dtype": partial(_chosen, known=get_args(Dtype)),
    "domains": partial(_several, each=partial(_chosen, known=get_args(Domain))),
    "aliases": partial(_several, each=_text),
    "max_images": _images,
    "trained_multi_image": _flag,
    "in_folders": _flag,
    "square": _flag,
    "min_pixels": _size,
    "max_pixels": _size,
    "context_pixels": _size,
    "think": _tags,
    "answer": _tags,
    "differs": _differs,
}


@cache
def _by_name() -> Mapping[str, GeneratorPreset]:
    found: dict[str, GeneratorPreset] = {}
    for preset in presets():
        own = preset.adapter or preset.model
        for spelling in filter(None, (preset.name, *preset.aliases, own)):
            found.setdefault(spelling.lower(), preset)
    return found
