"""Bring a collection into step with the segments, and know it again."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from medrag.errors import IndexFormatError
from medrag.indexing import durable
from medrag.indexing.commands import repair
from medrag.indexing.qdrant.ledger import Ledger, batches, changed, everything
from medrag.indexing.qdrant.options import Options
from medrag.indexing.qdrant.payload import fields_of
from medrag.indexing.qdrant.points import IdMap, Point, Rows, SegmentPoints
from medrag.indexing.qdrant.server import BATCH, Collection, Note
from medrag.indexing.storage import Store

# Beside the folders of what was derived: whose the collections of an index are.
IDENTITY = "qdrant-index.json"


def upload(
    store: Store, after: Ledger, before: Ledger | None, options: Mapping[str, Options]
) -> None:
    """Put what is new, and remove what is gone; nothing is sent if the collection says it is so.

    Args:
        before: what an earlier upload put there, if that is known.
        options: of each channel.

    Raises:
        IndexFormatError: if the collection is that of another index, or not medrag's.
        MedragError: if the server cannot be reached, or fails.
    """
    shared = next(iter(options.values()))
    name = collection_name(shared, store.folder, after.index)
    collection = Collection(name=name, options=shared, index=store.folder)
    unfinished = Note(after.index, after.made, "")
    finished = unfinished._replace(state=after.state)
    note = collection.note
    if note is not None:
        _refuse_foreign(note, after.index, collection)
        if note == finished and collection.count() == len(after.ids):
            return
    change = everything(after)
    if note is None or note.made != after.made:
        collection.create(after.shapes, options, unfinished)
    elif before is not None and note.state == before.state:
        change = changed(before, after)
        collection.say(unfinished)
        _drop(collection, before, change.drop)
    else:
        # Nobody knows what is there: whatever is not of the index goes, all else is put again.
        collection.say(unfinished)
        _drop_unknown(collection, after)
    collection.index_payload(fields_of(store))
    _put(store, after, change.put, collection)
    collection.build_graphs(after.shapes, options)
    collection.say(finished)


def in_memory(store: Store, ledger: Ledger, channel: str, options: Options) -> Collection:
    """Put the points of a channel into the memory of this process."""
    alone = replace(options, parallel=1)
    collection = Collection(name=channel, options=alone, index=store.folder)
    collection.create(ledger.shapes, {channel: alone}, Note("", "", ""))
    for number in range(len(store.segments)):
        points = SegmentPoints(
            store=store, number=number, shapes=ledger.shapes, averages=ledger.averages
        )
        collection.put((None, batch) for batch in points.batches(points.rows, BATCH))
    return collection


def checked_collection(store: Store, ledger: Ledger, options: Options) -> Collection:
    """Give the collection that a ledger is of.

    Raises:
        IndexFormatError: if it is gone, of another index, or of other dimensions.
    """
    name = collection_name(options, store.folder, ledger.index)
    collection = Collection(
        name=name, options=options, index=store.folder, domains=frozenset(ledger.domains)
    )
    note = collection.note
    again = f"upload it again: {repair(store.folder)}"
    if note is None:
        raise IndexFormatError(f"{options.url} has no collection {name!r}; {again}")
    _refuse_foreign(note, ledger.index, collection)
    found = collection.dimensions()
    for channel, shape in ledger.shapes.items():
        d = 0 if shape.sparse else shape.d
        if found.get(channel) != d:
            raise IndexFormatError(
                f"collection {name!r} of {options.url} has {found.get(channel, 'no')} numbers per "
                f"vector of channel {channel!r} (0 for weighted terms), but the index has {d}; "
                f"{again}"
            )
    return collection


def collection_name(options: Options, index_folder: Path, index: str) -> str:
    """Name the collection of an index: as its recipe does, or after its folder."""
    safe = re.sub(r"[^A-Za-z0-9_.-]", "-", index_folder.absolute().name)
    return options.collection or f"medrag-{safe}-{index[:8]}"


def identity(folder: Path) -> str:
    """Give the name that no other index has, which outlives what is derived."""
    path = folder / IDENTITY
    try:
        return str(json.loads(path.read_bytes())["index"])
    except FileNotFoundError:
        index = uuid4().hex
        durable.write_atomically(path, json.dumps({"index": index}).encode())
        return index
    except (ValueError, KeyError, TypeError) as error:
        raise IndexFormatError(
            f"{path} is damaged ({error}); delete it, and give the store another collection, or "
            "delete the one that it has"
        ) from error


def _refuse_foreign(note: Note, index: str, collection: Collection) -> None:
    if note.owner != index:
        raise IndexFormatError(
            f"collection {collection.name!r} of {collection.options.url} belongs to another index "
            f"({note.owner[:8]}, not {index[:8]}) and is left alone; give the store another "
            "collection, or delete that one if its index is gone"
        )


def _put(store: Store, after: Ledger, put: Rows, collection: Collection) -> None:
    """Put points at places of a ledger, those of each key together."""
    keys = _keys(collection, after)[put]

    def by_key() -> Iterator[tuple[str | None, list[Point]]]:
        for key in dict.fromkeys(keys.tolist()):
            for batch in batches(store, after, put[keys == key], BATCH):
                yield key, batch

    if collection.options.by_domain:
        collection.open_shards(keys.tolist())
    collection.put(by_key())


def _drop(collection: Collection, before: Ledger, drop: Rows) -> None:
    keys = _keys(collection, before)[drop]
    for key in dict.fromkeys(keys.tolist()):
        collection.drop(before.ids[drop[keys == key]], key)


def _drop_unknown(collection: Collection, after: Ledger) -> None:
    """Remove the points that the index has not, or has in another domain."""
    known, keys = IdMap(after.ids), _keys(collection, after)
    for key, ids in list(collection.ids()):
        at = known.find(ids)
        right = at >= 0
        right[right] = keys[at[right]] == key
        collection.drop(ids[~right], key)


def _keys(collection: Collection, ledger: Ledger) -> NDArray[np.object_]:
    """Give the key of the shards that each point belongs to; None where domains have none."""
    return ledger.keys if collection.options.by_domain else np.full(len(ledger.ids), None)
