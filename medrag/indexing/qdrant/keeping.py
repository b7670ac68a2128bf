"""Bring what Qdrant holds into step with the segments, and tell whether it is."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from medrag.errors import IndexFormatError, MedragError
from medrag.indexing.commands import repair
from medrag.indexing.manifest import ChannelEntry
from medrag.indexing.qdrant import edge
from medrag.indexing.qdrant.ledger import (
    Ledger,
    batches,
    changed,
    everything,
    read_ledger,
    surveyed,
    write_ledger,
)
from medrag.indexing.qdrant.options import EDGE, MEMORY, Options, options_of
from medrag.indexing.qdrant.payload import fields_of
from medrag.indexing.qdrant.points import Shape, shapes_of
from medrag.indexing.qdrant.uploading import checked_collection, identity, upload
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
    options = options_of(channels)
    shared = next(iter(options.values()))
    shapes = shapes_of(store, channels)
    made = _made(shapes, options)
    if shared.place == MEMORY:
        write_ledger(folder, Ledger(MEMORY, made=made, shapes=shapes))
        return True
    before = _usable(previous, made) if previous else None
    index = identity(folder.parent) if shared.url else ""
    after = surveyed(store, shapes, before, place=shared.place, index=index, made=made)
    if shared.url:
        upload(store, after, before, options)
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
        wrong = _of_ledger(store, shapes_of(store, channels), ledger, folder)
        return wrong or _of_points(store, options_of(channels), ledger, folder)
    except MedragError as error:
        return str(error)


def _of_ledger(
    store: Store, shapes: Mapping[str, Shape], ledger: Ledger, folder: Path
) -> str | None:
    """Say how a ledger differs from the segments."""
    expected = surveyed(store, shapes, None, place=ledger.place)
    alike = replace(expected, counts=ledger.counts)
    if alike.state != ledger.state or shapes != ledger.shapes:
        return (
            f"the points that Qdrant should hold ({len(ledger.ids)}) are not those of the "
            f"segments ({len(expected.ids)}); make them anew: {repair(folder)}"
        )
    one, other = expected.counts, ledger.counts
    if one is not None and (other is None or not one.same(other)):
        return f"the words of the segments are not those counted; count anew: {repair(folder)}"
    return None


def _of_points(
    store: Store, options: Mapping[str, Options], ledger: Ledger, folder: Path
) -> str | None:
    """Say how the points of a server, or of a shard, differ from the ledger.

    Raises:
        MedragError: if they cannot be reached, or are of another index or damaged.
    """
    shared = next(iter(options.values()))
    if not shared.url:
        for name in ledger.shapes:
            edge.checked_shard(store, name, folder, ledger)
        return None
    collection = checked_collection(store, ledger, shared)
    note, n = collection.note, collection.count()
    if note is not None and note.state != ledger.state:
        return (
            f"collection {collection.name!r} of {shared.url} holds another state of the index, or "
            f"an upload to it was cut short; upload again: {repair(folder)}"
        )
    if n != len(ledger.ids):
        return f"Qdrant holds {n} points instead of {len(ledger.ids)}; mend it: {repair(folder)}"
    return None


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
    for batch in batches(store, after, change.put, _EDGE_BATCH):
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
