"""Checked reading of JSON values: types of the records against what a file really holds.

A function is made once for each type, and does no more than compare types where all is well.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

Decoder = Callable[[Any], Any]

# How the types of JSON values are called.
_NAMES: Mapping[type, str] = {
    str: "a text", float: "a number", int: "a whole number", bool: "true or false",
    list: "a list", dict: "an object", NoneType: "null",
}  # fmt: skip
# What the types of fields are in JSON; a number may be written without a point.
_JSON: Mapping[Any, tuple[type, ...]] = {
    str: (str,), Path: (str,), float: (float, int), int: (int,), bool: (bool,),
    NoneType: (NoneType,), list: (list,), dict: (dict,),
}  # fmt: skip
# Whole numbers of the files are counts, ranks and places; arrays hold 64 bits.
_MOST = 2**63
_SHOWN = 40


class ShapeError(ValueError):
    """A JSON value is not of the shape that was expected.

    Attributes:
        told: what was expected and found.
        place: where, such as "question.images[0].path"; "" for the whole value.
    """

    def __init__(self, told: str, place: str = "") -> None:
        super().__init__(f"{place}: {told}" if place else told)
        self.told = told
        self.place = place

    def inside(self, name: str | int) -> "ShapeError":
        """Say the same of the object, or the list, that holds the value under a name or number."""
        own = f"[{name}]" if isinstance(name, int) else name
        dot = "." if self.place and not self.place.startswith("[") else ""
        return ShapeError(self.told, f"{own}{dot}{self.place}")


def shown(value: Any) -> str:
    """Name a JSON value in an error."""
    if isinstance(value, dict | list):
        return _NAMES[type(value)]
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, str):
        return f"the text {value[:_SHOWN]!r}{'...' if len(value) > _SHOWN else ''}"
    # A huge number has no digits that Python would write.
    big = isinstance(value, int) and not -_MOST <= value < _MOST
    return "a number of more than 64 bits" if big else f"the number {value}"


@cache
def decoder(kind: Any) -> Decoder:
    """Give the function that checks a JSON value and turns it into a type of the records.

    It knows texts, numbers, booleans, None, literals, paths (which stay texts), tuples, mappings
    from texts, dataclasses, and unions that JSON can tell apart; anything else is left as it is.
    The function raises ShapeError.
    """
    origin, arguments = get_origin(kind), get_args(kind)
    if is_dataclass(kind):
        return _record_decoder(kind)
    if origin in (Union, UnionType):
        return _union_decoder(arguments)
    if origin is Literal:
        return _literal_decoder(arguments)
    if origin is tuple:
        if arguments[-1] is Ellipsis:
            return list_decoder(decoder(arguments[0]))
        return _row_decoder([decoder(each) for each in arguments])
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return _mapping_decoder(arguments[1])
    if kind is float:
        return _number
    if kind is int:
        return _whole_number
    return _plain_decoder(kind) if kind in _JSON else _as_it_is


def fields_decoder(
    kinds: Mapping[str, Any],
    required: Iterable[str],
    *,
    make: Callable[..., Any] | None = None,
) -> Decoder:
    """Give the function that checks a JSON object field by field, and decodes them.

    Args:
        kinds: the type of each field that may stand there.
        required: names that must stand there.
        make: what the fields are given to; without it the function gives a mapping of them.
    """
    decoders = {name: decoder(kind) for name, kind in kinds.items()}
    # Types that need no further look: most values by far.
    passed = {name: _passed(kind) for name, kind in kinds.items()}
    needed = tuple(name for name in decoders if name in frozenset(required))

    def decoded(value: Any) -> Any:
        if type(value) is not dict:
            raise _wrong("an object", value)
        read, name = value, ""
        try:
            for name, each in value.items():
                found = type(each)
                if found not in passed[name] or (found is int and not -_MOST <= each < _MOST):
                    if read is value:
                        read = value.copy()
                    read[name] = decoders[name](each)
        except ShapeError as error:
            raise error.inside(name) from None
        except KeyError:
            raise ShapeError(f"unknown key; known are {', '.join(passed)}", name) from None
        for name in needed:
            if name not in read:
                raise ShapeError("is missing", name)
        return read if make is None else make(**read)

    return decoded


def list_decoder(inner: Decoder) -> Decoder:
    """Give the function that reads a list into a tuple."""

    def decoded(value: Any) -> tuple[Any, ...]:
        if type(value) is not list:
            raise _wrong("a list", value)
        read: list[Any] = []
        try:
            for each in value:
                read.append(inner(each))
        except ShapeError as error:
            raise error.inside(len(read)) from None
        return tuple(read)

    return decoded


def shape_of(kind: Any) -> tuple[dict[str, Any], frozenset[str]]:
    """Give the type of each field of a dataclass, and the names of those without a default."""
    own = fields(kind)
    hints = get_type_hints(kind)
    needed = (e.name for e in own if e.default is MISSING and e.default_factory is MISSING)
    return {each.name: hints[each.name] for each in own}, frozenset(needed)


def _record_decoder(kind: Any) -> Decoder:
    return fields_decoder(*shape_of(kind), make=kind)


def _union_decoder(kinds: Iterable[Any]) -> Decoder:
    by_type: dict[type, Decoder] = {}
    for kind in kinds:
        for each in _json_types(kind):
            by_type.setdefault(each, decoder(kind))
    expected = " or ".join(dict.fromkeys(_NAMES[_json_types(kind)[0]] for kind in kinds))

    def decoded(value: Any) -> Any:
        known = by_type.get(type(value))
        if known is None:
            raise _wrong(expected, value)
        return known(value)

    return decoded


def _literal_decoder(texts: Iterable[str]) -> Decoder:
    known = dict.fromkeys(texts)

    def decoded(value: Any) -> Any:
        if type(value) is not str or value not in known:
            raise _wrong(f"one of {', '.join(known)}", value)
        return value

    return decoded


def _row_decoder(inner: list[Decoder]) -> Decoder:
    read = list_decoder(_as_it_is)

    def decoded(value: Any) -> tuple[Any, ...]:
        row = read(value)
        if len(row) != len(inner):
            raise ShapeError(f"expected {len(inner)} values, found {len(row)}")
        return tuple(decode(each) for decode, each in zip(inner, row, strict=True))

    return decoded


def _mapping_decoder(kind: Any) -> Decoder:
    inner = decoder(kind)

    def decoded(value: Any) -> dict[str, Any]:
        if type(value) is not dict:
            raise _wrong("an object", value)
        if inner is _as_it_is:
            return value
        read, name = {}, ""
        try:
            for name, each in value.items():
                read[name] = inner(each)
        except ShapeError as error:
            raise error.inside(name) from None
        return read

    return decoded


def _plain_decoder(kind: Any) -> Decoder:
    wanted = _JSON[kind][0]

    def decoded(value: Any) -> Any:
        if type(value) is not wanted:
            raise _wrong(_NAMES[wanted], value)
        return value

    return decoded


def _number(value: Any) -> float:
    if type(value) is float:
        return value
    if type(value) is not int or not -_MOST <= value < _MOST:
        raise _wrong(_NAMES[float], value)
    return float(value)


def _whole_number(value: Any) -> int:
    if type(value) is not int or not -_MOST <= value < _MOST:
        raise _wrong(_NAMES[int], value)
    return value


def _as_it_is(value: Any) -> Any:
    return value


def _json_types(kind: Any) -> tuple[type, ...]:
    origin = get_origin(kind)
    if is_dataclass(kind) or (isinstance(origin, type) and issubclass(origin, Mapping)):
        return (dict,)
    if origin is tuple:
        return (list,)
    return (str,) if origin is Literal else _JSON[kind]


def _passed(kind: Any) -> frozenset[type]:
    """List the types of JSON values that a field takes as they are."""
    if kind is Any:
        return frozenset(_NAMES)
    if kind in (dict, list, Mapping[str, Any]):
        return frozenset({list if kind is list else dict})
    parts = get_args(kind) if get_origin(kind) in (Union, UnionType) else (kind,)
    as_they_are = {str: str, Path: str, float: float, int: int, bool: bool, NoneType: NoneType}
    return frozenset(as_they_are[part] for part in parts if part in as_they_are)


def _wrong(expected: str, value: Any) -> ShapeError:
    return ShapeError(f"expected {expected}, found {shown(value)}")
