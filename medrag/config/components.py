"""From the mapping that names a component to the component itself.

`kind` picks a class of the tables; every other key is a keyword of its constructor and is checked
against the signature before anything is built, so that a mistake costs a line and not a download.
A keyword whose annotation is a protocol takes a component of its own.
"""

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, get_args, get_origin, get_type_hints

from medrag import protocols
from medrag.config.place import Place, shown, unknown
from medrag.config.tables import constructor, kinds
from medrag.config.values import converted

_NESTED: Mapping[Any, str] = {
    protocols.Encoder: "encoder",
    protocols.Retriever: "retriever",
    protocols.Selector: "selector",
    protocols.Answerer: "answerer",
    protocols.Generator: "generator",
    protocols.Verifier: "verifier",
    protocols.Tool: "tool",
}


@dataclass(frozen=True, slots=True)
class Plan:
    """A component that can be built: checked, picklable, and built anew by every call.

    `arguments` holds plain values, and plans (or a tuple of them) where components are nested.
    """

    protocol: str
    kind: str
    arguments: Mapping[str, Any]
    place: Place

    def constructor(self) -> type[Any]:
        """Import the class that will be built."""
        return constructor(self.protocol, self.kind, self.place)

    def __call__(self, **given: Any) -> Any:
        """Build the component; `given` are the keywords that no YAML can hold.

        Raises:
            RecipeError: if the constructor refuses a value.
        """
        made = {key: _built(value) for key, value in self.arguments.items()}
        try:
            return self.constructor()(**made, **given)
        except ValueError as error:
            raise self.place.error(str(error)) from error


def _built(value: Any) -> Any:
    if isinstance(value, tuple):
        return tuple(_built(each) for each in value)
    return value() if isinstance(value, Plan) else value


def planned(protocol: str, spec: Any, place: Place, *, given: frozenset[str] = frozenset()) -> Plan:
    """Check the mapping of one component.

    Args:
        spec: what the YAML says: {"kind": ..., keyword: value, ...}.
        given: keywords of the constructor that the caller brings, and YAML must not.

    Raises:
        RecipeError: for an unknown kind or key, a missing key, or a value of the wrong type; names
            the file, the place in it, and the nearest spelling.
    """
    if not isinstance(spec, Mapping):
        raise place.error(
            f"expected a mapping such as {{kind: {_example(protocol)}}}, got {shown(spec)}"
        )
    kind = spec.get("kind")
    if not isinstance(kind, str):
        problem = "the key 'kind' is missing" if kind is None else f"expected a text, got {kind!r}"
        raise place.at("kind").error(f"{problem}; known kinds: {', '.join(kinds(protocol))}")
    wanted = keywords(constructor(protocol, kind, place), given)
    arguments = _arguments(spec, wanted, place, kind)
    return Plan(protocol, kind, arguments, place)


@dataclass(frozen=True, slots=True)
class Keyword:
    """One keyword of a constructor."""

    annotation: Any
    required: bool


def keywords(made: type[Any], given: frozenset[str]) -> dict[str, Keyword]:
    """List what a constructor takes, without what the caller brings."""
    hints = _hints(made)
    return {
        name: Keyword(hints.get(name, Any), parameter.default is parameter.empty)
        for name, parameter in inspect.signature(made).parameters.items()
        if name not in given
        and parameter.kind not in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL)
    }


def _arguments(
    spec: Mapping[str, Any], wanted: Mapping[str, Keyword], place: Place, kind: str
) -> dict[str, Any]:
    arguments: dict[str, Any] = {}
    for key, value in spec.items():
        if key == "kind":
            continue
        if key not in wanted:
            raise place.at(key).error(unknown(f"key of {kind!r}", key, [*wanted, "kind"]))
        arguments[key] = _argument(value, wanted[key].annotation, place.at(key))
    missing = [key for key, each in wanted.items() if each.required and key not in spec]
    if missing:
        raise place.error(f"{kind!r} needs the key {missing[0]!r}, which is missing")
    return arguments


def _argument(value: Any, annotation: Any, place: Place) -> Any:
    protocol = _protocol(annotation)
    if protocol is None:
        return converted(value, annotation, place)
    if value is None and type(None) in get_args(annotation):
        return None
    if get_origin(annotation) is not tuple:
        return planned(protocol, value, place)
    if not isinstance(value, list):
        raise place.error(f"expected a list of such, got {shown(value)}")
    return tuple(planned(protocol, each, place.at(at)) for at, each in enumerate(value))


def _protocol(annotation: Any) -> str | None:
    for each in (annotation, *get_args(annotation)):
        for wanted, name in _NESTED.items():
            if each is wanted:
                return name
    return None


def _hints(made: type[Any]) -> dict[str, Any]:
    try:
        return get_type_hints(made.__init__)
    except NameError:
        # A type of a library that is only imported for checking: such a value is not in YAML.
        return {}


def _example(protocol: str) -> str:
    return (kinds(protocol) or ["NAME"])[0]
