"""An index, opened for reading: live passages, the rows that filters allow, vectors.

A row counts through all segments in their order, removed passages included, so that it stays the
same for as long as the segments do. A store keeps the manifest that it opened.
"""

import os
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property, lru_cache, partial
from itertools import accumulate
from pathlib import Path
from typing import Literal, NamedTuple, overload

import numpy as np
from numpy.typing import NDArray

from medrag.errors import IndexFormatError
from medrag.indexing.arrays import damaged
from medrag.indexing.columns import Mask
from medrag.indexing.commands import reread
from medrag.indexing.manifest import ChannelEntry, Manifest, read_manifest
from medrag.indexing.segment import Segment, id_bytes, segment_folder, segment_of, size_problem
from medrag.indexing.vectors import Vectors, channel_folder
from medrag.records import Filter, Passage

# Of the masks of filters that are remembered, and of what else each takes there.
_MASKS_BYTES, _BESIDE_A_MASK = 32 << 20, 4096


def open_store(folder: Path, *, damaged: Literal["raise", "skip"] = "raise") -> "Store":
    """Open an index for reading.

    Checks the manifest's own checksum and the size of every file of the segments; `verify` in
    `medrag.indexing.checking` reads them as well.

    Args:
        damaged: what to do about a segment with a missing or shortened file: refuse, or leave it
            out and name it in `Store.damaged`.

    Raises:
        IndexFormatError: if there is no index, or it is damaged.
    """
    manifest = read_manifest(folder)
    found = ((s.name, size_problem(segment_folder(folder, s), s.sums)) for s in manifest.segments)
    problems = {name: problem for name, problem in found if problem is not None}
    if problems and damaged == "raise":
        listed = "; ".join(f"{name}: {problem}" for name, problem in problems.items())
        raise IndexFormatError(
            f"{folder} has {len(problems)} damaged segments of {len(manifest.segments)}: {listed}; "
            "restore the files from a copy, read the rest with damaged='skip', or: "
            f"{reread(folder)}"
        )
    return Store(folder=folder, manifest=manifest, damaged=problems)


class Place(NamedTuple):
    """A row by segment (position in `Store.segments`) and row within it."""

    segment: int
    row: int


class Block(NamedTuple):
    """The vectors of a channel in one segment; `rows` count through the whole index."""

    rows: NDArray[np.int64]
    lengths: NDArray[np.int32]
    values: NDArray[np.float32]


class Store:
    """The passages of an index and what is known of them, read from disk when asked for."""

    def __init__(
        self, *, folder: Path, manifest: Manifest, damaged: Mapping[str, str] | None = None
    ) -> None:
        self.folder = folder
        self.manifest = manifest
        self.damaged = dict(damaged or {})
        self.entries = tuple(s for s in manifest.segments if s.name not in self.damaged)
        self.segments = tuple(segment_of(folder, entry) for entry in self.entries)
        self.firsts = tuple(accumulate((entry.n for entry in self.entries), initial=0))

    @property
    def n_rows(self) -> int:
        """Rows of the index, those of removed passages included."""
        return self.firsts[-1]

    @cached_property
    def live(self) -> Mask:
        """(n_rows,), False where the passage was removed."""
        mask = np.ones(self.n_rows, dtype=np.bool_)
        for first, entry in zip(self.firsts, self.entries, strict=False):
            for start, stop in entry.tombstones:
                mask[first + start : first + stop] = False
        mask.flags.writeable = False
        return mask

    @cached_property
    def passages(self) -> "LivePassages":
        return LivePassages(store=self)

    def passages_at(self, rows: Sequence[int]) -> list[Passage]:
        """Give the passages at rows, in the order asked.

        Raises:
            IndexError: if there is no such row.
        """
        places = [self.place_of(row) for row in rows]
        found: dict[Place, Passage] = {}
        for number in sorted({place.segment for place in places}):
            here = sorted({place.row for place in places if place.segment == number})
            passages = self.segments[number].passages_at(here)
            found.update((Place(number, r), p) for r, p in zip(here, passages, strict=True))
        return [found[place] for place in places]

    def passages_where(self, wanted: Filter) -> Iterator[tuple[int, Passage]]:
        """Read the live passages that a filter allows, with their rows, in order."""
        for first, segment in zip(self.firsts, self.segments, strict=False):
            allowed = segment.columns.allowed(wanted) & self.live[first : first + segment.n]
            for row, passage in segment.passages(np.flatnonzero(allowed)):
                yield first + row, passage

    def row_mask(self, wanted: Filter) -> Mask:
        """Tell for each row whether it is live and a filter allows it; read-only.

        To make that can take as long as a search: the masks that were used last are remembered.
        """
        return self._masks(wanted)

    @cached_property
    def _masks(self) -> Callable[[Filter], Mask]:
        n = _MASKS_BYTES // (self.n_rows + _BESIDE_A_MASK)
        # Of no method of this store: a cycle would keep its files mapped.
        return lru_cache(max(1, n))(partial(_mask_of, self.segments, self.live))

    def row_of(self, passage_id: str) -> int | None:
        """Find the row of a live passage."""
        try:
            identifier = id_bytes(passage_id)
        except ValueError:
            return None
        for first, segment in zip(self.firsts, self.segments, strict=False):
            for row in segment.rows_of(identifier):
                if self.live[first + row]:
                    return first + row
        return None

    def place_of(self, row: int) -> Place:
        if not 0 <= row < self.n_rows:
            raise IndexError(f"row {row} of an index of {self.n_rows} rows")
        number = bisect_right(self.firsts, row) - 1
        return Place(number, int(row) - self.firsts[number])

    def vectors(self, channel: str) -> list[Block]:
        """Map the vectors of a dense channel, segment by segment.

        Raises:
            KeyError: if the index has no such channel.
            IndexFormatError: if what lies there cannot be vectors of its segment.
        """
        blocks = []
        self.channel(channel)
        for first, segment in zip(self.firsts, self.segments, strict=False):
            folder = channel_folder(segment.folder, channel)
            if not folder.is_dir():
                continue
            vectors = Vectors(folder=folder)
            if problem := vectors.misfit(segment.n):
                raise IndexFormatError(damaged(folder, problem))
            rows = np.asarray(vectors.rows, dtype=np.int64) + first
            blocks.append(Block(rows, vectors.lengths, vectors.values))
        return blocks

    def channel(self, name: str) -> ChannelEntry:
        """Give the entry of a channel.

        Raises:
            KeyError: if the index has no such channel.
        """
        try:
            return self.manifest.channels[name]
        except KeyError:
            known = ", ".join(self.manifest.channels) or "none"
            raise KeyError(f"{self.folder} has no channel {name!r}; it has: {known}") from None

    def check_key(self, fingerprint: str) -> None:
        """Refuse a key that is not that of the pseudonyms in the index.

        Nothing is refused where there are none, or where it was not recorded whose they are.

        Raises:
            IndexFormatError: if the keys differ.
        """
        built = self.manifest.key
        if built in ("", fingerprint) or not self._names_people():
            return
        raise IndexFormatError(
            f"the subjects and studies of {self.folder} were named with another key ({built}) than "
            f"yours ({fingerprint}), so that no patient would be known again: give the key of the "
            "build by MEDRAG_KEY or MEDRAG_KEY_FILE, or build the index anew with yours in another "
            "folder"
        )

    def _names_people(self) -> bool:
        columns = (segment.columns for segment in self.segments)
        return any(each.values(name) for each in columns for name in ("subject", "study"))

    @property
    def unfinished(self) -> tuple[str, ...]:
        """Names of the channels that cannot be searched yet: nothing was derived for them.

        Those with vectors can be, in the segments.
        """
        return tuple(
            name
            for name, entry in self.manifest.channels.items()
            if entry.is_underived and not entry.has_vectors
        )

    def derived(self, channel: str) -> Path:
        """Give the folder of what a channel derives from the segments, such as a graph.

        Raises:
            KeyError: if the index has no such channel.
            IndexFormatError: if nothing was derived yet.
        """
        folder = self.channel(channel).derived.get("folder")
        if folder is None:
            raise IndexFormatError(
                f"channel {channel!r} of {self.folder} is not finished; the same build again "
                "finishes it"
            )
        return self.folder / str(folder)

    def close(self) -> None:
        """Let go of what was mapped; the store opens it again when asked."""
        for segment in self.segments:
            segment.close()

    def corpus_root(self, corpus: str) -> Path:
        """Give the folder that the documents of a corpus lie in, absolute."""
        root = self.folder / self.manifest.corpora[corpus].root
        return Path(os.path.normpath(root.absolute()))


def _mask_of(segments: Sequence[Segment], live: Mask, wanted: Filter) -> Mask:
    allowed = [segment.columns.allowed(wanted) for segment in segments]
    mask: Mask = live & np.concatenate([np.empty(0, dtype=np.bool_), *allowed])
    mask.flags.writeable = False
    return mask


class LivePassages(Sequence[Passage]):
    """The passages that were not removed, in row order, each read when asked for."""

    def __init__(self, *, store: Store) -> None:
        self._store = store

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, place: int) -> Passage: ...
    @overload
    def __getitem__(self, place: slice) -> list[Passage]: ...
    def __getitem__(self, place: int | slice) -> Passage | list[Passage]:
        if isinstance(place, slice):
            return self._store.passages_at([int(row) for row in self._rows[place]])
        return self._store.passages_at([int(self._rows[place])])[0]

    def __iter__(self) -> Iterator[Passage]:
        for _, passage in self._store.passages_where(Filter()):
            yield passage

    def __contains__(self, passage: object) -> bool:
        """Tell whether a passage, or the passage of an id, is here."""
        if isinstance(passage, Passage):
            row = self._store.row_of(passage.id)
            return row is not None and self._store.passages_at([row])[0] == passage
        return isinstance(passage, str) and self._store.row_of(passage) is not None

    def by_id(self, passage_id: str) -> Passage:
        """Give the passage of an id.

        Raises:
            KeyError: if there is none.
        """
        row = self._store.row_of(passage_id)
        if row is None:
            raise KeyError(f"{self._store.folder} has no passage {passage_id!r}")
        return self._store.passages_at([row])[0]

    @cached_property
    def _rows(self) -> NDArray[np.int64]:
        return np.flatnonzero(self._store.live)
