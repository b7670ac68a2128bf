"""Copies on the disk, so that a new process maps a fraction of the bytes instead of making them."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from medrag.errors import IndexFormatError
from medrag.indexing import durable
from medrag.indexing.backends import backend_options
from medrag.indexing.manifest import ChannelEntry
from medrag.indexing.scanning import copies
from medrag.indexing.scanning.choosing import SMALL, kept_kind
from medrag.indexing.scanning.copies import Coarse, Copy, copied, decoded
from medrag.indexing.scanning.library import Library, Shelf
from medrag.indexing.storage import Store
from medrag.indexing.vectors import VALUES, channel_folder

# Vectors of each copy that a check reads again.
_SAMPLE = 64


def derive(
    *, store: Store, channels: Mapping[str, ChannelEntry], folder: Path, previous: Path | None
) -> bool:
    """Keep the copies that searches scan, of every channel that is large enough for one.

    Raises:
        IndexFormatError: if a vector is not finite.
    """
    made = False
    for shelf, stem, scan in _to_keep(store, channels):
        made = True
        names = [path.name for path in copies.files(folder / stem)]
        if not durable.taken_over(names, previous, folder):
            copies.save(copied(shelf, scan), folder / stem)
    return made


def problem(*, store: Store, channels: Mapping[str, ChannelEntry], folder: Path) -> str | None:
    """Say which copy is missing or does not fit the vectors; None if all do."""
    for shelf, stem, scan in _to_keep(store, channels):
        try:
            copy = copies.opened(folder / stem, scan, *shelf.values.shape)
        except IndexFormatError as error:
            return str(error)
        if scan != "bits" and not _fits(copy, shelf):
            return f"{folder / stem} is no copy of the vectors of its channel"
    return None


def kept_copies(store: Store, name: str, library: Library, scan: Coarse) -> list[Copy | None]:
    """Open what is kept of a channel: a copy of each block, None where there is none."""
    derived = store.channel(name).derived.get("folder")
    found: list[Copy | None] = []
    for shelf, stem in zip(library.shelves, _stems(store, name, library, scan), strict=True):
        path = store.folder / str(derived) / stem if derived and stem else None
        there = path is not None and copies.files(path)[0].is_file()
        found.append(copies.opened(path, scan, *shelf.values.shape) if path and there else None)
    return found


def _to_keep(
    store: Store, channels: Mapping[str, ChannelEntry]
) -> Iterator[tuple[Shelf, str, Coarse]]:
    """Give the blocks that need a copy, how the names of its files begin, and its kind."""
    for name, entry in channels.items():
        library, scan = Library(store.vectors(name)), kept_kind(backend_options(entry))
        if scan is not None and library.size >= SMALL:
            stems = _stems(store, name, library, scan)
            for shelf, stem in zip(library.shelves, stems, strict=True):
                if stem is not None:
                    yield shelf, stem, scan


def _stems(store: Store, name: str, library: Library, scan: Coarse) -> list[str | None]:
    """Name the copy of each block by its channel, its segment, and a sum over its vectors.

    None where the manifest does not know the vectors, since a build goes on.
    """
    file = channel_folder(Path(), name).joinpath(VALUES).as_posix()
    stems: list[str | None] = []
    for shelf in library.shelves:
        entry = store.entries[store.place_of(int(shelf.rows[0])).segment]
        known = entry.sums.get(file)
        stems.append(f"{name}.{entry.name}-{known.sha256[:16]}.{scan}" if known else None)
    return stems


def _fits(copy: Copy, shelf: Shelf) -> bool:
    """Look whether some vectors are as near to their copies as is said."""
    some = np.unique(np.linspace(0, len(shelf.values) - 1, _SAMPLE).astype(np.int64))
    near = decoded(copy.codes[some]).astype(np.float64) * copy.scales[some, None]
    far = np.linalg.norm(near - shelf.values[some], axis=1)
    return bool((far <= copy.errors[some]).all())
