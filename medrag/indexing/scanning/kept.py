"""Copies on the disk, so that a new process maps a fraction of the bytes instead of making them."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np

from medrag.errors import IndexFormatError
from medrag.indexing.backends import backend_options
from medrag.indexing.manifest import ChannelEntry
from medrag.indexing.scanning import copies
from medrag.indexing.scanning.choosing import SMALL, kept_kind
from medrag.indexing.scanning.copies import Coarse, Copy, copied
from medrag.indexing.scanning.library import Library, Shelf
from medrag.indexing.storage import Store
from medrag.indexing.vectors import VALUES, channel_folder

# Vectors of each copy that a check reads again.
_SAMPLE = 64


def keep(store: Store, name: str, entry: ChannelEntry, folder: Path, previous: Path | None) -> bool:
    """Write the copies of a channel, or link those that were made before; tell whether any were.

    Raises:
        IndexFormatError: if a vector is not finite.
    """
    library, scan = Library(store.vectors(name)), kept_kind(backend_options(entry))
    if scan is None or library.size < SMALL:
        return False
    for shelf, content in zip(library.shelves, _contents(store, name, library), strict=True):
        if content is None:
            continue
        stem = _stem(folder, name, content, scan)
        old = None if previous is None else copies.files(_stem(previous, name, content, scan))
        if old is not None and all(path.is_file() for path in old):
            for path in old:
                _link(path, folder / path.name)
        else:
            copies.save(copied(shelf, scan), stem)
    return True


def kept_copies(store: Store, name: str, library: Library) -> Callable[[Coarse], list[Copy | None]]:
    """Give a way to open what is kept of a channel: a copy of each block, None where it lacks."""
    derived = store.channel(name).derived.get("folder")
    contents = _contents(store, name, library)

    def opened(scan: Coarse) -> list[Copy | None]:
        if derived is None:
            return [None] * len(library.shelves)
        folder = store.folder / str(derived)
        stems = [None if each is None else _stem(folder, name, each, scan) for each in contents]
        return [
            _opened(stem, scan, shelf) if stem and copies.files(stem)[0].is_file() else None
            for stem, shelf in zip(stems, library.shelves, strict=True)
        ]

    return opened


def problem_of(store: Store, name: str, entry: ChannelEntry, folder: Path) -> str | None:
    """Say which copy of a channel is missing or does not fit the vectors; None if all do."""
    library, scan = Library(store.vectors(name)), kept_kind(backend_options(entry))
    if scan is None or library.size < SMALL:
        return None
    for shelf, content in zip(library.shelves, _contents(store, name, library), strict=True):
        if content is None:
            continue
        stem = _stem(folder, name, content, scan)
        try:
            copy = _opened(stem, scan, shelf)
        except IndexFormatError as error:
            return str(error)
        if scan != "bits" and not _fits(copy, shelf):
            return (
                f"{stem} is no copy of the vectors of channel {name!r}; delete {folder}, and build "
                "the index again"
            )
    return None


def _opened(stem: Path, scan: Coarse, shelf: Shelf) -> Copy:
    return copies.opened(stem, scan, *shelf.values.shape)


def _fits(copy: Copy, shelf: Shelf) -> bool:
    """Look whether some vectors are as near to their copies as is said."""
    some = np.unique(np.linspace(0, len(shelf.values) - 1, _SAMPLE).astype(np.int64))
    codes = copy.codes[some]
    if codes.dtype == np.uint16:
        codes = (codes.astype(np.uint32) << 16).view(np.float32)
    near = codes.astype(np.float64) * copy.scales[some, None]
    far = np.linalg.norm(near - shelf.values[some], axis=1)
    return bool((far <= copy.errors[some]).all())


def _contents(store: Store, name: str, library: Library) -> list[str | None]:
    """Name the content of each block: a segment, and a sum over its vectors.

    None where the manifest does not know the vectors, since a build goes on.
    """
    file = channel_folder(Path(), name).joinpath(VALUES).as_posix()
    names: list[str | None] = []
    for shelf in library.shelves:
        entry = store.entries[store.place_of(int(shelf.rows[0])).segment]
        known = entry.sums.get(file)
        names.append(None if known is None else f"{entry.name}-{known.sha256[:16]}")
    return names


def _stem(folder: Path, name: str, content: str, scan: Coarse) -> Path:
    return folder / f"{name}.{content}.{scan}"


def _link(path: Path, to: Path) -> None:
    try:
        os.link(path, to)
    except OSError:
        # Another file system, or one without links.
        shutil.copyfile(path, to)
