"""An open index: its passages, its channels, and a search over them."""

import hashlib
import inspect
import json
import os
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal

from medrag.config.lookup import names as shelf_names
from medrag.config.place import Place, unknown
from medrag.config.recipes import ChannelRecipe, planned_channel
from medrag.config.trust import refuse_foreign, refuse_foreign_code, refuse_foreign_hosts
from medrag.errors import IndexFormatError
from medrag.protocols import Channel, Library
from medrag.records import (
    Embeddings,
    Filter,
    Hit,
    ImageRef,
    Passage,
    Question,
    Region,
    ScoredRow,
)

if TYPE_CHECKING:
    from medrag.indexing.probing import Probe
    from medrag.indexing.rowvectors import RowVectors
    from medrag.indexing.storage import Store


class Index:
    """Passages and the channels that search them, as one folder holds them. Read-only.

    Opening reads the manifest; a channel, and the model of its encoder, is loaded when a question
    first needs it. Use it as a context manager, or close it.
    """

    def __init__(self, *, folder: Path, store: "Store") -> None:
        self.folder = folder
        self.rows: Library = store
        self.store = store
        # A build that runs, or was cut short, has named channels that it has not finished.
        self.unfinished: tuple[str, ...] = store.unfinished
        self.channels: Mapping[str, Channel] = {
            name: _Deferred(store, name, entry.spec, Place(str(folder), ("channels", name)))
            for name, entry in store.manifest.channels.items()
            if name not in self.unfinished
        }

    @property
    def passages(self) -> Sequence[Passage]:
        """The passages, read as they are asked for; `by_id` finds one by its id."""
        return self.store.passages

    @property
    def roots(self) -> dict[str, Path]:
        """Absolute folder of each corpus, to which documents and images are relative."""
        return {name: self.store.corpus_root(name) for name in self.corpora}

    @property
    def corpora(self) -> tuple[str, ...]:
        """Names of the corpora, in alphabetical order."""
        return tuple(sorted(self.store.manifest.corpora))

    @property
    def fingerprint(self) -> str:
        """A sha256 of what questions meet: the passages that are there, and how they are searched.

        Segments are named by their content; where they lie, and how often the index was rewritten,
        does not count.
        """
        manifest = self.store.manifest
        segments = [[entry.name, list(entry.tombstones)] for entry in self.store.entries]
        channels = {name: entry.spec for name, entry in manifest.channels.items()}
        written = json.dumps([segments, channels], sort_keys=True, default=str).encode()
        return hashlib.sha256(written).hexdigest()

    @property
    def domains(self) -> tuple[str, ...]:
        """Domains of the passages, in alphabetical order."""
        names = (segment.columns.values("domain") for segment in self.store.segments)
        return tuple(sorted({name for each in names for name in each}))

    def search(
        self,
        text: str = "",
        *,
        image: str | Path | None = None,
        k: int = 10,
        channels: Sequence[str] | None = None,
        filter: Filter | None = None,  # noqa: A002 - the record's name
    ) -> list[Hit]:
        """Rank passages for a text, an image, or both.

        Args:
            image: a picture file, or a scan (NIfTI, DICOM), of which 8 slices are looked for.
            k: passages at most.
            channels: names of those to use; every channel that fits the question if None.
            filter: which passages count.

        Returns:
            Hits, best first, without their images decoded; `resolve` gives a hit's image a path.

        Raises:
            ValueError: if there is neither text nor image, k is below 1, or the index lacks a
                channel that is named.
        """
        from medrag.retrieval.channels import ChannelsRetriever

        if not text.strip() and image is None:
            raise ValueError("a search needs a text or an image, and got neither")
        question = Question(text=text, images=() if image is None else _pictures(image))
        retriever = ChannelsRetriever(
            rows=self.rows,
            channels=self.chosen(channels),
            cases_need_picture=False,
            graph=None,
        )
        return retriever.retrieve([question], k, [filter or Filter()])[0]

    def chosen(self, names: Sequence[str] | None) -> dict[str, Channel]:
        """Give channels by name, or all.

        Raises:
            ValueError: if the index lacks one.
        """
        for name in names or ():
            if name not in self.channels:
                raise ValueError(unknown(f"channel of {self.folder}", name, self.channels))
        return {name: self.channels[name] for name in (names or self.channels)}

    def probe(self) -> "list[Probe]":
        """Encode some passages of each dense channel anew, and compare them with its vectors."""
        from medrag.indexing.probing import probe

        probes = []
        for name, entry in self.store.manifest.channels.items():
            if entry.has_vectors:
                place = Place(str(self.folder), ("channels", name))
                encoder = _trusted(name, entry.spec, place).encoder
                probes += [probe(self.store, name, encoder())] if encoder else []
        return probes

    def resolve(self, passage: Passage) -> Passage:
        """Make the paths of a passage's images absolute, on this machine."""
        from medrag.images import resolved

        return resolved(passage, self.store.corpus_root(passage.source.corpus))

    def check_key(self, key: bytes | None = None) -> None:
        """Refuse a key of pseudonyms that is not the one that the index was built with.

        Args:
            key: None for this user's.

        Raises:
            IndexFormatError: if it is another, and the index names subjects or studies.
        """
        from medrag.identity import fingerprint, load_key

        self.store.check_key(fingerprint(load_key() if key is None else key))

    def boxes(self, text: str, hit: Hit, *, at_most: int = 3) -> tuple[Region, ...]:
        """Say where on its page a hit is most like a text, if a page encoder found it.

        The page is encoded anew. Nothing is said of hits of other channels.

        Returns:
            Best first; boxes are in points of the page, or pixels of a picture that is no page.

        Raises:
            InputFileError: if the page cannot be read any more.
        """
        passage = self.resolve(hit.passage)
        for name in hit.parts:
            channel = self.channels.get(name)
            if isinstance(channel, _Deferred) and channel.shows_places:
                from medrag.encoding.page.similarity import boxes

                shown = channel.encoder.similarity_map(Question(text=text), passage)
                page = passage.images[0].page
                return tuple(Region(page, each.box) for each in boxes(shown, at_most=at_most))
        return ()

    def info(self) -> dict[str, Any]:
        """Describe the index in JSON values: passages, channels, corpora, what was left out."""
        from medrag.indexing.maintenance import info

        return info(self.folder)

    def close(self) -> None:
        """Let go of the channels and their models; the files are mapped, and close with them."""
        self.channels = {}

    def __enter__(self) -> "Index":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def open_index(name: str | Path, *, damaged: Literal["raise", "skip"] = "raise") -> Index:
    """Open an index for reading.

    Args:
        name: a folder, or the name of one under ./indexes.
        damaged: "skip" opens what is whole of an index with damaged segments.

    Raises:
        IndexFormatError: if there is no index, it is damaged, or of another format.
    """
    from medrag.indexing.storage import open_store

    folder = existing(name)
    return Index(folder=folder, store=open_store(folder, damaged=damaged))


def existing(name: str | Path) -> Path:
    """Give the folder of an index that must be there.

    Raises:
        IndexFormatError: if it is not; lists the indexes under ./indexes.
    """
    folder = located(name)
    if not folder.is_dir():
        problem = "is no folder" if folder.exists() else "does not exist"
        sources = "" if folder.name in shelf_names("indexes") else " --from PATH"
        raise IndexFormatError(
            f"{folder} {problem}: {unknown('index', str(name), built_names())}; "
            f"build it: medrag index build {name}{sources}"
        )
    return folder


def kept_up(name: str | Path) -> Path:
    """Give the folder of an index that is to be looked after, with what it derives.

    Raises:
        IndexFormatError: if there is no index, or its manifest is damaged.
        RecipeError: if passages of it would go to a machine that this user has not allowed.
    """
    from medrag.indexing.manifest import read_manifest

    folder = existing(name)
    channels = read_manifest(folder).channels
    stores = {key: {"store": entry.spec.get("store")} for key, entry in channels.items()}
    refuse_foreign(stores, str(folder))
    return folder


def located(name: str | Path) -> Path:
    """Give the folder that the name of an index means: itself a path, or one under ./indexes.

    A text with a separator, such as "./mine", is always a path.

    Raises:
        IndexFormatError: if the name is empty.
    """
    if not str(name).strip():
        raise IndexFormatError("the name of an index is empty; give a name or a folder")
    path = Path(name)
    said = isinstance(name, str) and any(each in name for each in {"/", os.sep})
    if len(path.parts) == 1 and not said and not (path / "manifest.json").is_file():
        return Path("indexes") / path
    return path.expanduser()


def built_names() -> list[str]:
    """List the indexes under ./indexes."""
    return sorted(path.parent.name for path in Path("indexes").glob("*/manifest.json"))


class _Deferred:
    """A channel that is checked and built when a question first needs it."""

    def __init__(self, store: "Store", name: str, spec: Mapping[str, Any], place: Place) -> None:
        self._store = store
        self._name = name
        self._spec = spec
        self._place = place

    def search(
        self, questions: Sequence[Question], k: int, filters: Sequence[Filter]
    ) -> list[list[ScoredRow]]:
        if not any(self._uses(question) for question in questions):
            return [[] for _ in questions]
        return self._channel.search(questions, k, filters)

    @property
    def shows_places(self) -> bool:
        """Tell whether the channel's encoder can say where on a page it found something."""
        return self._spec.get("interaction") == "sum" and self._spec["encoder"]["kind"] == "page"

    @property
    def has_vectors(self) -> bool:
        """Tell whether the channel is dense, without loading it."""
        return self._spec.get("kind") == "dense"

    @property
    def side(self) -> Any:
        """The part of a question that is encoded: "text", or "image"."""
        return self._spec.get("side", "text")

    def vectors_at(self, rows: Sequence[int]) -> Embeddings:
        """Give the vectors of rows of a dense channel; a row without any has length 0.

        Raises:
            RecipeError: if the channel is of another kind.
        """
        return self._vectors.at(rows)

    @cached_property
    def _vectors(self) -> "RowVectors":
        from medrag.indexing.rowvectors import RowVectors

        if not self.has_vectors:
            kind = self._spec.get("kind")
            raise self._place.error(f"a channel of kind {kind!r} has no vectors; name a dense one")
        return RowVectors(store=self._store, channel=self._name)

    def link(self, text: str) -> Any:
        """Find the concepts that a text names; of a graph channel, as `expand` and the others."""
        return self._channel.link(text)  # type: ignore[attr-defined]

    def expand(self, text: str, k: int) -> Any:
        return self._channel.expand(text, k)  # type: ignore[attr-defined]

    def paths(self, text: str, hops: int = 3, k: int = 10) -> Any:
        return self._channel.paths(text, hops=hops, k=k)  # type: ignore[attr-defined]

    def concepts(self, nodes: Any) -> Any:
        return self._channel.concepts(nodes)  # type: ignore[attr-defined]

    @property
    def encoder(self) -> Any:
        return getattr(self._channel, "encoder", None)

    def _uses(self, question: Question) -> bool:
        needs_image = self._spec.get("side") == "image"
        return bool(question.images) if needs_image else bool(question.text or question.options)

    @cached_property
    def _channel(self) -> Channel:
        recipe = _trusted(self._name, self._spec, self._place)
        return opened_channel(self._store, self._name, recipe)


def opened_channel(store: "Store", name: str, recipe: ChannelRecipe) -> Channel:
    """Build a channel on a store, with its question-time encoder.

    Where a change of store was cut short, vectors are searched in the segments meanwhile.
    """
    given: dict[str, Callable[[], Any]] = {
        "store": lambda: store,
        "name": lambda: name,
        "folder": lambda: store.derived(name),
        "mask": lambda: store.row_mask,
    }
    if recipe.encoder is not None:
        given |= {"encoder": recipe.encoder, "side": lambda: recipe.side}
    if (vectors := recipe.vectors) is not None and not store.channel(name).is_underived:
        given["vectors"] = lambda: vectors(store=store, name=name)
    takes = inspect.signature(recipe.channel.constructor()).parameters
    made = {key: make() for key, make in given.items() if key in takes}
    channel: Channel = recipe.channel(**made)
    return channel


def _trusted(name: str, spec: Mapping[str, Any], place: Place) -> ChannelRecipe:
    """Check a channel that an index describes, and that this user allows what it would do."""
    recipe = planned_channel(name, spec, place)
    refuse_foreign_code(spec, place)
    refuse_foreign_hosts(spec, place)
    return recipe


def _pictures(path: str | Path) -> tuple[ImageRef, ...]:
    from medrag.images import asked_parts

    return asked_parts(ImageRef(str(Path(path).expanduser().absolute())))
