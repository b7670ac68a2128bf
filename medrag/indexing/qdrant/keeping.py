"""Bring what Qdrant holds into step with the segments, and tell whether it is."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from medrag.errors import IndexFormatError, MedragError
from medrag.indexing.manifest import ChannelEntry
from medrag.indexing.qdrant import edge
from medrag.indexing.qdrant.ledger import (
    Ledger,
    batches,
    changed,
    everything,
    read_ledger,
    remake,
    surveyed,
    write_ledger,
)
from medrag.indexing.qdrant.options import EDGE, MEMORY, Options, options_of, shared_options
from medrag.indexing.qdrant.payload import fields_of
from medrag.indexing.qdrant.points import Shape, shapes_of
from medrag.indexing.qdrant.uploading import checked_collection, identity, upload
from medrag.indexing.qdrant.words import Counts
from medrag.indexing.storage import Store

_EDGE_BATCH = 1000


def derive(
    *, store: Store, channels: Mapping[str, ChannelEntry], folder: Path, previous: Path | None
) -> bool:
    """Put the vectors of the channels where they are searched; see `backends.Backend.derive`.

    Only points that are new, say something else, or are gone cost anything. A ledger in the folder,
    written last, says what is there.

    Raises:
        RecipeError: if the channels disagree about their collection.
        IndexFormatError: if the collection is that of another index, or not medrag's.
        MedragError: if a server cannot be reached, or a passage has more numbers than Qdrant takes.
    """
    shared = shared_options(channels)
    options = {name: options_of(entry) for name, entry in channels.items()}
    shapes = shapes_of(store, channels)
    made = _made(shapes, options)
    before = _usable(previous, made) if previous else None
    if shared.place == MEMORY:
        write_ledger(folder, Ledger(MEMORY, made=made, shapes=shapes))
        return True
    index = identity(folder.parent) if shared.url else ""
    after = surveyed(store, shapes, before, place=shared.place, index=index, made=made)
    if shared.url:
        upload(store, after, before, shared, options)
    elif shapes:
        _shard(store, after, before, options, folder, previous)
    write_ledger(folder, after)
    return True


def problem(*, store: Store, channels: Mapping[str, ChannelEntry], folder: Path) -> str | None:
    """Compare the ledger with the segments, and what is there with the ledger."""
    try:
        ledger = read_ledger(folder)
        if ledger.place == MEMORY:
            return None
        shapes = shapes_of(store, channels)
        expected = surveyed(store, shapes, None, place=ledger.place)
        if replace(expected, counts=ledger.counts).state != ledger.state or (
            shapes != ledger.shapes
        ):
            return (
                f"the points that Qdrant should hold ({len(ledger.ids)}) are not those of the "
                f"segments ({len(expected.ids)}); make them anew: {remake(folder)}"
            )
        if not _alike(expected.counts, ledger.counts):
            return f"the words of the segments are not those counted; count anew: {remake(folder)}"
        return _miscounted(ledger, shared_options(channels), store.folder, folder)
    except MedragError as error:
        return str(error)


def _miscounted(ledger: Ledger, options: Options, index: Path, folder: Path) -> str | None:
    if options.url:
        collection = checked_collection(options, index, ledger)
        note, n = collection.note, collection.count()
        if note is not None and note.state != ledger.state:
            return (
                f"collection {collection.name!r} of {options.url} holds another state of the "
                f"index, or an upload to it was cut short; upload again: {remake(folder)}"
            )
    else:
        n = edge.opened(folder).count() if ledger.shapes else 0
    if n == len(ledger.ids):
        return None
    return f"Qdrant holds {n} points instead of {len(ledger.ids)}; mend it: {remake(folder)}"


def _alike(one: Counts | None, other: Counts | None) -> bool:
    return one is other if one is None or other is None else one.same(other)


def _shard(
    store: Store,
    after: Ledger,
    before: Ledger | None,
    options: Mapping[str, Options],
    folder: Path,
    previous: Path | None,
) -> None:
    place = folder / edge.SHARD
    if before is not None and previous is not None:
        points = edge.continued(previous / edge.SHARD, place)
        change = changed(before, after)
        points.drop(before.ids[change.drop])
    else:
        points = edge.created(place, after.shapes, options)
        change = everything(after)
    points.index_payload(fields_of(store))
    for _, batch in batches(store, after, change.put, _EDGE_BATCH):
        points.put(batch)
    points.finish()


def _usable(previous: Path, made: str) -> Ledger | None:
    """Read an earlier ledger, if what it is of can be gone on with."""
    try:
        before = read_ledger(previous)
    except IndexFormatError:
        return None
    there = before.place != EDGE or not before.shapes or (previous / edge.SHARD).is_dir()
    return before if before.made == made and before.shapes and there else None


def _made(shapes: Mapping[str, Shape], options: Mapping[str, Options]) -> str:
    """Tell apart collections that are made differently."""
    said = {
        name: [
            shape,
            options[name].quantization,
            dict(options[name].hnsw or {}),
            options[name].by_domain,
            options[name].shards,
            options[name].replicas,
            options[name].write_consistency,
        ]
        for name, shape in shapes.items()
    }
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:32]
