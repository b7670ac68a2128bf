"""What a finding looks like, from the terms and facts of a knowledge graph.

A grounder that is told "effusion means fluid at the base of the lung" finds it better than by the
word alone; the words come from an index, so that they can be cited and checked.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from medrag.errors import RecipeError
from medrag.extras import require
from medrag.records import Passage

# What can be seen of a finding, and how words of the relations that tell it begin.
_ATTRIBUTES: Mapping[str, tuple[str, ...]] = {
    "shape": ("shape", "contour", "margin", "border"),
    "density": ("density", "opacity", "attenuation", "radiodensity"),
    "intensity": ("intensity", "signal", "brightness", "echogenicity"),
    "colour": ("colour", "color", "stain"),
    "texture": ("texture", "pattern", "morphology", "appearance"),
    "size": ("size", "diameter"),
    "location": ("location", "located", "site", "region", "anatom", "position"),
}
_WORD = re.compile(r"[a-z]+")
_MOST_VALUES = 4
_LARGEST = 4 << 20


@dataclass(frozen=True, slots=True)
class Definition:
    """What a finding is and looks like.

    Attributes:
        name: as its term writes it.
        text: the definition; "" where there is none.
        attributes: pairs such as ("shape", "crescent"), in the order of the passages.
        passages: ids of what it was taken from.
    """

    name: str
    text: str = ""
    attributes: tuple[tuple[str, str], ...] = ()
    passages: tuple[str, ...] = ()


def definitions_from(passages: Iterable[Passage]) -> dict[str, Definition]:
    """Gather definitions by name in small letters, synonyms of a term included.

    Args:
        passages: of kind "term", for what it is, and "fact", for what can be seen of it; others
            are passed over. A fact counts where its relation tells of shape, density, intensity,
            colour, texture, size or location.

    Returns:
        Where two terms have one name, the first that has a definition counts; a name goes before a
        synonym of another term.

    Source:
        K2Sight and AG-KD, arXiv 2508.04572: definitions taken apart into visible attributes.
    """
    found: dict[str, Definition] = {}
    synonyms: dict[str, str] = {}
    for passage in passages:
        if passage.kind == "term":
            _add_term(passage, found, synonyms)
        elif passage.kind == "fact":
            _add_fact(passage, found)
    for synonym, name in synonyms.items():
        found.setdefault(synonym, found[name])
    return {key: each for key, each in found.items() if each.text or each.attributes}


def described(definition: Definition) -> str:
    """Write a definition as the words that a grounder is given: "fluid ...; shape: crescent"."""
    attributes: dict[str, list[str]] = {}
    for attribute, value in definition.attributes:
        attributes.setdefault(attribute, []).append(value)
    seen = [f"{name}: {', '.join(each[:_MOST_VALUES])}" for name, each in attributes.items()]
    return "; ".join(filter(None, (definition.text.rstrip(" ."), *seen)))


def name_key(name: str) -> str:
    """Give the form in which names are compared: small letters, single blanks."""
    return " ".join(name.casefold().split())


def _add_term(passage: Passage, found: dict[str, Definition], synonyms: dict[str, str]) -> None:
    name, text = _text(passage.fields.get("name")), _text(passage.fields.get("definition"))
    key = name_key(name)
    if not key:
        return
    known = found.get(key, Definition(name))
    if text and not known.text:
        known = replace(known, text=text, passages=(*known.passages, passage.id))
    found[key] = known
    others = passage.fields.get("synonyms")
    for other in others if isinstance(others, Sequence) and not isinstance(others, str) else ():
        if name_key(_text(other)):
            synonyms.setdefault(name_key(_text(other)), key)


def _add_fact(passage: Passage, found: dict[str, Definition]) -> None:
    head, tail = _text(passage.fields.get("head")), _text(passage.fields.get("tail"))
    attribute = _attribute(_text(passage.fields.get("relation")))
    if not head or not tail or attribute is None:
        return
    known = found.get(name_key(head), Definition(head))
    if (attribute, tail) not in known.attributes:
        known = replace(
            known,
            attributes=(*known.attributes, (attribute, tail)),
            passages=(*known.passages, passage.id),
        )
    found[name_key(head)] = known


def _attribute(relation: str) -> str | None:
    words = _WORD.findall(relation.casefold())
    for attribute, signs in _ATTRIBUTES.items():
        if any(word.startswith(signs) for word in words):
            return attribute
    return None


def _text(value: object) -> str:
    return " ".join(value.split()) if isinstance(value, str) else ""


def read_definitions(path: Path) -> dict[str, str]:
    """Read a YAML or JSON file that maps names of findings to their definitions.

    Raises:
        RecipeError: if the file cannot be read, is larger than 4 MB, or holds anything else.
    """
    try:
        with path.open("rb") as stream:
            raw = stream.read(_LARGEST + 1)
        if len(raw) > _LARGEST:
            raise RecipeError(f"{path} has more than {_LARGEST:,} bytes, which no definitions need")
        values = require("yaml").safe_load(raw.decode("utf-8"))
    except (OSError, ValueError, RecursionError, require("yaml").YAMLError) as error:
        raise RecipeError(f"the definitions {path} cannot be read: {error}") from error
    if not isinstance(values, dict) or not all(
        isinstance(each, str) for pair in values.items() for each in pair
    ):
        raise RecipeError(
            f"{path} must map names of findings to texts, such as: effusion: fluid at the base of "
            "the lung"
        )
    return values
