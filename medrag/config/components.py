"""From the mapping that names a component to the component itself.

`kind` picks a class of the tables; every other key is a keyword of its constructor and is checked
against the signature before anything is built, so that a mistake costs a line and not a download.
A keyword whose annotation is a protocol takes a component of its own, or a list or a mapping of
such; one that is a channel takes the name of one; the passages of the index come by themselves. A
path is relative to the file that says it.
"""

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

from medrag import protocols
from medrag.config.place import Place, shown, unknown
from medrag.config.resources import (
    ChannelNames,
    Passages,
    Resources,
    channel_names,
    from_index,
)
from medrag.config.tables import constructor, kinds
from medrag.config.values import converted

# What is built once for a pipeline, however often it is named: it may hold gigabytes.
_MODELS = frozenset({"generator", "encoder"})

_NESTED: Mapping[Any, str] = {
    protocols.Encoder: "encoder",
    protocols.Retriever: "retriever",
    protocols.Reranker: "reranker",
    protocols.DomainClassifier: "classifier",
    protocols.Selector: "selector",
    protocols.Answerer: "answerer",
    protocols.Generator: "generator",
    protocols.Verifier: "verifier",
    protocols.Tool: "tool",
}


@dataclass(frozen=True, slots=True)
class Plan:
    """A component that can be built: checked, picklable, and built anew by every call.

    `arguments` holds plain values, plans (or a tuple or a mapping of them) where components are
    nested, and what stands for the passages and channels of an index. `index` names another index
    than that of the pipeline.
    """

    protocol: str
    kind: str
    arguments: Mapping[str, Any]
    place: Place
    index: str | None = None

    def constructor(self) -> type[Any]:
        """Import the class that will be built."""
        return constructor(self.protocol, self.kind, self.place)

    def __call__(self, index: Resources | None = None, /, **given: Any) -> Any:
        """Build the component; `given` are the keywords that no YAML can hold.

        Raises:
            RecipeError: if the constructor refuses a value, or a channel is not in the index.
        """
        shared = index.models if index is not None and self.protocol in _MODELS else None
        if shared is None or given:
            return self._made(index, given)
        if (key := self.key) not in shared:
            shared[key] = self._made(index, given)
        return shared[key]

    @property
    def key(self) -> str:
        """Name what is built: equal for plans that say the same at different places."""
        told = {name: _key_of(value) for name, value in sorted(self.arguments.items())}
        return repr((self.protocol, self.kind, self.index, told))

    def _made(self, index: Resources | None, given: Mapping[str, Any]) -> Any:
        here = index.of(self.index) if index is not None else None
        made = {key: self._built(value, here, index) for key, value in self.arguments.items()}
        try:
            return self.constructor()(**made, **given)
        except ValueError as error:
            raise self.place.error(str(error)) from error

    def _built(self, value: Any, here: Resources | None, index: Resources | None) -> Any:
        if isinstance(value, tuple):
            return tuple(self._built(each, here, index) for each in value)
        if isinstance(value, Mapping):
            return {key: self._built(each, here, index) for key, each in value.items()}
        if isinstance(value, Plan):
            return value(index)
        if not isinstance(value, Passages | ChannelNames):
            return value
        if here is None:
            raise self.place.error(f"{self.kind!r} needs an index, and stands where there is none")
        return here.library if isinstance(value, Passages) else value.given(here)


def _key_of(value: Any) -> Any:
    if isinstance(value, Plan):
        return value.key
    if isinstance(value, tuple):
        return [_key_of(each) for each in value]
    if isinstance(value, Mapping):
        return {str(key): _key_of(each) for key, each in sorted(value.items(), key=str)}
    return value


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
    index = None
    if protocol == "retriever" and "index" in spec and "index" not in wanted:
        index = converted(spec["index"], str, place.at("index"))
        spec = {key: value for key, value in spec.items() if key != "index"}
    arguments = _arguments(spec, wanted, place, kind)
    return Plan(protocol, kind, arguments, place, index)


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
    taken = {key: from_index(key, each.annotation) for key, each in wanted.items()}
    arguments: dict[str, Any] = {
        key: Passages() for key, kind_taken in taken.items() if kind_taken == "passages"
    }
    allowed = [key for key in wanted if key not in arguments]
    for key, value in spec.items():
        if key == "kind":
            continue
        if key not in allowed:
            raise place.at(key).error(unknown(f"key of {kind!r}", key, [*allowed, "kind"]))
        how = taken[key]
        if how is None:
            arguments[key] = _argument(value, wanted[key].annotation, place.at(key))
        else:
            arguments[key] = channel_names(value, how, place.at(key))
    for key in allowed:
        if wanted[key].required and key not in spec and taken[key] == "channels":
            arguments[key] = ChannelNames(None, place.at(key))
    missing = [key for key in allowed if wanted[key].required and key not in arguments]
    if missing:
        raise place.error(f"{kind!r} needs the key {missing[0]!r}, which is missing")
    return arguments


def _argument(value: Any, annotation: Any, place: Place) -> Any:
    protocol, origin = _protocol(annotation)
    if protocol is None:
        return _plain(value, annotation, place)
    if value is None and type(None) in get_args(annotation):
        return None
    if origin is tuple:
        if not isinstance(value, list):
            raise place.error(f"expected a list of such, got {shown(value)}")
        return tuple(planned(protocol, each, place.at(at)) for at, each in enumerate(value))
    if origin is Mapping:
        if not isinstance(value, Mapping):
            raise place.error(f"expected a mapping of names to such, got {shown(value)}")
        return {str(at): planned(protocol, each, place.at(at)) for at, each in value.items()}
    return planned(protocol, value, place)


def _plain(value: Any, annotation: Any, place: Place) -> Any:
    """Convert a value; a relative path starts at the file that says it."""
    made = converted(value, annotation, place)
    return Path(place.file).parent / made.expanduser() if isinstance(made, Path) else made


def _protocol(annotation: Any) -> tuple[str | None, Any]:
    """Name the protocol of a keyword, and whether a tuple or a mapping holds several."""
    for each in (annotation, *get_args(annotation)):
        for wanted, name in _NESTED.items():
            if each is wanted:
                return name, None if annotation is wanted else get_origin(annotation)
        if get_origin(each) in (tuple, Mapping) and each is not annotation:
            inner = _protocol(each)
            if inner[0] is not None:
                return inner
    return None, None


def _hints(made: type[Any]) -> dict[str, Any]:
    try:
        return get_type_hints(made.__init__)
    except NameError:
        # A type of a library that is only imported for checking: such a value is not in YAML.
        return {}


def _example(protocol: str) -> str:
    return (kinds(protocol) or ["NAME"])[0]
