"""Changing an index: new segments, removed rows, and a manifest that makes them count."""

import contextlib
import errno
import os
import re
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from medrag.errors import IndexFormatError, MedragError
from medrag.indexing import durable
from medrag.indexing.commands import reread
from medrag.indexing.deriving import DERIVED, Derived
from medrag.indexing.lock import NAME as LOCK
from medrag.indexing.lock import writing
from medrag.indexing.manifest import (
    NAME,
    ChannelEntry,
    Covered,
    Manifest,
    SegmentEntry,
    live_rows,
    n_live,
    read_manifest,
    with_tombstones,
    write_manifest,
)
from medrag.indexing.segment import (
    FOLDER,
    PASSAGES,
    SKIPPED,
    Segment,
    file_sums,
    line_of,
    segment_folder,
    segment_of,
    size_problem,
)
from medrag.records import Skipped

Key = tuple[str, str]

# What a writer itself puts into the folder of segments; nothing else there is ever deleted.
_SEGMENT = re.compile(r"\d{6,}-[0-9a-f]{12}|unfinished-.+")
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_CLOSED = frozenset({errno.EROFS, errno.EACCES, errno.EPERM})


@contextlib.contextmanager
def index_writer(folder: Path, *, without: Collection[str] = ()) -> "Iterator[IndexWriter]":
    """Hold the lock of an index, and its writer; what was not committed at the end is dropped.

    `without` names damaged segments to leave out.

    Raises:
        IndexLockedError: if another process writes to it.
        IndexFormatError: if the index is damaged, or the folder is none but holds other files.
        MedragError: if the disk is full, or the folder may not be written to.
    """
    check_folder(folder)
    with _disk_errors(folder), writing(folder):
        writer = IndexWriter(folder, without=without)
        try:
            yield writer
        finally:
            writer.close()
            # What was cut short goes at once: on a full disk it would stand in everyone's way.
            with contextlib.suppress(OSError):
                writer.sweep()


def check_folder(folder: Path) -> None:
    """Refuse to make an index among other files.

    Raises:
        IndexFormatError: if the folder is a file, or no index and not empty either. What a build
            that was cut short left behind does not count, nor do hidden files.
    """
    if not folder.is_dir():
        if folder.exists():
            raise IndexFormatError(f"{folder} is a file; name a folder for the index")
        return
    if (folder / NAME).exists():
        return
    foreign = sorted(_foreign(folder))
    if foreign:
        shown = ", ".join(foreign[:3]) + (", ..." if len(foreign) > 3 else "")
        raise IndexFormatError(
            f"{folder} is no index, but holds other files ({shown}); name a new or an empty folder"
        )


def _foreign(folder: Path) -> Iterator[str]:
    begun = (folder / LOCK).is_file()
    for path in folder.iterdir():
        if begun and path.name == FOLDER and path.is_dir():
            names = (each.name for each in path.iterdir())
            yield from (f"{FOLDER}/{name}" for name in names if not _SEGMENT.fullmatch(name))
        elif begun and path.name in (LOCK, DERIVED):
            continue
        elif not path.name.startswith((".", f"{NAME}.")):
            yield path.name


@contextlib.contextmanager
def _disk_errors(folder: Path) -> Iterator[None]:
    """Say what a disk that takes no more means for the index."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise MedragError(_full(folder)) from error
        if error.errno in _CLOSED and error.filename and _below(folder, str(error.filename)):
            raise MedragError(
                f"{folder} may not be written to ({error.filename}: {error.strerror}); copy the "
                "index to a folder of your own, or ask its owner"
            ) from error
        raise
    except ValueError as error:
        # Tantivy's words for the same.
        if "No space left on device" in str(error) or "StorageFull" in str(error):
            raise MedragError(_full(folder)) from error
        raise


def _full(folder: Path) -> str:
    return (
        f"no space is left on the disk of {folder}; the index stays at its last good state. Make "
        "room, then give the same command again: it goes on from there"
    )


def _below(folder: Path, name: str) -> bool:
    return Path(name).absolute().is_relative_to(folder.absolute())


class IndexWriter:
    """The one writer of an index, to be used while its lock is held.

    A change is made beside what exists, and `commit` makes it count: the postings first, then the
    manifest. Whatever moment the process dies, the manifest names only what is whole.

    Raises:
        IndexFormatError: if the index is damaged.
    """

    def __init__(self, folder: Path, *, without: Collection[str] = ()) -> None:
        self.folder = folder
        exists = (folder / NAME).exists()
        self._committed = read_manifest(folder) if exists else Manifest()
        whole = tuple(s for s in self._committed.segments if s.name not in without)
        self.manifest = replace(self._committed, segments=whole)
        for segment in whole:
            if problem := size_problem(segment_folder(folder, segment), segment.sums):
                raise IndexFormatError(
                    f"segment {segment.name} of {folder} is damaged ({problem}); restore the file "
                    f"from a copy, or: {reread(folder)}"
                )
        (folder / FOLDER).mkdir(parents=True, exist_ok=True)
        self._derived = Derived(folder)
        self._ids: set[bytes] | None = None
        self.sweep()

    def covered(self) -> dict[Key, tuple[SegmentEntry, Covered]]:
        """List the source files that the index holds, with the segment of each."""
        return {f.key: (s, f) for s in self.manifest.segments for f in s.files}

    def new_folder(self, name: str) -> Path:
        """Name a folder for a segment, or a channel of one, that is not finished yet."""
        return self.folder / FOLDER / f"unfinished-{os.getpid()}-{name}"

    def adopt(self, unfinished: Path, n: int, files: tuple[Covered, ...]) -> None:
        """Take a written folder as the next segment; its files replace those of equal names.

        A passage whose id another file of the index has already does not count.
        """
        self.drop({each.key for each in files})
        again = self._duplicates(unfinished, n)
        files = tuple(_less(unfinished, n, each, again) for each in files)
        entry = self._named(unfinished, n, files)
        entry = with_tombstones(entry, [(row, row + 1) for row in again])
        self._derived.add(self.manifest, entry)
        self.manifest = replace(self.manifest, segments=(*self.manifest.segments, entry))

    def exchange(
        self,
        unfinished: Path,
        n: int,
        files: tuple[Covered, ...],
        group: Sequence[SegmentEntry],
    ) -> None:
        """Take a written folder in the place of segments that hold the same passages.

        What is derived does not follow; `forget_derived` must.
        """
        names = [segment.name for segment in group]
        entry = self._named(unfinished, n, files)
        place = self.manifest.segments.index(group[0])
        kept = [s for s in self.manifest.segments if s.name not in names]
        kept.insert(place, entry)
        self.manifest = replace(self.manifest, segments=tuple(kept))

    def drop(self, keys: Collection[Key]) -> int:
        """Remove source files, and count the passages that go with them."""
        before = self.manifest.n_live
        segments = tuple(self._dropped(segment, keys) for segment in self.manifest.segments)
        failures = tuple(f for f in self.manifest.failures if (f.corpus, f.document) not in keys)
        self.manifest = replace(self.manifest, segments=segments, failures=failures)
        return before - self.manifest.n_live

    def touch(self, segment: str, file: Covered) -> None:
        """Note what changed about a file besides its content."""
        entry = next(each for each in self.manifest.segments if each.name == segment)
        files = tuple(file if each.key == file.key else each for each in entry.files)
        self.replace_segment(replace(entry, files=files))

    def replace_segment(self, changed: SegmentEntry) -> None:
        """Put a segment's entry in the place of that of the same name."""
        segments = (changed if s.name == changed.name else s for s in self.manifest.segments)
        self.manifest = replace(self.manifest, segments=tuple(segments))

    def set_channel(self, name: str, entry: ChannelEntry) -> None:
        channels = {**self.manifest.channels, name: entry}
        self.manifest = replace(self.manifest, channels=channels)

    def forget_derived(self) -> None:
        """Have `finish` make everything derived anew."""
        self.manifest = self._derived.forget(self.manifest)

    def commit(self) -> None:
        """Make every change so far count."""
        manifest = self._derived.commit(self.manifest)
        self.manifest = self._committed = write_manifest(self.folder, manifest)

    def finish(self) -> list[Path]:
        """Bring derived data up to date, commit what changed, and sweep up.

        Returns:
            What should have been deleted, but is held open by another process (Windows).
        """
        self.manifest = self._derived.refresh(self.manifest)
        if self._derived.pending or self.manifest != self._committed:
            self.commit()
        self.close()
        return self.sweep()

    @property
    def mended(self) -> tuple[str, ...]:
        """Name the channels whose derived data `finish` found missing or damaged, and made anew."""
        return tuple(self._derived.mended)

    def close(self) -> None:
        """Let go of what is open; what was not committed is dropped."""
        self._derived.close()

    def sweep(self) -> list[Path]:
        """Delete what no manifest names: segments cut short, postings of an earlier time.

        Returns:
            What another process holds open.
        """
        return self._derived.sweep(self._committed) + [
            path for path in self._unnamed() if not durable.remove(path)
        ]

    def _unnamed(self) -> Iterator[Path]:
        named = {segment.name: segment for segment in self._committed.segments}
        # What lies behind a link is not of this index, whoever made it.
        inside = not (self.folder / FOLDER).is_symlink()
        for path in list((self.folder / FOLDER).iterdir()) if inside else ():
            if path.name not in named:
                if _SEGMENT.fullmatch(path.name):
                    yield path
                continue
            if path.is_symlink() or not path.is_dir():
                continue
            known = {name.partition("/")[0] for name in named[path.name].sums}
            yield from (each for each in list(path.iterdir()) if each.name not in known)
        yield from list(self.folder.glob(f"{NAME}.*.tmp"))

    def _named(self, unfinished: Path, n: int, files: tuple[Covered, ...]) -> SegmentEntry:
        """Give a written folder the name of a segment."""
        durable.sync_tree(unfinished)
        sums = file_sums(unfinished)
        serial = self.manifest.next_serial
        name = f"{serial:06d}-{sums[PASSAGES].sha256[:12]}"
        durable.move(unfinished, self.folder / FOLDER / name)
        self.manifest = replace(self.manifest, next_serial=serial + 1)
        return SegmentEntry(name, serial, n, files, sums)

    def _dropped(self, segment: SegmentEntry, keys: Collection[Key]) -> SegmentEntry:
        gone = [each for each in segment.files if each.key in keys]
        if not gone:
            return segment
        ranges = [(each.first, each.stop) for each in gone if each.first < each.stop]
        files = tuple(each for each in segment.files if each.key not in keys)
        changed = with_tombstones(replace(segment, files=files), ranges)
        n = n_live(segment) - n_live(changed)
        if n:
            self._derived.remove(self.manifest, segment, ranges, n)
        if self._ids is not None:
            rows = set(live_rows(segment)) - set(live_rows(changed))
            ids = segment_of(self.folder, segment).ids
            self._ids.difference_update(ids[row].tobytes() for row in rows)
        return changed

    def _duplicates(self, unfinished: Path, n: int) -> list[int]:
        """List the rows of a written folder whose passages the index has already."""
        if self.manifest.n_live == 0:
            return []
        if self._ids is None:
            self._ids = set()
            for entry in self.manifest.segments:
                ids = segment_of(self.folder, entry).ids
                self._ids.update(ids[row].tobytes() for row in live_rows(entry))
        new = [each.tobytes() for each in Segment(folder=unfinished, n=n).ids]
        again = [row for row, each in enumerate(new) if each in self._ids]
        self._ids.update(new)
        return again


def _less(unfinished: Path, n: int, file: Covered, again: Sequence[int]) -> Covered:
    """Note the passages of a file that do not count, because the index has them already."""
    mine = [row for row in again if file.first <= row < file.stop]
    if not mine:
        return file
    passages = Segment(folder=unfinished, n=n).passages_at(mine)
    with (unfinished / SKIPPED).open("ab") as lines:
        for each in passages:
            detail = f"passage {each.id} is in the index already, from another file"
            lines.write(line_of(Skipped(each.source, "duplicate", detail)))
    kinds = Counter(file.kinds)
    kinds.subtract(each.kind for each in passages)
    skipped = Counter(file.skipped)
    skipped["duplicate"] += len(mine)
    return replace(file, kinds=dict(+kinds), skipped=dict(skipped))
