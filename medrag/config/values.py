"""Check a YAML value against the annotation of the keyword it is meant for."""

import types
from collections.abc import Collection, Iterable, Mapping, Sequence, Set
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

from medrag.config.place import Place, shown

_SEQUENCES = (tuple, list, Sequence, Collection, Iterable)
_SETS = (set, frozenset, Set)


def converted(value: Any, annotation: Any, place: Place) -> Any:
    """Return the value as the annotation wants it: a tuple for a list, a Path for a text.

    Raises:
        RecipeError: if the value does not fit.
    """
    fits, result = _convert(value, annotation)
    if not fits:
        raise place.error(f"expected {described(annotation)}, got {shown(value)}")
    return result


def described(annotation: Any) -> str:
    """Say in words what values an annotation allows."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin in (Union, types.UnionType):
        return " or ".join(described(each) for each in arguments)
    if origin is Literal:
        return " or ".join(repr(each) for each in arguments)
    if _is_list(annotation):
        each = [each for each in arguments if each is not Ellipsis]
        return f"a list of {described(each[0])}" if each else "a list"
    if (origin or annotation) in (dict, Mapping):
        return "a mapping"
    names: dict[Any, str] = {
        str: "a text",
        int: "a whole number",
        float: "a number",
        bool: "true or false",
    }
    return {**names, Path: "a path", type(None): "null", None: "null"}.get(annotation, "a value")


def _convert(value: Any, annotation: Any) -> tuple[bool, Any]:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if annotation in (Any, object):
        return True, value
    if origin in (Union, types.UnionType):
        return _first(_convert(value, each) for each in arguments)
    if origin is Literal:
        same = any(value == each and type(value) is type(each) for each in arguments)
        return same, value
    if _is_list(annotation):
        return _convert_list(value, origin or annotation, arguments)
    if (origin or annotation) in (dict, Mapping):
        return _convert_mapping(value, arguments)
    return _convert_scalar(value, annotation)


def _convert_scalar(value: Any, annotation: Any) -> tuple[bool, Any]:
    if annotation in (None, type(None)):
        return value is None, None
    if annotation is float:
        fits = isinstance(value, int | float) and not isinstance(value, bool)
        return fits, value
    if annotation is int:
        return isinstance(value, int) and not isinstance(value, bool), value
    if annotation is Path:
        return isinstance(value, str), Path(value) if isinstance(value, str) else value
    if annotation in (str, bool):
        return isinstance(value, annotation), value
    # A function, an array, a record: no YAML value is one.
    return False, value


def _convert_list(value: Any, kind: Any, arguments: tuple[Any, ...]) -> tuple[bool, Any]:
    if not isinstance(value, list):
        return False, value
    if kind is tuple and arguments and Ellipsis not in arguments:
        if len(arguments) != len(value):
            return False, value
        pairs = [_convert(each, wanted) for each, wanted in zip(value, arguments, strict=True)]
    else:
        wanted = arguments[0] if arguments else Any
        pairs = [_convert(each, wanted) for each in value]
    made = [each for _, each in pairs]
    if kind in _SETS:
        return _as_set(made) if all(fits for fits, _ in pairs) else (False, value)
    return all(fits for fits, _ in pairs), made if kind is list else tuple(made)


def _convert_mapping(value: Any, arguments: tuple[Any, ...]) -> tuple[bool, Any]:
    if not isinstance(value, dict):
        return False, value
    wanted = arguments[1] if len(arguments) == 2 else Any
    pairs = {key: _convert(each, wanted) for key, each in value.items()}
    return all(fits for fits, _ in pairs.values()), {key: each for key, (_, each) in pairs.items()}


def _first(attempts: Iterable[tuple[bool, Any]]) -> tuple[bool, Any]:
    for fits, result in attempts:
        if fits:
            return True, result
    return False, None


def _is_list(annotation: Any) -> bool:
    return (get_origin(annotation) or annotation) in (*_SEQUENCES, *_SETS)


def _as_set(values: list[Any]) -> tuple[bool, Any]:
    if any(isinstance(each, list | dict) for each in values):
        return False, values
    return True, frozenset(values)
