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
from medrag.indexing.qdrant.points import (
    IdMap,
    Ids,
    Point,
    Rows,
    SegmentPoints,
    Shape,
)
from medrag.indexing.qdrant.words import Counts, counted
from medrag.indexing.storage import Store

MARKER, POINTS = "medrag-qdrant.json", "points.npz"

_FORMAT = 2


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
    def state(self) -> str:
        """Tell apart contents of a collection."""
        order = np.lexsort(self.ids.T)
        held = sha256(np.ascontiguousarray(self.ids[order]).tobytes())
        held.update(self.contents[order].tobytes())
        held.update(json.dumps(self.averages, sort_keys=True).encode())
        return held.hexdigest()[:32]

    def domain(self, number: int) -> str | None:
        code = int(self.domain_of[number])
        return None if code < 0 else self.domains[code]


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
    known = _Known(before)
    parts = []
    for number in range(len(store.segments)):
        each = SegmentPoints(store=store, number=number, shapes=shapes, averages={})
        ids = each.ids
        contents = known.contents(each.name, ids)
        contents[contents == 0] = each.contents(each.rows[contents == 0])
        parts.append((ids, contents, each.domains, np.full(len(ids), number), each.rows))
    names, codes = _coded([domain for part in parts for domain in part[2]])
    return Ledger(
        place,
        index,
        made,
        dict(shapes),
        tuple(entry.name for entry in store.entries),
        np.concatenate([np.empty((0, 16), np.uint8), *(part[0] for part in parts)]),
        np.concatenate([np.empty(0, np.uint64), *(part[1] for part in parts)]),
        names,
        codes,
        np.concatenate([np.empty(0, np.int32), *(p[3] for p in parts)]).astype(np.int32),
        np.concatenate([np.empty(0, np.int64), *(part[4] for part in parts)]),
        counts_of(store, shapes, before),
    )


def counts_of(store: Store, shapes: Mapping[str, Shape], before: Ledger | None) -> Counts | None:
    """Count the words of a store, if any channel asks for them."""
    if not any(shape.kind == "lexical" for shape in shapes.values()):
        return None
    return counted(store, before.counts if before else None)


def changed(before: Ledger, after: Ledger, *, by_domain: bool = False) -> Change:
    """Compare two ledgers; where words are weighed otherwise, every point is to be put.

    Args:
        by_domain: whether each domain has its own shards, so that a point that went to another
            domain must leave its old one.
    """
    old, new = IdMap(before.ids), IdMap(after.ids)
    there = old.find(after.ids)
    same = there >= 0
    same[same] = before.contents[there[same]] == after.contents[same]
    same &= before.averages == after.averages
    now = new.find(before.ids)
    drop = now < 0
    if by_domain:
        moved = [
            before.domain(each) != after.domain(int(now[each]))
            for each in np.flatnonzero(~drop).tolist()
        ]
        drop[np.flatnonzero(~drop)[np.array(moved, dtype=np.bool_)]] = True
    return Change(np.flatnonzero(~same), np.flatnonzero(drop))


def everything(ledger: Ledger) -> Change:
    """Put every point of a ledger."""
    return Change(np.arange(len(ledger.ids)), np.empty(0, np.int64))


def batches(
    store: Store, ledger: Ledger, put: Rows, most: int, *, by_domain: bool = False
) -> Iterator[tuple[str | None, list[Point]]]:
    """Read the points at places of a ledger in batches; each of one domain, if asked."""
    for number in np.unique(ledger.segment_of[put]).tolist():
        here = put[ledger.segment_of[put] == number]
        points = SegmentPoints(
            store=store, number=number, shapes=ledger.shapes, averages=ledger.averages
        )
        domains = np.unique(ledger.domain_of[here]) if by_domain else np.array([-1])
        for code in domains.tolist():
            same = here[ledger.domain_of[here] == code] if by_domain else here
            domain = None if code < 0 else ledger.domains[code]
            for batch in points.batches(ledger.rows[same], most):
                yield domain, batch


def write_ledger(folder: Path, ledger: Ledger) -> None:
    """Write a ledger; the marker, which makes it count, last."""
    counts = ledger.counts
    none = np.empty(0, np.int64)
    with (folder / POINTS).open("wb") as file:
        np.savez(
            file,
            ids=ledger.ids,
            contents=ledger.contents,
            domain_of=ledger.domain_of,
            segment_of=ledger.segment_of,
            rows=ledger.rows,
            terms=counts.terms if counts else none,
            passages=counts.passages if counts else none,
        )
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
        "words": None if counts is None else _said(counts),
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
                marker["place"],
                marker["index"],
                marker["made"],
                {name: Shape(*shape) for name, shape in marker["shapes"].items()},
                tuple(marker["segments"]),
                arrays["ids"],
                arrays["contents"],
                tuple(marker["domains"]),
                arrays["domain_of"],
                arrays["segment_of"],
                arrays["rows"],
                None if marker["words"] is None else _read(marker["words"], arrays),
            )
    except (OSError, EOFError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
        raise IndexFormatError(
            f"{folder} holds no Qdrant points of medrag ({error}), and nothing else is opened "
            f"there; make them anew: {remake(folder)}"
        ) from error


def remake(folder: Path) -> str:
    """Give the command that derives everything of the index again, of a folder below derived/."""
    return f"medrag index verify {folder.parent.parent} --repair"


def _coded(domains: Sequence[str | None]) -> tuple[tuple[str, ...], NDArray[np.int32]]:
    """Number domains in the order in which they first appear; -1 stands for none."""
    names: dict[str, int] = {}
    codes = [-1 if each is None else names.setdefault(each, len(names)) for each in domains]
    return tuple(names), np.array(codes, dtype=np.int32)


def _said(counts: Counts) -> dict[str, Any]:
    return {
        "n": counts.n,
        "words": counts.words,
        "averages": counts.averages,
        "counted": counts.counted,
    }


def _read(said: Mapping[str, Any], arrays: Mapping[str, NDArray[np.int64]]) -> Counts:
    tombstones = {
        name: tuple((first, stop) for first, stop in ranges)
        for name, ranges in said["counted"].items()
    }
    terms, passages = arrays["terms"], arrays["passages"]
    return Counts(said["n"], said["words"], said["averages"], tombstones, terms, passages)


class _Known:
    """Contents that an earlier ledger knows, by segment and id."""

    def __init__(self, before: Ledger | None) -> None:
        self.before = before
        self.places: Sequence[str] = before.segments if before else ()
        self.ids = IdMap(before.ids) if before else None

    def contents(self, segment: str, ids: Ids) -> NDArray[np.uint64]:
        """Give the hash of each id; 0 where it is not known."""
        found = np.zeros(len(ids), dtype=np.uint64)
        if self.before is None or self.ids is None or segment not in self.places:
            return found
        at = self.ids.find(ids)
        same = at >= 0
        same[same] = self.before.segment_of[at[same]] == self.places.index(segment)
        found[same] = self.before.contents[at[same]]
        return found
