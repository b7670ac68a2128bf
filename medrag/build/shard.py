"""One shard of files into one segment: read, hash pictures, encode. Runs in any process."""

import contextlib
import errno
import logging
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from medrag.build.estimating import NOTHING, Effort
from medrag.build.identify import PictureNames
from medrag.build.known import KnownVectors, OldRows
from medrag.build.pictures import pictures_beside, stamped
from medrag.build.plan import Planned, SourceFile
from medrag.errors import MedragError
from medrag.images import resolved
from medrag.indexing.manifest import Covered
from medrag.indexing.segment import Mark, SegmentWriter, id_bytes
from medrag.indexing.vectors import VectorsWriter, channel_folder
from medrag.ingestion.sources import file_sha256
from medrag.protocols import Encoder, Ingestor, SparseEncoder
from medrag.records import Passage, Skipped

_LOG = logging.getLogger(__name__)
# A full disk is not the fault of the file that was being read.
_NOT_OF_THE_FILE = frozenset({errno.ENOSPC, errno.EDQUOT})

# So many unreadable parts of a file are told one by one; all of them are counted, and kept in the
# segment.
LOST = 10

IngestorOf = Callable[[SourceFile], Ingestor]
EncoderOf = Callable[[], Encoder]


@dataclass(frozen=True, slots=True)
class ShardTask:
    """Files to read into a folder.

    Attributes:
        encoded: whether passages are encoded as they are read, or later, from their segment.
        old: where the index has the passages of a changed file.
    """

    files: tuple[Planned, ...]
    folder: Path
    encoded: bool = True
    old: Mapping[tuple[str, str], OldRows] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class Identity:
    """The encoder that made the vectors of a channel."""

    name: str
    normalised: bool
    d: int
    numerics: str


@dataclass(frozen=True, slots=True)
class ReadFile:
    """A file that entered the segment, or why nothing of it did.

    `lost` tells the first parts that could not be read, by place.
    """

    planned: Planned
    covered: Covered | None
    problem: str | None
    seconds: float
    lost: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ShardResult:
    """A finished folder of `n` passages; empty if every file failed."""

    folder: Path
    n: int
    files: tuple[ReadFile, ...]
    encoders: Mapping[str, Identity] = field(hash=False)
    efforts: Mapping[str, Effort] = field(default_factory=dict, hash=False)


class ShardReader:
    """Read shards with ingestors, and encoders that are made once, when first needed.

    `page_read` and `file_read` are called with every page and file as it comes, `encoded` with the
    channel of every batch and what it took.
    """

    def __init__(
        self,
        *,
        ingestor: IngestorOf,
        encoders: Mapping[str, EncoderOf],
        page_read: Callable[[], None] = lambda: None,
        file_read: Callable[[], None] = lambda: None,
        encoded: Callable[[str, Effort], None] = lambda *_: None,
    ) -> None:
        self.ingestor = ingestor
        self.factories = encoders
        self.page_read = page_read
        self.file_read = file_read
        self.encoded = encoded
        self._encoders: dict[str, Encoder] = {}
        self._warm: set[str] = set()
        self._efforts: dict[str, Effort] = {}

    def encoder(self, channel: str) -> Encoder:
        if channel not in self._encoders:
            self._encoders[channel] = self.factories[channel]()
        return self._encoders[channel]

    def read(self, task: ShardTask) -> ShardResult:
        """Write the passages of every file that can be read, and their vectors."""
        for name in self.factories if task.encoded else ():
            self.encoder(name)
        shard = _Shard(task, self)
        files = []
        with shard.discarded_on_error():
            for planned in task.files:
                files.append(self._read(shard, planned))
                self.file_read()
            encoders = shard.close()
        return ShardResult(task.folder, shard.segment.n, tuple(files), encoders, self.efforts())

    def vectors_writer(self, channel: str, folder: Path) -> VectorsWriter:
        """Begin the vectors of a channel in a new folder."""
        heard = partial(self._heard, channel)
        return VectorsWriter(folder=folder, encoder=self.encoder(channel), encoded=heard)

    def efforts(self) -> dict[str, Effort]:
        """Tell what was encoded since the last call, by channel."""
        efforts, self._efforts = self._efforts, {}
        return efforts

    def _heard(self, channel: str, passages: Sequence[Passage], seconds: float, size: int) -> None:
        n, characters = len(passages), sum(len(each.text) for each in passages)
        # The first batch loads the model, which says nothing about the pace of the others.
        timed = (n, seconds) if channel in self._warm else (0, 0.0)
        self._warm.add(channel)
        effort = Effort(n, characters, size, *timed)
        self._efforts[channel] = self._efforts.get(channel, NOTHING) + effort
        self.encoded(channel, effort)

    def _read(self, shard: "_Shard", planned: Planned) -> ReadFile:
        start = time.perf_counter()
        mark = shard.segment.mark()
        covered, problem = None, None
        tally = _Tally()
        try:
            covered = self._entered(shard, planned, tally)
        except _UnreadableError as error:
            shard.roll_back(mark)
            problem = str(error)
        seconds = time.perf_counter() - start
        return ReadFile(planned, covered, problem, seconds, tuple(tally.lost))

    def _entered(self, shard: "_Shard", planned: Planned, tally: "_Tally") -> Covered:
        """Write the passages of a file, and describe it."""
        path = planned.file.path
        first = shard.begin(planned)
        with _reading(planned):
            status = path.stat()
            sha256 = file_sha256(path)
        for each in self._passages(planned):
            for _ in range(tally.new_pages(each)):
                self.page_read()
            tally.count(each if isinstance(each, Skipped) else shard.add(planned, each))
            if isinstance(tally.last, Skipped):
                shard.segment.skip(tally.last)
        return Covered(
            *planned.key, planned.file.kind, planned.recipe,
            status.st_size, status.st_mtime_ns, sha256, first, shard.segment.n,
            len(tally.pages), dict(tally.kinds), dict(tally.skipped), tally.failed,
            stamped(tally.pictures, planned.file.corpus.root),
        )  # fmt: skip

    def _passages(self, planned: Planned) -> Iterator[Passage | Skipped]:
        """Read a file; whatever its ingestor raises makes the file unreadable."""
        names = PictureNames(planned.file.corpus.root)
        with _reading(planned):
            stream = iter(self.ingestor(planned.file).passages(planned.file.path))
        while True:
            with _reading(planned):
                each = next(stream, None)
            if each is None:
                return
            yield from names.named(each) if isinstance(each, Passage) else (each,)


def identity_of(encoder: Encoder | SparseEncoder, d: int) -> Identity:
    return Identity(encoder.name, encoder.normalised, d, str(getattr(encoder, "numerics", "")))


class _UnreadableError(Exception):
    """A file cannot be read; says why."""


@contextlib.contextmanager
def _reading(planned: Planned) -> Iterator[None]:
    try:
        yield
    except MedragError as error:
        raise _UnreadableError(str(error)) from error
    # An ingestor meets files that nobody foresaw; the other files must not suffer from one.
    except Exception as error:
        if isinstance(error, OSError) and error.errno in _NOT_OF_THE_FILE:
            raise
        path = planned.file.path
        _LOG.debug("%s", path, exc_info=True)
        if isinstance(error, OSError) and error.strerror:
            problem = f"cannot be read ({error.strerror}); was it moved or closed off meanwhile?"
        else:
            problem = f"{type(error).__name__}: {error}"
        raise _UnreadableError(f"{path}: {problem}") from error


class _Tally:
    """Count what a file gave."""

    def __init__(self) -> None:
        self.pages: set[int] = set()
        self.kinds: Counter[str] = Counter()
        self.skipped: Counter[str] = Counter()
        self.failed = 0
        self.lost: list[str] = []
        self.pictures: set[str] = set()
        self.last: Passage | Skipped | None = None

    def new_pages(self, each: Passage | Skipped) -> int:
        before = len(self.pages)
        self.pages.update(r.page for r in each.source.regions if r.page is not None)
        return len(self.pages) - before

    def count(self, each: Passage | Skipped) -> None:
        self.last = each
        if isinstance(each, Passage):
            self.kinds[each.kind] += 1
            self.pictures |= pictures_beside(each)
        else:
            self.skipped[each.reason] += each.count
            self.failed += each.count if each.failed else 0
            if each.failed and len(self.lost) < LOST:
                self.lost.append(_said(each))


def _said(skipped: Skipped) -> str:
    pages = [region.page for region in skipped.source.regions if region.page is not None]
    place = f"page {pages[0]}: " if pages else ""
    return f"{place}{skipped.detail}"


class _Shard:
    """The segment that is being written, with the vectors of its channels."""

    def __init__(self, task: ShardTask, reader: ShardReader) -> None:
        self.segment = SegmentWriter(task.folder)
        self._task = task
        self._channels = {
            name: reader.vectors_writer(name, channel_folder(task.folder, name))
            for name in (reader.factories if task.encoded else ())
        }
        self._seen: set[bytes] = set()
        self._old: KnownVectors | None = None

    def begin(self, planned: Planned) -> int:
        """Turn to the next file, and give the row that its passages begin at."""
        old = self._task.old.get(planned.key)
        self._old = KnownVectors(old) if old else None
        return self.segment.n

    def add(self, planned: Planned, passage: Passage) -> Passage | Skipped:
        """Write a passage; one that is in the segment already is skipped."""
        with _reading(planned):
            identifier = id_bytes(passage.id)
            if identifier in self._seen:
                return Skipped(passage.source, "duplicate", f"passage {passage.id} once more")
            row = self.segment.add(passage)
        self._seen.add(identifier)
        wanted = [name for name, each in self._channels.items() if each.encoder.encodes(passage)]
        if wanted:
            there = resolved(passage, planned.file.corpus.root)
            for name in wanted:
                known = self._old.of(name, identifier, passage) if self._old else None
                self._channels[name].add(row, there, known)
        return passage

    def roll_back(self, mark: Mark) -> None:
        """Forget everything since a mark."""
        self._seen.difference_update(self.segment.ids(mark.row))
        self.segment.roll_back(mark)
        for writer in self._channels.values():
            writer.truncate(mark.row)

    @contextlib.contextmanager
    def discarded_on_error(self) -> Iterator[None]:
        """Close the files of a shard that is given up, so that its folder can be deleted."""
        try:
            yield
        except BaseException:
            self.segment.discard()
            for writer in self._channels.values():
                writer.discard()
            raise

    def close(self) -> dict[str, Identity]:
        """Finish the folder; gives the encoder of each channel."""
        identities = {}
        for name, writer in self._channels.items():
            identities[name] = identity_of(writer.encoder, writer.close())
        self.segment.close()
        return identities
