"""Another model in the place of those that a recipe names, to compare recipes with one model."""

from collections.abc import Mapping
from typing import Any

from medrag.config.reading import parse_mapping
from medrag.config.tables import kinds
from medrag.errors import RecipeError


def with_generator(spec: Mapping[str, Any], generator: Any) -> dict[str, Any]:
    """Put a generator in the place of every one that a recipe names, wherever it stands.

    One that wraps another (`with_tools`) stays, and the one inside is replaced. A judge that is a
    server of its own stays.

    Args:
        generator: as a recipe has it: {"kind": ..., ...}.
    """
    return {key: _swapped(key, value, generator) for key, value in spec.items()}


def generator_spec(said: str) -> dict[str, Any]:
    """Read a generator as the command line names it: a kind, or a YAML mapping.

    Raises:
        RecipeError: if it is empty, or a mapping that cannot be read.
    """
    text = said.strip()
    if not text:
        raise RecipeError("--generator is empty; give a kind, a model, or {kind: ...}")
    if text in kinds("generator"):
        return {"kind": text}
    if not text.startswith("{"):
        # A preset, a hub id or a folder: a model of this process.
        return {"kind": "local", "model": text}
    return parse_mapping(text, file="--generator")


def _swapped(key: str, value: Any, generator: Any) -> Any:
    if isinstance(value, list):
        return [_swapped("", each, generator) for each in value]
    if not isinstance(value, Mapping):
        return value
    if key == "generator" and "generator" not in value:
        return generator
    return {inner: _swapped(inner, each, generator) for inner, each in value.items()}
