"""From a mapping of a recipe to a frozen record of settings: every key checked, none guessed."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from types import UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from medrag.config.place import Place, shown, unknown
from medrag.config.values import converted

Made = TypeVar("Made")
# YAML 1.1 takes 1e-4 for a text, YAML 1.2 and every reader of papers for a number.
_POWER = re.compile(r"[-+]?[0-9]+(\.[0-9]*)?[eE][-+]?[0-9]+")


def settings(
    made: type[Made], spec: Any, place: Place, *, defaults: Mapping[str, Any] | None = None
) -> Made:
    """Make a record of what a mapping says.

    Args:
        made: a dataclass; a field that is a dataclass takes a mapping of its own.
        defaults: values in the place of those of the dataclass.

    Raises:
        RecipeError: for an unknown key, a missing one, or a value of the wrong type; names the
            file, the place in it, and the nearest spelling.
    """
    record: Made = several_settings((made,), spec, place, defaults=defaults)[0]
    return record


def several_settings(
    made: Sequence[type[Any]],
    spec: Any,
    place: Place,
    *,
    defaults: Mapping[str, Any] | None = None,
) -> tuple[Any, ...]:
    """Make several records of one mapping, whose keys go to the record that has them."""
    if not isinstance(spec, Mapping):
        raise place.error(f"expected a mapping of settings, got {shown(spec)}")
    known = [_annotations(each) for each in made]
    section = place.keys[-1] if place.keys else "the recipe"
    for key in spec:
        if not any(key in each for each in known):
            names = [name for each in known for name in each]
            raise place.at(key).error(unknown(f"key of {section!r}", key, names))
    records = []
    for each, annotations in zip(made, known, strict=True):
        told = {
            key: _value(value, annotations[key], place.at(key))
            for key, value in {**(defaults or {}), **spec}.items()
            if key in annotations
        }
        if missing := [name for name in _required(each) if name not in told]:
            raise place.error(f"needs the key {missing[0]!r}, which is missing")
        try:
            records.append(each(**told))
        except ValueError as error:
            raise place.error(str(error)) from error
    return tuple(records)


def keyword_arguments(annotations: Mapping[str, Any], spec: Any, place: Place) -> dict[str, Any]:
    """Check a mapping against keywords with their annotations; absent ones stay absent.

    Raises:
        RecipeError: as `settings`.
    """
    if not isinstance(spec, Mapping):
        raise place.error(f"expected a mapping of settings, got {shown(spec)}")
    section = place.keys[-1] if place.keys else "the recipe"
    for key in spec:
        if key not in annotations:
            raise place.at(key).error(unknown(f"key of {section!r}", key, annotations))
    return {key: _value(value, annotations[key], place.at(key)) for key, value in spec.items()}


def _annotations(made: type[Any]) -> dict[str, Any]:
    hints = get_type_hints(made)
    return {each.name: hints[each.name] for each in fields(made)}


def _required(made: type[Any]) -> list[str]:
    return [
        each.name
        for each in fields(made)
        if each.default is MISSING and each.default_factory is MISSING
    ]


def _value(value: Any, annotation: Any, place: Place) -> Any:
    record = _record(annotation)
    if record is not None and isinstance(value, Mapping):
        return settings(record, value, place)
    if _takes_float(annotation) and isinstance(value, str) and _POWER.fullmatch(value):
        return float(value)
    _check_words(value, annotation, place)
    return converted(value, annotation, place)


def _check_words(value: Any, annotation: Any, place: Place) -> None:
    """Give the nearest spelling of a word that is none of those allowed, in a list as well."""
    listed = isinstance(value, list)
    for position, each in enumerate(value if listed else [value]):
        words = _words(annotation, listed=listed)
        if words and isinstance(each, str) and each not in words:
            at = place.at(position) if listed else place
            raise at.error(unknown("value", each, words))


def _words(annotation: Any, *, listed: bool) -> list[str]:
    """List the words that an annotation allows; none where it allows other texts as well."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return [] if listed else [each for each in arguments if isinstance(each, str)]
    if origin in (Union, UnionType):
        return [word for each in arguments for word in _words(each, listed=listed)]
    if listed and origin in (tuple, list, Sequence):
        return _words(arguments[0], listed=False)
    return []


def _record(annotation: Any) -> type[Any] | None:
    """Find the dataclass among what an annotation allows."""
    allowed = (annotation, *get_args(annotation))
    return next((each for each in allowed if isinstance(each, type) and is_dataclass(each)), None)


def _takes_float(annotation: Any) -> bool:
    return float in (annotation, *get_args(annotation))
