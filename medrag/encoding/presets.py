"""Encoders by name, with what is known of them: the rows of `presets.yaml`."""

from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, field, fields
from difflib import get_close_matches
from functools import cache, partial
from pathlib import Path
from typing import Any, Literal, get_args

from medrag.errors import RecipeError
from medrag.extras import require
from medrag.protocols import Side

EncoderKind = Literal[
    "clip", "image", "sentence", "medcpt", "sparse", "page", "volume", "remote", "descriptor"
]
Loads = Literal[
    "transformers", "open_clip", "sentence-transformers", "remote code", "package", "built in"
]
Gate = Literal["none", "accept", "request", "download"]
Score = Literal["softmax", "sigmoid", "cosine", "inner product", "maxsim"]
Evidence = Literal["verified", "secondary", "from memory"]
Domain = Literal[
    "general", "biomedical", "document", "radiology", "chest", "ct", "pathology", "dermatology",
    "ophthalmology", "endoscopy", "surgery",
]  # fmt: skip

# What some write before a hub id to say which library loads it.
PREFIXES = ("hf-hub:", "hf_hub:")
_PATH = Path(__file__).with_name("presets.yaml")


@dataclass(frozen=True, slots=True)
class Preset:
    """One encoder and its facts.

    Attributes:
        name: what people write; small letters.
        kind: of encoder, as a recipe says it.
        loads: the library that loads the weights; "package" for one of the authors' own.
        licence: of the weights.
        score: what a score means: the logit of a "softmax" or "sigmoid" contrast of pictures and
            texts, a cosine, an inner product, or a sum of best matches.
        domains: what it was made for.
        evidence: how well the facts are known; `differs` has it by key where a fact differs.
        model: hub id; None where there is none. Of two towers, that of the question.
        passage_model: hub id of the tower of passages, where it has its own weights.
        checkpoint: name of the file of weights, where it is given apart from a configuration.
        needs: modules beside the library that loads it.
        options: keywords of the encoder beside the model.
        aliases: other names.
        side: of a question that is encoded by default.
        d: numbers in a vector; None where it is only known at runtime.
        image: sides of the picture in pixels, or of the volume; empty where it has none or any.
        tokens: of a text at most; None where it reads none, or without a known limit.
        gate: what stands before a download: "accept" terms, "request" access, or "download" of a
            file by hand.
        serve: how to run it beside medrag, where current libraries cannot load it.
        wrap: likewise where an encoder of kind "remote" cannot take what it gives, or cannot send
            what it reads: what an encoder of one's own would call.
        note: what else one should know.
    """

    name: str
    kind: EncoderKind
    loads: Loads
    licence: str
    score: Score
    domains: tuple[Domain, ...]
    evidence: Evidence
    model: str | None = None
    passage_model: str | None = None
    checkpoint: str | None = None
    needs: tuple[str, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict, hash=False)
    aliases: tuple[str, ...] = ()
    side: Side = "text"
    d: int | None = None
    image: tuple[int, ...] = ()
    tokens: int | None = None
    gate: Gate = "none"
    differs: Mapping[str, Evidence] = field(default_factory=dict, hash=False)
    serve: str | None = None
    wrap: str | None = None
    note: str = ""


@cache
def presets() -> tuple[Preset, ...]:
    """Give every preset, in the order of the file.

    Raises:
        RecipeError: if the file holds a key or a value that is none.
    """
    yaml = require("yaml")
    rows = yaml.safe_load(_PATH.read_text(encoding="utf-8"))
    return tuple(preset_of(row, f"{_PATH.name}, row {n}") for n, row in enumerate(rows, 1))


def find(name: str) -> Preset | None:
    """Find a preset by its name, another name of it, or its hub id; small and large letters agree.

    None for what is none of these, such as the id of another model, or a folder.
    """
    return _by_name().get(_plain(name))


def near(name: str, n: int = 3) -> list[str]:
    """Give the names of presets that are spelled most like a name, nearest first."""
    spellings = get_close_matches(_plain(name), _by_name(), n=4 * n, cutoff=0.6)
    return list(dict.fromkeys(_by_name()[spelling].name for spelling in spellings))[:n]


def preset_of(row: Any, place: str) -> Preset:
    """Check one row of the file.

    Raises:
        RecipeError: naming the place and the key.
    """
    if not isinstance(row, Mapping):
        raise RecipeError(f"{place}: expected a mapping, got {type(row).__name__}")
    place = f"{place} ({row.get('name', 'without a name')})"
    known = {each.name: each for each in fields(Preset)}
    for key in row:
        if key not in known:
            raise RecipeError(f"{place}: unknown key {key!r}; known: {', '.join(known)}")
    for key, each in known.items():
        if key not in row and each.default is MISSING and each.default_factory is MISSING:
            raise RecipeError(f"{place}: lacks the key {key!r}")
    values = {key: _value(key, value, f"{place}, {key}") for key, value in row.items()}
    for key in values.get("differs", {}):
        if key not in values:
            raise RecipeError(f"{place}: 'differs' names {key!r}, which the row does not hold")
    preset = Preset(**values)
    _check_together(preset, place)
    return preset


def _check_together(preset: Preset, place: str) -> None:
    if (preset.serve is not None) != (preset.kind == "remote"):
        raise RecipeError(f"{place}: 'serve' belongs to the kind 'remote', and only to it")
    if (preset.loads == "package") != bool(preset.serve or preset.wrap):
        raise RecipeError(f"{place}: 'loads: package' needs 'serve' or 'wrap', and only it has one")
    if not (preset.model or preset.checkpoint) and preset.loads not in ("package", "built in"):
        raise RecipeError(f"{place}: needs a 'model' or a 'checkpoint'")


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


def _sides(value: Any, place: str) -> tuple[int, ...]:
    return _several(value if isinstance(value, list) else [value] * 2, place, each=_size)


def _mapping(value: Any, place: str) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise RecipeError(f"{place}: expected a mapping, got {value!r}")
    return dict(value)


def _differs(value: Any, place: str) -> dict[str, str]:
    known = get_args(Evidence)
    return {key: _chosen(one, place, known=known) for key, one in _mapping(value, place).items()}


def _size(value: Any, place: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise RecipeError(f"{place}: expected a whole number from 1, got {value!r}")
    return value


def _text(value: Any, place: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise RecipeError(f"{place}: expected words, got {value!r}")
    return value


# What turns a value of a row into one of a preset; words where a key is not named.
_CHECKS: Mapping[str, Callable[[Any, str], Any]] = {
    "kind": partial(_chosen, known=get_args(EncoderKind)),
    "loads": partial(_chosen, known=get_args(Loads)),
    "gate": partial(_chosen, known=get_args(Gate)),
    "score": partial(_chosen, known=get_args(Score)),
    "evidence": partial(_chosen, known=get_args(Evidence)),
    "side": partial(_chosen, known=get_args(Side)),
    "domains": partial(_several, each=partial(_chosen, known=get_args(Domain))),
    "aliases": partial(_several, each=_text),
    "needs": partial(_several, each=_text),
    "image": _sides,
    "options": _mapping,
    "differs": _differs,
    "d": _size,
    "tokens": _size,
}


def _plain(name: str) -> str:
    plain = name.strip().lower()
    for prefix in PREFIXES:
        plain = plain.removeprefix(prefix)
    return plain


@cache
def _by_name() -> Mapping[str, Preset]:
    found: dict[str, Preset] = {}
    for preset in presets():
        spellings = (preset.name, *preset.aliases, preset.model, preset.passage_model)
        for spelling in filter(None, spellings):
            found.setdefault(_plain(spelling), preset)
    return found
