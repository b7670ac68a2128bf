"""Rows of a `presets.yaml`, checked: what the presets of encoders and generators have in common."""

from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal, Protocol, TypeVar, cast, get_args

from medrag.checkpoints.files import holds_weights
from medrag.errors import RecipeError
from medrag.extras import require

Gate = Literal["none", "accept", "request", "download"]
Evidence = Literal["verified", "secondary", "from memory"]
# Turns a value of a row into one of a preset; told where it stands.
Check = Callable[[Any, str], Any]


class Named(Protocol):
    """A preset."""

    @property
    def name(self) -> str: ...


_Preset = TypeVar("_Preset")


def rows_of(path: Path) -> list[tuple[Any, str]]:
    """Read the rows of a file, each with its place for messages."""
    rows = require("yaml").safe_load(path.read_text(encoding="utf-8"))
    return [(row, f"{path.name}, row {n}") for n, row in enumerate(rows, 1)]


def read_row(kind: type[_Preset], row: Any, place: str, checks: Mapping[str, Check]) -> _Preset:
    """Make a preset of one row.

    Args:
        kind: a dataclass with `differs`, the evidence of single keys.
        place: of the row, for messages.
        checks: by key; a key without one holds words.

    Raises:
        RecipeError: naming the place and the key.
    """
    if not isinstance(row, Mapping):
        raise RecipeError(f"{place}: expected a mapping, got {type(row).__name__}")
    place = f"{place} ({row.get('name', 'without a name')})"
    known = {each.name: each for each in fields(cast("Any", kind))}
    for key in row:
        if key not in known:
            raise RecipeError(f"{place}: unknown key {key!r}; known: {', '.join(known)}")
    for key, each in known.items():
        if key not in row and each.default is MISSING and each.default_factory is MISSING:
            raise RecipeError(f"{place}: lacks the key {key!r}")
    every: Mapping[str, Check] = {**dict.fromkeys(known, words), **checks}
    values = {key: every[key](value, f"{place}, {key}") for key, value in row.items()}
    for key in values.get("differs", {}):
        if key not in values:
            raise RecipeError(f"{place}: 'differs' names {key!r}, which the row does not hold")
    return kind(**values)


def nearest(name: str, known: Mapping[str, Named], n: int) -> list[str]:
    """Give the names of presets of which a spelling is most like a name, nearest first."""
    spellings = get_close_matches(name, known, n=4 * n, cutoff=0.6)
    return list(dict.fromkeys(known[spelling].name for spelling in spellings))[:n]


def cached(model: str) -> bool:
    """Tell whether the hub's cache holds weights of a model, of any revision."""
    root = Path(require("huggingface_hub.constants").HF_HUB_CACHE)
    return holds_weights(root / f"models--{model.replace('/', '--')}" / "snapshots")


def way_to_download(models: list[str], gate: Gate) -> str:
    """Say how to get models that are not here, and what stands before the first of them."""
    first = {"accept": "accept its terms at", "request": "request access at"}.get(gate)
    ask = f"{first} https://huggingface.co/{models[0]}, then: hf auth login; " if first else ""
    return ask + "; ".join(f"hf download {each}" for each in models)


def chosen(value: Any, place: str, *, known: tuple[str, ...]) -> str:
    """Check that a value is one of some words."""
    if value not in known:
        raise RecipeError(f"{place}: expected one of {', '.join(known)}, got {value!r}")
    return str(value)


def several(value: Any, place: str, *, each: Check) -> tuple[Any, ...]:
    """Check a list that is not empty, and each of its values."""
    if not isinstance(value, list) or not value:
        raise RecipeError(f"{place}: expected a list, got {value!r}")
    return tuple(each(one, place) for one in value)


def mapping(value: Any, place: str) -> dict[str, Any]:
    """Check a mapping."""
    if not isinstance(value, Mapping):
        raise RecipeError(f"{place}: expected a mapping, got {value!r}")
    return dict(value)


def differs(value: Any, place: str) -> dict[str, str]:
    """Check how well the facts of single keys are known."""
    known = get_args(Evidence)
    return {key: chosen(one, place, known=known) for key, one in mapping(value, place).items()}


def size(value: Any, place: str) -> int:
    """Check a whole number from 1."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise RecipeError(f"{place}: expected a whole number from 1, got {value!r}")
    return value


def words(value: Any, place: str) -> str:
    """Check a text that is not blank."""
    if not isinstance(value, str) or not value.strip():
        raise RecipeError(f"{place}: expected words, got {value!r}")
    return value
