"""Index recipes: which corpora, and by which channels they can be searched."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medrag.config.cards import Card, read_card
from medrag.config.components import Plan, planned
from medrag.config.lookup import found
from medrag.config.place import Place, shown, unknown
from medrag.config.reading import read_mapping
from medrag.config.tables import kinds
from medrag.errors import RecipeError
from medrag.indexing.backends import OWN
from medrag.indexing.option_checks import check_options

# What an index gives to its channels, and no recipe may.
GIVEN = frozenset({"store", "name", "encoder", "side", "folder", "mask", "vectors"})
# Kinds of channel that an encoder fills.
_ENCODED = ("dense", "sparse")
_MATCHING_ONE_BY_ONE = ("late_interaction", "qdrant")
SIDES = ("text", "image")

_KEYS = ("about", "corpora", "channels")


@dataclass(frozen=True, slots=True)
class ChannelRecipe:
    """One checked channel.

    Attributes:
        spec: what the index keeps in its manifest, and from which it opens the channel again.
        channel: builds the channel, given what an index gives.
        encoder: of a dense or sparse channel; None for others.
        side: of the question that a dense channel encodes: "text" or "image".
        vectors: builds what searches the vectors of a dense channel, or the terms of another that
            is not searched in its own structure, given `store` and `name`.
    """

    spec: Mapping[str, Any]
    channel: Plan
    encoder: Plan | None = None
    side: str = "text"
    vectors: Plan | None = None


@dataclass(frozen=True, slots=True)
class IndexRecipe:
    """A checked index recipe. `channels` is None where every weightless one that fits is meant."""

    name: str
    cards: tuple[Card, ...]
    channels: Mapping[str, ChannelRecipe] | None
    place: Place


def read_index_recipe(name: str | Path) -> IndexRecipe:
    """Find, read and check an index recipe, and the cards that it names.

    Raises:
        RecipeError: if there is no such recipe, or it or a card says something that cannot be
            built.
    """
    path = found("indexes", name)
    return planned_index(read_mapping(path), path)


def planned_index(spec: Mapping[str, Any], path: Path, *, check_roots: bool = True) -> IndexRecipe:
    """Check what an index recipe says; with `check_roots`, also that its corpora are here."""
    place = Place(str(path))
    for key in spec:
        if key not in _KEYS:
            raise place.at(key).error(unknown("key of an index recipe", key, _KEYS))
    beside = path.parent.parent / "corpora"
    folder = beside if beside.is_dir() else None
    cards = tuple(_cards(spec.get("corpora"), folder, place, check_roots))
    channels = None
    if spec.get("channels") is not None:
        channels = planned_channels(spec["channels"], place.at("channels"))
    return IndexRecipe(path.stem, cards, channels, place)


def planned_channels(spec: Any, place: Place) -> dict[str, ChannelRecipe]:
    """Check the channels of a recipe, of a manifest, or of the command line."""
    if not isinstance(spec, Mapping) or not spec:
        problem = (
            f"expected channels by name, such as {{lexical: {{kind: lexical}}}}, got {shown(spec)}"
        )
        raise place.error(problem)
    return {name: planned_channel(name, each, place.at(name)) for name, each in spec.items()}


def planned_channel(name: str, spec: Any, place: Place) -> ChannelRecipe:
    """Check one channel.

    A channel with an encoder is dense, or sparse if it says so; the other kinds take no encoder. A
    dense channel encodes the side of the question that `side` says: by default images for a channel
    named "image", and else the text. `store` says where its vectors are searched; sparse and
    lexical channels have a structure of their own, or say "qdrant".
    """
    if not isinstance(spec, Mapping):
        raise place.error(f"expected a mapping such as {{kind: lexical}}, got {shown(spec)}")
    full = dict(spec)
    kind = full.setdefault("kind", "dense" if "encoder" in full else None)
    if kind is None:
        raise place.error(
            f"expected the key 'kind' or 'encoder'; known kinds: {', '.join(kinds('channel'))}"
        )
    if kind not in _ENCODED:
        return _unencoded(kind, full, place)
    if "encoder" not in full:
        raise place.error(f"a {kind} channel needs the key 'encoder', such as {{kind: descriptor}}")
    encoder = planned("encoder", full["encoder"], place.at("encoder"))
    if kind == "sparse":
        channel = planned("channel", _without(full, "encoder", "store"), place, given=GIVEN)
        return ChannelRecipe(full, channel, encoder, vectors=_planned_terms(full, place))
    side = full.setdefault("side", "image" if name == "image" else "text")
    if side not in SIDES:
        raise place.at("side").error(f"expected 'text' or 'image', got {shown(side)}")
    if getattr(encoder.constructor(), "late_interaction", False):
        full["interaction"] = "sum"
    rest = _without(full, "encoder", "side", "store", "interaction")
    channel = planned("channel", rest, place, given=GIVEN)
    return ChannelRecipe(full, channel, encoder, side, _planned_store(full, place.at("store")))


def _unencoded(kind: Any, spec: Mapping[str, Any], place: Place) -> ChannelRecipe:
    """Check a channel without an encoder: one of words, which Qdrant may search, or another."""
    given = GIVEN - {"encoder", "side"}
    if not isinstance(kind, str) or kind not in OWN:
        return ChannelRecipe(spec, planned("channel", spec, place, given=given - {"vectors"}))
    channel = planned("channel", _without(spec, "store"), place, given=given)
    return ChannelRecipe(spec, channel, vectors=_planned_terms(spec, place))


def _without(spec: Mapping[str, Any], *keys: str) -> dict[str, Any]:
    return {key: value for key, value in spec.items() if key not in keys}


def _planned_store(spec: Mapping[str, Any], place: Place) -> Plan:
    """Check where vectors are searched: a kind, or a mapping with options."""
    store = _as_mapping(spec.get("store", "exact"))
    if spec.get("interaction") == "sum":
        if store == {"kind": "exact"}:
            store = {"kind": "late_interaction"}
        elif isinstance(store, Mapping) and store.get("kind") not in _MATCHING_ONE_BY_ONE:
            raise place.error(
                f"the encoder gives many vectors, to be matched one by one (late interaction), "
                f"which {store.get('kind')!r} cannot; leave 'store' out, or use qdrant"
            )
    elif isinstance(store, Mapping) and store.get("kind") == "late_interaction":
        raise place.error(
            "late_interaction adds up the best match of every vector of a question, and the "
            "encoder gives vectors that are not meant so; leave 'store' out, or use exact, faiss "
            "or qdrant"
        )
    return _checked_store(store, place, of="dense")


def _planned_terms(spec: Mapping[str, Any], place: Place) -> Plan | None:
    """Check where terms are searched: None for a structure of the channel's own, or Qdrant."""
    if "store" not in spec:
        return None
    store, at = _as_mapping(spec["store"]), place.at("store")
    if isinstance(store, Mapping) and store.get("kind") != "qdrant":
        kind = spec["kind"]
        raise at.error(
            f"a {kind} channel is searched in its own {OWN[kind]}, or by qdrant, and not by "
            f"{shown(store.get('kind'))}; leave 'store' out, or say qdrant"
        )
    return _checked_store(store, at, of=str(spec["kind"]))


def _checked_store(store: Any, place: Place, *, of: str) -> Plan:
    """Check a store with its options, which otherwise the first search would refuse."""
    plan = planned("store", store, place, given=frozenset({"store", "name"}))
    try:
        check_options(plan.kind, plan.arguments, of=of)
    except ValueError as error:
        raise place.error(str(error)) from error
    return plan


def _as_mapping(store: Any) -> Any:
    return {"kind": store} if isinstance(store, str) else store


def _cards(names: Any, beside: Path | None, place: Place, check_roots: bool) -> list[Card]:
    listed = [names] if isinstance(names, str) else names
    if not isinstance(listed, list) or not listed:
        raise place.at("corpora").error(
            f"expected a list of corpus cards, such as [sample], got {shown(names)}"
        )
    cards = []
    for position, each in enumerate(listed):
        at = place.at("corpora").at(position)
        if not isinstance(each, str):
            raise at.error(f"expected the name of a corpus card, got {shown(each)}")
        try:
            path = found("corpora", each, folder=beside)
        except RecipeError as error:
            raise at.error(str(error)) from error
        cards.append(read_card(path, check_root=check_roots))
    return cards
