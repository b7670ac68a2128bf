"""What a search of late interaction keeps of each segment, in memory or below `derived/`.

A file is named by the sums of the vectors that it was made of, so that it fits whatever index has
the same segment, and can be linked from one state of an index to the next.
"""

import hashlib
import os
import shutil
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medrag.indexing.manifest import SegmentEntry
from medrag.indexing.maxsim.packed import STORED, Bounds, Copy, CopyKind, Ints, copied, packed
from medrag.indexing.maxsim.pooling import pooled, pooled_starts
from medrag.indexing.maxsim.signs import Planes, n_words, sign_planes
from medrag.indexing.storage import Block, Store
from medrag.indexing.vectors import LENGTHS, VALUES, channel_folder, has_channel

# Bytes that one segment may take in memory where no file of it was derived; a larger one is
# searched in its own vectors.
_MOST_IN_MEMORY = 4 << 30


class Part:
    """The vectors of a channel in one segment: `rows` (n,) of the index, and what they became."""

    def __init__(self, *, block: Block, key: str, folder: Path | None) -> None:
        values = np.asarray(block.values)
        values.flags.writeable = False
        self.rows = np.asarray(block.rows)
        self.source = packed(values, block.lengths)
        self.key = key
        self.folder = folder
        self._copies: dict[CopyKind, Copy] = {}
        self._pooled: tuple[int, Copy] | None = None

    def copy(self, kind: CopyKind) -> Copy:
        """Give the vectors in fewer bits; as they are if there is no file, and too little memory.

        Raises:
            IndexFormatError: if a vector is not finite.
        """
        if kind not in self._copies:
            found = _read_copy(self.folder, self.key, kind, self.source.starts)
            size = self.source.values.size * np.dtype(STORED[kind]).itemsize
            fits = kind == "float32" or size <= _MOST_IN_MEMORY
            self._copies[kind] = found or (
                copied(self.source, kind) if fits else self.copy("float32")
            )
        return self._copies[kind]

    @cached_property
    def planes(self) -> Planes:
        """Give the signs of the vectors, (words, N)."""
        n, d = self.source.values.shape
        found = _read(self.folder, f"{self.key}.bits", (n_words(d), n), "<u8")
        return sign_planes(self.source) if found is None else found

    def pooled(self, size: int, kind: CopyKind) -> Copy:
        """Give the means of each `size` neighbours, in fewer bits."""
        if self._pooled is None or self._pooled[0] != size:
            starts = pooled_starts(self.source.starts, size)
            found = _read_copy(self.folder, f"{self.key}.pooled{size}", kind, starts)
            self._pooled = size, found or copied(pooled(self.source, size), kind)
        return self._pooled[1]


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


def keep_copy(
    part: Part, kind: CopyKind, folder: Path, previous: Path | None, *, size: int = 1
) -> None:
    """Write a copy of a part, or of the means of `size` neighbours; linked if made before."""
    stem = part.key if size == 1 else f"{part.key}.pooled{size}"
    names = (f"{stem}.{kind}.npy", f"{stem}.{kind}-bounds.npy")
    if _linked(names, folder, previous):
        return
    source = part.source if size == 1 else pooled(part.source, size)
    codes = _new_file(folder / names[0], source.values.shape, STORED[kind])
    made = copied(source, kind, codes)
    np.save(folder / names[1], np.stack(made.bounds))
    codes.flush()


def keep_planes(part: Part, folder: Path, previous: Path | None) -> None:
    """Write the signs of a part; linked if made before."""
    name = f"{part.key}.bits.npy"
    if _linked((name,), folder, previous):
        return
    n, d = part.source.values.shape
    planes = _new_file(folder / name, (n_words(d), n), "<u8")
    sign_planes(part.source, planes)
    planes.flush()


def _read_copy(folder: Path | None, stem: str, kind: CopyKind, starts: Ints) -> Copy | None:
    if kind == "float32":
        return None
    codes = _read(folder, f"{stem}.{kind}", None, STORED[kind])
    bounds = _read(folder, f"{stem}.{kind}-bounds", (3, len(starts) - 1), "<f4")
    if codes is None or bounds is None or codes.ndim != 2 or len(codes) != starts[-1]:
        return None
    return Copy(kind, codes, starts, Bounds(*np.array(bounds)))


def _read(
    folder: Path | None, name: str, shape: tuple[int, ...] | None, dtype: str
) -> NDArray[Any] | None:
    """Map an array if it is there, and what it must be."""
    if folder is None:
        return None
    path = folder / f"{name}.npy"
    try:
        # Copied on writing, as torch takes no array that may not be written; nobody writes.
        found = np.load(path, mmap_mode="c", allow_pickle=False)
    except (OSError, ValueError):
        return None
    if found.dtype != np.dtype(dtype) or shape not in (None, found.shape):
        return None
    return np.asarray(found)


def _linked(names: tuple[str, ...], folder: Path, previous: Path | None) -> bool:
    """Take over files that were made before; tell whether all are there."""
    if all((folder / name).is_file() for name in names):
        return True
    if previous is None or not all((previous / name).is_file() for name in names):
        return False
    for name in names:
        try:
            os.link(previous / name, folder / name)
        except OSError:  # a disk without links
            shutil.copyfile(previous / name, folder / name)
    return True


def _new_file(path: Path, shape: tuple[int, ...], dtype: str) -> "np.memmap[Any, Any]":
    made: np.memmap[Any, Any] = np.lib.format.open_memmap(
        path, mode="w+", dtype=np.dtype(dtype), shape=shape
    )
    return made
