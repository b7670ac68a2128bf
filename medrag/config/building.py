"""Build an index from files, folders, cards, or a recipe."""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from medrag.build import ChannelPlan, SourceFile, build
from medrag.config.cards import GIVEN
from medrag.config.channels import channel_specs, fitting_channels
from medrag.config.components import planned
from medrag.config.discovery import Sourced, discover
from medrag.config.index import Index, located, open_index
from medrag.config.place import Place, shown, unknown
from medrag.config.recipes import ChannelRecipe, planned_channels, read_index_recipe
from medrag.config.trust import refuse_foreign
from medrag.errors import RecipeError
from medrag.identity import fingerprint, load_key
from medrag.ingestion.sources import document_of
from medrag.protocols import Encoder, Ingestor, Progress
from medrag.records import Corpus

if TYPE_CHECKING:
    from medrag.build import BuildReport
    from medrag.build.pool import Engine
    from medrag.indexing.manifest import Manifest

CACHE_VARIABLE = "MEDRAG_CACHE"
# Kinds of channel that can be told where they are searched.
_STORED = ("dense", "sparse", "lexical")

_NOTHING_GIVEN = (
    "give sources or a recipe; only an index that exists needs none, to change its channels or "
    "stores without pruning"
)

Channels = Mapping[str, Any] | Sequence[str]
Recipes = Mapping[str, ChannelRecipe]


def build_index(
    folder: str | Path,
    *,
    sources: Iterable[Sourced] = (),
    recipe: str | Path | None = None,
    channels: Channels | None = None,
    stores: Mapping[str, Any] | None = None,
    workers: int = 1,
    engine: "Engine" = "local",
    cache: str | Path | None = None,
    progress: Progress | None = None,
    say: Callable[[str], None] | None = None,
    prune: bool = False,
    keep_all: bool = False,
) -> Index:
    """Build an index, or bring one up to date, and open it; see `update_index`."""
    update_index(
        folder,
        sources=sources,
        recipe=recipe,
        channels=channels,
        stores=stores,
        workers=workers,
        engine=engine,
        cache=cache,
        progress=progress,
        say=say,
        prune=prune,
        keep_all=keep_all,
    )
    return open_index(folder)


def update_index(
    folder: str | Path,
    *,
    sources: Iterable[Sourced] = (),
    recipe: str | Path | None = None,
    channels: Channels | None = None,
    stores: Mapping[str, Any] | None = None,
    workers: int = 1,
    engine: "Engine" = "local",
    cache: str | Path | None = None,
    progress: Progress | None = None,
    say: Callable[[str], None] | None = None,
    prune: bool = False,
    keep_all: bool = False,
) -> "BuildReport":
    """Build an index, or bring one up to date. Files that did not change are not read again.

    Args:
        folder: of the index, or the name of one under ./indexes.
        sources: files, folders and corpus cards. An index that exists needs none where only
            channels or stores are to change: it keeps what it holds.
        recipe: an index recipe instead: a name, or a path.
        channels: names such as "lexical" and "text=MODEL", or what a recipe says below `channels`;
            None for those of the recipe, or every one that needs no download and fits the files.
            Channels that the index has already stay in any case.
        stores: where channels are searched, as `store` in a recipe says it, by channel; "" for
            every dense channel, while sparse and lexical ones are named. None leaves it as it is.
        workers: processes that read files and encode; the index is the same for any number.
        engine: "local" for processes of this machine; "ray" for a Ray cluster, whose machines all
            see the sources and the index under the same paths.
        cache: a folder that keeps vectors by content and encoder, for builds of this and other
            indexes; None for that of MEDRAG_CACHE, if any. Removing documents does not reach it,
            and it must lie on a disk of the machine that encodes, not on a network.
        say: takes a line about each channel whose vectors will take long.
        prune: remove the files that the index holds and the sources lack.
        keep_all: keep front matter, contents, index and reference lists of PDFs, whatever their
            cards say.

    Raises:
        RecipeError: if a source does not exist, or a recipe or card cannot be built.
        ValueError: if there are both sources and a recipe, or neither where they are needed.
    """
    place = located(folder)
    manifest = _manifest(place)
    asked = _asked(list(sources), recipe, channels)
    if asked.sources is None and (manifest is None or prune or not (channels or stores)):
        raise ValueError(_NOTHING_GIVEN)
    found = discover(asked.sources or (), taken=_corpora(place, manifest), into=place)
    files = _keeping_all(found.files) if keep_all else found.files
    key = load_key()
    return build(
        place,
        None if asked.sources is None else files,
        ingestor=Ingestors(key),
        channels=_plans(_chosen(asked.channels, stores or {}, files, place, manifest), cache),
        workers=workers, engine=engine, progress=progress, say=say,
        unknown=found.skipped, prune=prune, key=fingerprint(key),
    )  # fmt: skip


class _Asked(NamedTuple):
    """What a person wants in an index.

    `sources` is None for the files that it has; `channels` for those that it has, or that fit.
    """

    sources: Sequence[Sourced] | None
    channels: Recipes | None


def _asked(
    sources: Sequence[Sourced], recipe: str | Path | None, channels: Channels | None
) -> _Asked:
    if sources and recipe is not None:
        raise ValueError("give either sources or a recipe")
    wanted = None
    if channels is not None:
        wanted = planned_channels(channel_specs(channels), Place("channels"))
    if recipe is None:
        return _Asked(sources or None, wanted)
    read = read_index_recipe(recipe)
    return _Asked(read.cards, wanted or read.channels)


def _chosen(
    wanted: Recipes | None,
    stores: Mapping[str, Any],
    files: Sequence[SourceFile],
    place: Path,
    manifest: "Manifest | None",
) -> Recipes:
    """Decide on the channels: those wanted and those of the index, searched where `stores` says.

    What only the index says of its channels, this user must have allowed.
    """
    entries = manifest.channels if manifest else {}
    dense = {name for name, entry in entries.items() if entry.kind == "dense"}
    moved = {name for name in entries if name in stores or ("" in stores and name in dense)}
    specs = {
        name: {k: v for k, v in entry.spec.items() if k != "store" or name not in moved}
        for name, entry in entries.items()
    }
    held = _planned(specs, Place(str(place), ("channels",)))
    refuse_foreign({n: each for n, each in specs.items() if n not in (wanted or {})}, str(place))
    # What the index has goes before what would fit: its "image" may be an encoder of choice.
    if wanted is None:
        chosen = {**_planned(_fitting(files, manifest), Place("channels")), **held}
    else:
        chosen = {**held, **wanted}
    return {**chosen, **_planned(_stored(chosen, stores), Place("store"))}


def _fitting(files: Sequence[SourceFile], manifest: "Manifest | None") -> dict[str, Any]:
    """Give the channels that fit what comes in; those that fit what is held were not wanted."""
    fitting = fitting_channels(files)
    if manifest is None:
        return fitting
    known = {(each.corpus, each.document) for entry in manifest.segments for each in entry.files}
    held = fitting_channels(
        each for each in files if (each.corpus.name, document_of(each.corpus, each.path)) in known
    )
    return {name: spec for name, spec in fitting.items() if name not in held}


def _stored(chosen: Recipes, stores: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Specify the channels that `stores` says where to search: those it names, and else dense ones.

    Raises:
        RecipeError: if there are none such.
    """
    able = [name for name, each in chosen.items() if each.channel.kind in _STORED]
    for name in stores:
        if name and name not in able:
            hint = unknown("channel that a store can search", name, able)
            raise RecipeError(f"store of {name!r}: {hint}")
    dense = [name for name in able if chosen[name].channel.kind == "dense"]
    if "" in stores and not dense:
        named = f"; name one of: {', '.join(able)}" if able else ""
        raise RecipeError(
            f"store {shown(stores[''])}: none of the channels ({', '.join(chosen)}) is dense, and "
            f"only those need not be named{named}"
        )
    said = {**dict.fromkeys(dense if "" in stores else (), stores.get("")), **stores}
    return {name: {**chosen[name].spec, "store": said[name]} for name in able if name in said}


def _planned(specs: Mapping[str, Any], place: Place) -> Recipes:
    return planned_channels(specs, place) if specs else {}


def _plans(chosen: Recipes, cache: str | Path | None) -> dict[str, ChannelPlan]:
    """Say how each channel is built, with the vectors of its encoder kept in a folder, if any."""
    kept = cache or os.environ.get(CACHE_VARIABLE)
    folder = Path(kept).expanduser().absolute() if kept else None

    def planned_for(each: ChannelRecipe) -> ChannelPlan:
        encoder = Cached(each.encoder, folder) if each.encoder and folder else each.encoder
        return ChannelPlan(each.spec, encoder)

    return {name: planned_for(each) for name, each in chosen.items()}


@dataclass(frozen=True, slots=True)
class Ingestors:
    """Make the ingestor of a file. Picklable, so that workers can."""

    key: bytes

    def __call__(self, file: SourceFile) -> Ingestor:
        spec = {"kind": file.kind, **file.options}
        plan = planned("ingestor", spec, Place(str(file.path)), given=GIVEN)
        ingestor: Ingestor = plan(corpus=file.corpus, key=self.key)
        return ingestor


@dataclass(frozen=True, slots=True)
class Cached:
    """Make an encoder that keeps its vectors in a folder. Picklable, so that workers can."""

    encoder: Callable[[], Encoder]
    folder: Path

    def __call__(self) -> Encoder:
        from medrag.encoding.cached import CachedEncoder

        return CachedEncoder(encoder=self.encoder(), folder=self.folder)


def _keeping_all(files: Sequence[SourceFile]) -> list[SourceFile]:
    return [
        replace(file, options={**file.options, "keep_all": True})
        if file.kind == "textbook"
        else file
        for file in files
    ]


def _manifest(folder: Path) -> "Manifest | None":
    from medrag.indexing.manifest import NAME, read_manifest

    return read_manifest(folder) if (folder / NAME).is_file() else None


def _corpora(folder: Path, manifest: "Manifest | None") -> list[Corpus]:
    entries = manifest.corpora.values() if manifest else ()
    roots = {each.name: os.path.normpath(folder.absolute() / each.root) for each in entries}
    return [Corpus(name, Path(root)) for name, root in roots.items()]
