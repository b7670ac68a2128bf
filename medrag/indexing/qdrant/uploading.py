"""Bring a collection of a server into step with the segments, and know it again."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from uuid import uuid4

import numpy as np

from medrag.errors import IndexFormatError
from medrag.indexing import durable
from medrag.indexing.qdrant.ledger import Ledger, batches, changed, everything
from medrag.indexing.qdrant.options import Options
from medrag.indexing.qdrant.payload import fields_of
from medrag.indexing.qdrant.points import IdMap, Rows, SegmentPoints
from medrag.indexing.qdrant.server import BATCH, Collection, Note, key_of
from medrag.indexing.storage import Store

# Beside the folders of what was derived: whose the collections of an index are.
IDENTITY = "qdrant-index.json"


def upload(
    store: Store,
    after: Ledger,
    before: Ledger | None,
    options: Options,
    by_channel: Mapping[str, Options],
) -> None:
    """Put what is new, and remove what is gone; nothing is sent if the collection says it is so.

    Args:
        before: what an earlier upload put there, if that is known.
        by_channel: options of each channel.

    Raises:
        IndexFormatError: if the collection is that of another index, or not medrag's.
        MedragError: if the server cannot be reached, or fails.
    """
    collection = Collection(
        name=collection_name(options, store.folder, after.index), options=options
    )
    note = collection.note
    if note is not None:
        _refuse_foreign(note, after.index, collection)
        if note == Note(after.index, after.made, after.state) and collection.count() == len(
            after.ids
        ):
            return
    unfinished = Note(after.index, after.made, "")
    if note is None or note.made != after.made:
        collection.create(after.shapes, by_channel, unfinished)
        change = everything(after)
    elif before is not None and note.state == before.state:
        change = changed(before, after, by_domain=options.by_domain)
        collection.say(unfinished)
        _drop(collection, before, change.drop)
    else:
        # Nobody knows what is there: whatever is not of the index goes, all else is put again.
        change = everything(after)
        collection.say(unfinished)
        _drop_unknown(collection, after)
    _put(store, after, change.put, collection)
    collection.build_graphs(after.shapes, by_channel)
    collection.say(Note(after.index, after.made, after.state))


def put_everything(store: Store, ledger: Ledger, collection: Collection) -> None:
    """Put all points of a store into an empty collection that keeps no ledger."""
    for number in range(len(store.segments)):
        points = SegmentPoints(
            store=store, number=number, shapes=ledger.shapes, averages=ledger.averages
        )
        collection.put((None, batch) for batch in points.batches(points.rows, BATCH))


def checked_collection(options: Options, index_folder: Path, ledger: Ledger) -> Collection:
    """Give the collection that a ledger is of.

    Raises:
        IndexFormatError: if it is gone, of another index, or of other dimensions.
    """
    name = collection_name(options, index_folder, ledger.index)
    collection = Collection(name=name, options=options)
    note = collection.note
    again = f"upload it again: medrag index verify {index_folder} --repair"
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
    collection.domains = frozenset(ledger.domains)
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
    """Put points at places of a ledger, with what makes filters on them fast."""
    collection.index_payload(fields_of(store))
    collection.open_domains({after.domain(int(each)) for each in put})
    by_domain = collection.options.by_domain
    collection.put(batches(store, after, put, BATCH, by_domain=by_domain))


def _drop(collection: Collection, before: Ledger, drop: Rows) -> None:
    codes = before.domain_of[drop] if collection.options.by_domain else np.full(len(drop), -1)
    for code in np.unique(codes).tolist():
        domain = None if code < 0 else before.domains[code]
        collection.drop(before.ids[drop[codes == code]], domain)


def _drop_unknown(collection: Collection, after: Ledger) -> None:
    """Remove the points that the index has not, or has in another domain."""
    known = IdMap(after.ids)
    for key, ids in list(collection.ids()):
        at = known.find(ids)
        stale = at < 0
        if key is not None:
            here = [key_of(after.domain(int(each))) == key for each in at[~stale]]
            stale[np.flatnonzero(~stale)[~np.array(here, dtype=np.bool_)]] = True
        collection.drop_from(key, ids[stale])
