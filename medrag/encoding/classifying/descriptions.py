"""What tells domains apart in words: the file of medrag, or one's own of the same form."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medrag.errors import RecipeError
from medrag.extras import require

_OURS = Path(__file__).with_name("domains.yaml")
_LARGEST = 1 << 20
_FORM = "{domains: {NAME: {templates: [...], words: [...]}}, others: [...]}"


@dataclass(frozen=True, slots=True)
class Descriptions:
    """Descriptions of pictures, and words of questions, by domain.

    Attributes:
        others: descriptions of pictures of no domain.
    """

    templates: Mapping[str, tuple[str, ...]]
    words: Mapping[str, tuple[str, ...]]
    others: tuple[str, ...] = ()


def read_descriptions(
    path: Path | None = None, domains: Sequence[str] | None = None
) -> Descriptions:
    """Read a YAML file such as `domains.yaml` of medrag.

    Args:
        path: None for that one.
        domains: those to keep, in this order; None for all.

    Raises:
        RecipeError: if the file cannot be read, has another form, or lacks a domain that is named.
    """
    path = path or _OURS
    told = _mapping(_read(path), path, ("domains", "others"), "the file")
    each = told.get("domains")
    if not isinstance(each, Mapping) or not each:
        raise RecipeError(f"{path}: expected {_FORM}, and found no domains")
    found = {
        str(name): _mapping(what, path, ("templates", "words"), str(name))
        for name, what in each.items()
    }
    for name in domains or ():
        if name not in found:
            raise RecipeError(f"{path} describes no domain {name!r}; it has {', '.join(found)}")
    kept = list(found if domains is None else domains)
    if not kept:
        raise RecipeError("domains is an empty list; leave it out for all")
    return Descriptions(
        templates={n: _texts(found[n].get("templates"), path, f"{n}.templates") for n in kept},
        words={n: _texts(found[n].get("words"), path, f"{n}.words") for n in kept},
        others=_texts(told.get("others"), path, "others"),
    )


def _read(path: Path) -> Any:
    yaml = require("yaml")
    try:
        with path.open("rb") as stream:
            content = stream.read(_LARGEST + 1)
        if len(content) > _LARGEST:
            raise RecipeError(f"{path} is larger than {_LARGEST >> 20} MB, which no words need")
        return yaml.safe_load(content.decode("utf-8-sig"))
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        why = getattr(error, "strerror", None) or " ".join(str(error).split())
        raise RecipeError(f"{path} cannot be read as YAML ({why}); expected {_FORM}") from error


def _mapping(value: Any, path: Path, keys: Sequence[str], where: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise RecipeError(f"{path}, {where}: expected {_FORM}, got {type(value).__name__}")
    for key in value:
        if key not in keys:
            raise RecipeError(f"{path}, {where}: unknown key {key!r}; known: {', '.join(keys)}")
    return value


def _texts(value: Any, path: Path, where: str) -> tuple[str, ...]:
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(e, str) and e.strip() for e in value):
        raise RecipeError(f"{path}, {where}: expected a list of texts, none of them blank")
    return tuple(value)
