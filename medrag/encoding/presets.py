"""Encoders by name, with what is known of them: the rows of `presets.yaml`."""

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
    mapping,
    nearest,
    read_row,
    rows_of,
    several,
    size,
    words,
)
from medrag.errors import RecipeError
from medrag.protocols import Side

EncoderKind = Literal[
    "clip", "image", "sentence", "medcpt", "sparse", "page", "volume", "remote", "descriptor",
    "projected",
]  # fmt: skip
Loads = Literal[
    "transformers", "open_clip", "sentence-transformers", "remote code", "package", "built in"
]
Score = Literal["softmax", "sigmoid", "cosine", "inner product", "maxsim"]
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
    return tuple(preset_of(row, place) for row, place in rows_of(_PATH))


def find(name: str) -> Preset | None:
    """Find a preset by its name, another name of it, or its hub id; small and large letters agree.

    None for what is none of these, such as the id of another model, or a folder.
    """
    return _by_name().get(_plain(name))


def near(name: str, n: int = 3) -> list[str]:
    """Give the names of presets that are spelled most like a name, nearest first."""
    return nearest(_plain(name), _by_name(), n)


def preset_of(row: Any, place: str) -> Preset:
    """Check one row of the file.

    Raises:
        RecipeError: naming the place and the key.
    """
    preset = read_row(Preset, row, place, _CHECKS)
    _check_together(preset, f"{place} ({preset.name})")
    return preset


def _check_together(preset: Preset, place: str) -> None:
    if (preset.serve is not None) != (preset.kind == "remote"):
        raise RecipeError(f"{place}: 'serve' belongs to the kind 'remote', and only to it")
    if (preset.loads == "package") != bool(preset.serve or preset.wrap):
        raise RecipeError(f"{place}: 'loads: package' needs 'serve' or 'wrap', and only it has one")
    if not (preset.model or preset.checkpoint) and preset.loads not in ("package", "built in"):
        raise RecipeError(f"{place}: needs a 'model' or a 'checkpoint'")


def _sides(value: Any, place: str) -> tuple[int, ...]:
    return several(value if isinstance(value, list) else [value] * 2, place, each=size)


# What turns a value of a row into one of a preset; words where a key is not named.
_CHECKS: Mapping[str, Check] = {
    "kind": partial(chosen, known=get_args(EncoderKind)),
    "loads": partial(chosen, known=get_args(Loads)),
    "gate": partial(chosen, known=get_args(Gate)),
    "score": partial(chosen, known=get_args(Score)),
    "evidence": partial(chosen, known=get_args(Evidence)),
    "side": partial(chosen, known=get_args(Side)),
    "domains": partial(several, each=partial(chosen, known=get_args(Domain))),
    "aliases": partial(several, each=words),
    "needs": partial(several, each=words),
    "image": _sides,
    "options": mapping,
    "differs": differs,
    "d": size,
    "tokens": size,
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
