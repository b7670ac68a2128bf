"""What a search of late interaction reads of each segment, from memory or below `derived/`.

A file is named by the sums of the vectors that it was made of, so that it fits whatever index has
the same segment, and can be linked from one state of an index to the next.
"""

import hashlib
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medrag.errors import IndexFormatError
from medrag.indexing.arrays import mapped
from medrag.indexing.machine import has_room
from medrag.indexing.manifest import SegmentEntry
from medrag.indexing.maxsim.packed import (
    STORED,
    Bounds,
    Copy,
    CopyKind,
    Packed,
    copied,
    packed,
    pooled,
    pooled_starts,
)
from medrag.indexing.maxsim.signs import Planes, n_words, sign_planes
from medrag.indexing.storage import Block, Store
from medrag.indexing.vectors import LENGTHS, VALUES, channel_folder, has_channel


class Part:
    """The vectors of a channel in one segment: `rows` (n,) of the index, and what they became.

    Args:
        folder: of what was derived; None where there is none.
    """

    def __init__(self, *, block: Block, key: str, folder: Path | None) -> None:
        values = np.asarray(block.values)
        values.flags.writeable = False
        self.rows = np.asarray(block.rows)
        self.source = packed(values, block.lengths)
        self.key = key
        self.folder = folder
        self._copies: dict[tuple[CopyKind, int], Copy] = {}

    def copy(self, kind: CopyKind, size: int = 1) -> Copy:
        """Give the vectors, or the means of each `size` neighbours, in fewer bits.

        Raises:
            IndexFormatError: if a vector is not finite.
        """
        if (kind, size) not in self._copies:
            self._copies[kind, size] = self.kept(kind, size) or copied(self.means(size), kind)
        return self._copies[kind, size]

    def means(self, size: int) -> Packed:
        """Give the means of each `size` neighbours; of 1, the vectors."""
        return self.source if size == 1 else pooled(self.source, size)

    def kept(self, kind: CopyKind, size: int = 1) -> Copy | None:
        """Map a copy that lies on the disk."""
        if kind == "float32":
            return None
        starts = self.source.starts if size == 1 else pooled_starts(self.source.starts, size)
        codes, bounds = copy_names(self.key, kind, size)
        shape = int(starts[-1]), self.source.values.shape[1]
        found = self._mapped(codes, shape, STORED[kind])
        facts = self._mapped(bounds, (3, len(starts) - 1), "<f4")
        if found is None or facts is None:
            return None
        return Copy(kind, found, starts, Bounds(*np.array(facts)))

    @cached_property
    def planes(self) -> Planes:
        """Give the signs of the vectors, (words, N)."""
        n, d = self.source.values.shape
        found = self._mapped(planes_name(self.key), (n_words(d), n), "<u8")
        return sign_planes(self.source) if found is None else found

    def _mapped(self, name: str, shape: tuple[int, ...], dtype: str) -> NDArray[Any] | None:
        """Map an array if it is there, and what it must be."""
        if self.folder is None:
            return None
        try:
            # Copied on writing, as torch takes no array that may not be written; nobody writes.
            found = mapped(self.folder / name, "c")
        except IndexFormatError:
            return None
        return np.asarray(found) if (found.dtype, found.shape) == (np.dtype(dtype), shape) else None


def parts_of(store: Store, channel: str, folder: Path | None) -> list[Part]:
    """Give the segments that have vectors of a channel, with what lies in the derived folder."""
    entries = [
        entry
        for entry, segment in zip(store.entries, store.segments, strict=True)
        if channel_folder(segment.folder, channel).is_dir()
    ]
    return [
        Part(block=block, key=part_key(entry, channel), folder=folder)
        for entry, block in zip(entries, store.vectors(channel), strict=True)
        if len(block.rows)
    ]


def part_key(entry: SegmentEntry, channel: str) -> str:
    """Name the vectors of a channel in a segment by their content."""
    if not has_channel(entry, channel):
        return f"unfinished-{entry.name}"  # which no file is named by
    folder = channel_folder(Path(), channel)
    sums = [entry.sums[(folder / name).as_posix()].sha256 for name in (LENGTHS, VALUES)]
    return hashlib.sha256(" ".join(sums).encode()).hexdigest()[:32]


def copy_names(key: str, kind: CopyKind, size: int) -> tuple[str, str]:
    """Name the files of a copy: codes, and bounds."""
    stem = f"{key}.{kind}" if size == 1 else f"{key}.pooled{size}.{kind}"
    return f"{stem}.npy", f"{stem}-bounds.npy"


def planes_name(key: str) -> str:
    """Name the file of the signs."""
    return f"{key}.bits.npy"


def kind_with_room(parts: Sequence[Part], kind: CopyKind) -> CopyKind:
    """Give a kind of copies; float32, the vectors themselves, if memory lacks room to make them."""
    width = np.dtype(STORED[kind]).itemsize
    missing = [part.source.values.size for part in parts if part.kept(kind) is None]
    return kind if kind == "float32" or has_room(width * sum(missing), kind) else "float32"
