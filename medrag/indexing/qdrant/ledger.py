"""What was put into Qdrant: kept beside it, so that only what changed is put there again."""

import json
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from medrag.errors import IndexFormatError
from medrag.indexing import durable
from medrag.indexing.commands import repair
from medrag.indexing.qdrant.points import IdMap, Ids, Point, Rows, SegmentPoints, Shape
from medrag.indexing.qdrant.words import NOTHING, Counts, counted
from medrag.indexing.storage import Store

MARKER, POINTS = "medrag-qdrant.json", "points.npz"
# The shard key of points without a domain.
NO_DOMAIN = "medrag:none"

_FORMAT = 2
# What is kept as arrays, by the names of `Ledger`.
_ARRAYS = ("ids", "contents", "domain_of", "segment_of", "rows")


@dataclass(frozen=True, slots=True)
class Ledger:
    """The points of one collection.

    Attributes:
        place: "edge", "server" or ":memory:", which keeps no points.
        index: name of the index that no other has; "" where there is no server.
        made: hash of the options that shape the collection.
        shapes: of the named vectors.
        segments: names of the segments whose points are there.
        ids: (n, 16); contents: (n,) hashes of what each says.
        domains: names; domain_of: (n,) codes into them, -1 for none.
        segment_of: (n,) places in `segments`; rows: (n,) within the segment.
        counts: of the words of lexical channels; None if there are none.
    """

    place: str
    index: str = ""
    made: str = ""
    shapes: Mapping[str, Shape] = field(default_factory=dict)
    segments: tuple[str, ...] = ()
    ids: Ids = field(default_factory=lambda: np.empty((0, 16), np.uint8))
    contents: NDArray[np.uint64] = field(default_factory=lambda: np.empty(0, np.uint64))
    domains: tuple[str, ...] = ()
    domain_of: NDArray[np.int32] = field(default_factory=lambda: np.empty(0, np.int32))
    segment_of: NDArray[np.int32] = field(default_factory=lambda: np.empty(0, np.int32))
    rows: Rows = field(default_factory=lambda: np.empty(0, np.int64))
    counts: Counts | None = None

    @property
    def averages(self) -> Mapping[str, float]:
        return self.counts.averages if self.counts else {}

    @property
    def keys(self) -> NDArray[np.object_]:
        """(n,), the shard key of each point, where each domain has shards of its own."""
        keys: NDArray[np.object_] = np.array([*self.domains, NO_DOMAIN], dtype=object)
        return keys[self.domain_of]

    @property
    def state(self) -> str:
        """Tell apart contents of a collection."""
        order = np.lexsort(self.ids.T)
        held = sha256(np.ascontiguousarray(self.ids[order]).tobytes())
        held.update(self.contents[order].tobytes())
        held.update(json.dumps(self.averages, sort_keys=True).encode())
        return held.hexdigest()[:32]


class Change(NamedTuple):
    """From one ledger to the next: places in the new one to put, places in the old one to drop.

    A point that went to another domain is in both.
    """

    put: Rows
    drop: Rows


def surveyed(
    store: Store,
    shapes: Mapping[str, Shape],
    before: Ledger | None,
    *,
    place: str,
    index: str = "",
    made: str = "",
) -> Ledger:
    """List the points that a store should have.

    Args:
        before: an earlier ledger; a segment never changes, so that what it says of one still holds.
    """
    ids, contents = [np.empty((0, 16), np.uint8)], [np.empty(0, np.uint64)]
    rows, numbers = [np.empty(0, np.int64)], [np.empty(0, np.int32)]
    domains: list[str | None] = []
    for number in range(len(store.segments)):
        each = SegmentPoints(store=store, number=number, shapes=shapes, averages={})
        ids.append(each.ids)
        contents.append(_contents(each, before))
        domains += each.domains
        numbers.append(np.full(len(each.rows), number, np.int32))
        rows.append(each.rows)
    names, codes = _coded(domains)
    return Ledger(
        place=place,
        index=index,
        made=made,
        shapes=dict(shapes),
        segments=tuple(entry.name for entry in store.entries),
        ids=np.concatenate(ids),
        contents=np.concatenate(contents),
        domains=names,
        domain_of=codes,
        segment_of=np.concatenate(numbers),
        rows=np.concatenate(rows),
        counts=counts_of(store, shapes, before),
    )


def counts_of(store: Store, shapes: Mapping[str, Shape], before: Ledger | None) -> Counts | None:
    """Count the words of a store, if any channel asks for them."""
    if not any(shape.kind == "lexical" for shape in shapes.values()):
        return None
    return counted(store, before.counts if before else None)


def changed(before: Ledger, after: Ledger) -> Change:
    """Compare two ledgers; where words are weighed otherwise, every point is to be put."""
    there = IdMap(before.ids).find(after.ids)
    same = there >= 0
    same[same] = before.contents[there[same]] == after.contents[same]
    same &= before.averages == after.averages
    now = IdMap(after.ids).find(before.ids)
    stays = now >= 0
    stays[stays] = before.keys[stays] == after.keys[now[stays]]
    return Change(np.flatnonzero(~same), np.flatnonzero(~stays))


def everything(ledger: Ledger) -> Change:
    """Put every point of a ledger."""
    return Change(np.arange(len(ledger.ids)), np.empty(0, np.int64))


def batches(store: Store, ledger: Ledger, put: Rows, most: int) -> Iterator[list[Point]]:
    """Read the points at ascending places of a ledger, in batches."""
    for number in np.unique(ledger.segment_of[put]).tolist():
        points = SegmentPoints(
            store=store, number=number, shapes=ledger.shapes, averages=ledger.averages
        )
        yield from points.batches(ledger.rows[put[ledger.segment_of[put] == number]], most)


def write_ledger(folder: Path, ledger: Ledger) -> None:
    """Write a ledger; the marker, which makes it count, last."""
    counts = ledger.counts or NOTHING
    arrays = {name: getattr(ledger, name) for name in _ARRAYS}
    with (folder / POINTS).open("wb") as file:
        np.savez(file, terms=counts.terms, passages=counts.passages, **arrays)
        durable.sync(file)
    marker = {
        "made_by": "medrag",
        "format": _FORMAT,
        "place": ledger.place,
        "index": ledger.index,
        "made": ledger.made,
        "shapes": ledger.shapes,
        "segments": ledger.segments,
        "domains": ledger.domains,
        "words": None if ledger.counts is None else _said(counts),
    }
    durable.write_atomically(folder / MARKER, json.dumps(marker, indent=1).encode())


def read_ledger(folder: Path) -> Ledger:
    """Read a ledger.

    Raises:
        IndexFormatError: if there is none of ours, or it is damaged.
    """
    if not folder.is_dir():
        raise IndexFormatError(
            f"{folder} is gone, since a later build replaced it: open the index again"
        )
    try:
        marker = json.loads((folder / MARKER).read_bytes())
        if marker["format"] != _FORMAT:
            raise ValueError(f"format {marker['format']}")
        # Opened here: NumPy leaves a damaged file open.
        with (folder / POINTS).open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            return Ledger(
                place=marker["place"],
                index=marker["index"],
                made=marker["made"],
                shapes={name: Shape(*shape) for name, shape in marker["shapes"].items()},
                segments=tuple(marker["segments"]),
                domains=tuple(marker["domains"]),
                counts=None if marker["words"] is None else _read(marker["words"], arrays),
                **{name: arrays[name] for name in _ARRAYS},
            )
    except (OSError, EOFError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
        raise IndexFormatError(
            f"{folder} holds no Qdrant points of medrag ({error}), and nothing else is opened "
            f"there; make them anew: {repair(folder)}"
        ) from error


def _contents(points: SegmentPoints, before: Ledger | None) -> NDArray[np.uint64]:
    """Hash what the points of a segment say, unless an earlier ledger knows."""
    contents = np.zeros(len(points.rows), dtype=np.uint64)
    if before is not None and points.name in before.segments:
        here = np.flatnonzero(before.segment_of == before.segments.index(points.name))
        at = IdMap(before.ids[here]).find(points.ids)
        contents[at >= 0] = before.contents[here[at[at >= 0]]]
    contents[contents == 0] = points.contents(points.rows[contents == 0])
    return contents


def _coded(domains: Sequence[str | None]) -> tuple[tuple[str, ...], NDArray[np.int32]]:
    """Number domains in the order in which they first appear; -1 stands for none."""
    names: dict[str, int] = {}
    codes = [-1 if each is None else names.setdefault(each, len(names)) for each in domains]
    return tuple(names), np.array(codes, dtype=np.int32)


def _said(counts: Counts) -> dict[str, Any]:
    return {name: getattr(counts, name) for name in ("n", "words", "averages", "counted")}


def _read(said: Mapping[str, Any], arrays: Mapping[str, NDArray[np.int64]]) -> Counts:
    tombstones = {
        name: tuple((first, stop) for first, stop in ranges)
        for name, ranges in said["counted"].items()
    }
    terms, passages = arrays["terms"], arrays["passages"]
    return Counts(said["n"], said["words"], said["averages"], tombstones, terms, passages)
