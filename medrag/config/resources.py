"""What an index gives to the components of a pipeline: its passages, and its channels by name."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, get_args, get_origin

from medrag import protocols
from medrag.config.place import Place, unknown
from medrag.config.values import converted
from medrag.protocols import Channel, Library

_NONE: Mapping[str, Any] = MappingProxyType({})
_PASSAGES = (protocols.PassageRows, protocols.Library)
_CHANNELS = (protocols.Channel, protocols.VectorChannel)


@dataclass(frozen=True, slots=True)
class Resources:
    """An open index as components see it; `others` are those that a recipe names beside it.

    `models` keeps the models that were built for a pipeline, so that one that is named twice is
    loaded once.
    """

    name: str
    library: Library
    channels: Mapping[str, Channel]
    others: "Mapping[str, Resources]" = field(default_factory=lambda: _NONE)
    models: dict[str, Any] = field(default_factory=dict, compare=False)

    def of(self, name: str | None) -> "Resources":
        """Give another index that the recipe names; None for this one."""
        return self if name is None else self.others[name]


@dataclass(frozen=True, slots=True)
class Passages:
    """Stands for the passages of the index among the arguments of a plan."""


@dataclass(frozen=True, slots=True)
class ChannelNames:
    """Stands for channels of the index: those named, or all of them; or for a single one."""

    names: tuple[str, ...] | None
    place: Place
    single: bool = False

    def given(self, index: Resources) -> Any:
        """Look the channels up.

        Raises:
            RecipeError: if the index lacks one, or is to give one channel and has none of vectors.
        """
        for position, name in enumerate(self.names or ()):
            if name not in index.channels:
                place = self.place if self.single else self.place.at(position)
                told = unknown(f"channel of {index.name}", name, index.channels)
                raise place.error(f"{told}; add one: {_added(index.name, name)}")
        if self.single:
            (name,) = self.names or ("",)
            return index.channels[name]
        chosen = tuple(index.channels) if self.names is None else self.names
        return {name: index.channels[name] for name in chosen}


def from_index(name: str, annotation: Any) -> str | None:
    """Tell what of an index a keyword takes: "passages", "channel", "channels"; None for nothing.

    `rows` and `channels` are so whatever their annotations, which may name a type that is only
    imported for checking.
    """
    choices = (annotation, *get_args(annotation))
    if name == "rows" or any(each in _PASSAGES for each in choices if _hashable(each)):
        return "passages"
    if name == "channels" or any(_is_channels(each) for each in choices):
        return "channels"
    return "channel" if any(each in _CHANNELS for each in choices if _hashable(each)) else None


def channel_names(value: Any, kind: str, place: Place) -> ChannelNames | None:
    """Read the name of a channel, or the names of several, as a recipe has them."""
    if kind == "channel":
        named = converted(value, str | None, place)
        return None if named is None else ChannelNames((named,), place, single=True)
    return ChannelNames(converted(value, tuple[str, ...] | None, place), place)


def named_indexes(plan: Any) -> Iterator[str]:
    """List the indexes that a plan and those nested in it name, each as often as it is named."""
    if isinstance(plan, tuple):
        for each in plan:
            yield from named_indexes(each)
    if isinstance(plan, Mapping):
        yield from named_indexes(tuple(plan.values()))
    if hasattr(plan, "arguments"):
        if plan.index is not None:
            yield plan.index
        yield from named_indexes(plan.arguments)


def _added(index: str, channel: str) -> str:
    """Say which command gives an index a channel of a name."""
    model = "" if channel in ("lexical", "graph", "image") else "=MODEL"
    return f"medrag index build {index} --channel {channel}{model}"


def _is_channels(annotation: Any) -> bool:
    arguments = get_args(annotation)
    return get_origin(annotation) is Mapping and len(arguments) == 2 and arguments[1] in _CHANNELS


def _hashable(annotation: Any) -> bool:
    return isinstance(annotation, type)
