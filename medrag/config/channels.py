"""Which channels an index gets when no recipe says so."""

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

from medrag.build import SourceFile
from medrag.config.components import keywords
from medrag.config.modelchannels import model_channel
from medrag.config.place import Place, unknown
from medrag.config.reading import parse_mapping
from medrag.config.references import names_pictures
from medrag.config.tables import constructor, kinds
from medrag.errors import RecipeError

_WEIGHTLESS: Mapping[str, Mapping[str, Any]] = {
    "lexical": {"kind": "lexical"},
    "image": {"kind": "dense", "encoder": {"kind": "descriptor"}, "side": "image"},
    "graph": {"kind": "graph"},
}
_PICTURED = frozenset({"image", "captions", "dicom", "nifti", "textbook"})
_MAYBE_PICTURED = frozenset({"report", "case", "nodes", "published", "radgraph"})
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")


def fitting_channels(files: Iterable[SourceFile]) -> dict[str, Mapping[str, Any]]:
    """Give every channel that needs no download and has something to hold."""
    listed = list(files)
    kinds = {file.kind for file in listed}
    # An empty library has its channel, too, so that it can be asked and says that it has nothing.
    fitting = ["lexical"]
    if kinds & _PICTURED or any(
        names_pictures(file.path) for file in listed if file.kind in _MAYBE_PICTURED
    ):
        fitting.append("image")
    if kinds & {"graph", "radgraph"}:
        fitting.append("graph")
    return {name: _WEIGHTLESS[name] for name in fitting}


def channel_specs(channels: Mapping[str, Any] | Sequence[str]) -> dict[str, Any]:
    """Turn channels as a person names them into what a recipe would say.

    Args:
        channels: "lexical", "image", "graph", or "NAME=MODEL" with a preset (`medrag models`), a
            hub id, a folder, or an encoder as a recipe has it, such as "sentences={kind: sentence,
            model: minilm, window: 72}", whose paths are relative to the current folder; a mapping
            may hold these, or whole specifications.

    Raises:
        RecipeError: if a name is not one, or lacks its model.
    """
    if isinstance(channels, str):
        channels = [channels]
    if isinstance(channels, Mapping):
        return {
            name: _spec(name, each) if each is None or isinstance(each, str) else each
            for name, each in channels.items()
        }
    pairs = [each.partition("=") for each in channels]
    return {name: _spec(name, model or None) for name, _, model in pairs}


def store_specs(stores: Iterable[str]) -> dict[str, Any]:
    """Turn stores as a person names them into what a recipe would say, by channel.

    Args:
        stores: KIND, KIND:OPTION, or a mapping as a recipe has it, such as "faiss:IVF256,Flat",
            "qdrant:https://host:6333" or "{kind: faiss, factory: 'IVF256,Flat', nprobe: all}";
            each may follow "CHANNEL=". Without a channel, "" stands for all.

    Raises:
        RecipeError: if a kind takes no option of that form, a mapping is none, or one channel gets
            two.
    """
    found: dict[str, Any] = {}
    for each in stores:
        channel, _, said = each.partition("=") if _CHANNEL_FIRST.match(each) else ("", "", each)
        if channel in found:
            meant = f"channel {channel!r}" if channel else "all dense channels"
            raise RecipeError(f"store {each!r}: the store of {meant} was given before; give one")
        found[channel] = _store(said)
    return found


def _store(said: str) -> dict[str, Any]:
    if said.lstrip().startswith("{"):
        return parse_mapping(said, file="--store")
    kind, colon, option = said.partition(":")
    if colon and kind not in _STORE_OPTIONS:
        known = ", ".join(f"{k}:{o.upper()}" for k, o in _STORE_OPTIONS.items())
        raise RecipeError(f"store {said!r}: {kind!r} takes no option here; known: {known}")
    return {"kind": kind, **({_STORE_OPTIONS[kind]: option} if colon else {})}


_CHANNEL_FIRST = re.compile(r"[A-Za-z0-9_-]+=")
# What follows the colon in a store of the command line.
_STORE_OPTIONS = {"exact": "scan", "faiss": "factory", "qdrant": "url"}


def _spec(name: str, model: str | None) -> Mapping[str, Any]:
    if name in _WEIGHTLESS and (model is None or name != "image"):
        if model is not None:
            raise RecipeError(f"channel {name}: takes no model, got {model!r}; write {name} alone")
        return _WEIGHTLESS[name]
    if model is None:
        hint = f"{unknown('channel', name, [*_WEIGHTLESS, 'text'])}; " if name != "text" else ""
        raise RecipeError(
            f"channel {name}: {hint}a channel of texts needs a model: "
            f"{name}=MODEL with a hub id, a folder or a name such as minilm"
        )
    if not _NAME.fullmatch(name):
        raise RecipeError(f"channel {name!r}: a name has small letters, digits, '_' and '-' only")
    if model.lstrip().startswith("{"):
        place = Place(f"--channel {name}")
        return {"encoder": _from_here(parse_mapping(model, file=place.file), place)}
    return model_channel(name, model)


def _from_here(encoder: Mapping[str, Any], place: Place) -> dict[str, Any]:
    """Make the paths of an encoder absolute, so that its index opens from any folder."""
    kind = encoder.get("kind")
    if kind not in kinds("encoder"):
        return dict(encoder)  # Refused with all else that the mapping may have wrong.
    wanted = keywords(constructor("encoder", kind, place), frozenset())
    paths = {
        name
        for name, each in wanted.items()
        if Path in (each.annotation, *get_args(each.annotation))
    }
    return {
        name: str(Path(value).expanduser().absolute())
        if isinstance(value, str) and (name in paths or (name == "model" and _is_folder(value)))
        else value
        for name, value in encoder.items()
    }


def _is_folder(model: str) -> bool:
    try:
        return Path(model).expanduser().is_dir()
    except (OSError, RuntimeError):
        return False
