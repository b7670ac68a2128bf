"""Build or update an index: decide what is new, read it in shards, make each count in order."""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medrag.build.channels import check_channels
from medrag.build.completing import (
    VectorsResult,
    encode_slice,
    rows_of,
    take_vectors,
    vectors_tasks,
)
from medrag.build.known import OldRows
from medrag.build.pictures import pictures_beside, stamped
from medrag.build.plan import ChannelPlan, Planned, SourceFile, is_large, planned, shards
from medrag.build.report import BuildReport, FileReport, Outcome
from medrag.build.shard import Identity, ReadFile, ShardReader, ShardResult, ShardTask
from medrag.build.telling import Telling
from medrag.codec import to_json
from medrag.errors import InputFileError
from medrag.indexing import durable
from medrag.indexing.backends import backend_of, searched_by
from medrag.indexing.dense import check_encoder
from medrag.indexing.maintenance import stored_root, summed
from medrag.indexing.manifest import (
    ChannelEntry,
    CorpusEntry,
    Covered,
    Failure,
    SegmentEntry,
)
from medrag.indexing.segment import segment_folder, segment_of
from medrag.indexing.storage import Store
from medrag.indexing.vectors import has_channel
from medrag.indexing.writing import IndexWriter, index_writer
from medrag.ingestion.sources import file_sha256
from medrag.protocols import Ingestor, Progress
from medrag.records import Corpus, Skipped

if TYPE_CHECKING:
    from medrag.build.pool import Crew, Engine

Key = tuple[str, str]


def build(
    folder: Path,
    files: Sequence[SourceFile] | None,
    *,
    ingestor: Callable[[SourceFile], Ingestor],
    channels: Mapping[str, ChannelPlan],
    workers: int = 1,
    engine: "Engine" = "local",
    progress: Progress | None = None,
    say: Callable[[str], None] | None = None,
    unknown: Sequence[Skipped] = (),
    prune: bool = False,
    key: str = "",
) -> BuildReport:
    """Bring an index up to date with source files, making it if there is none.

    A file that the index holds already (same size and time, or same sha256, and same options) is
    left alone; a changed one replaces its passages, of which those that stayed the same are not
    encoded again; one that fails keeps what the index holds of it, and is tried again next time.
    A channel that the index lacks is computed from its segments, slice by slice, and so are the
    vectors of a long text, which would else keep one worker busy alone. A build that was cut short
    goes on where it stopped.

    Args:
        files: None leaves those of the index as they are, where only channels are to change.
        ingestor: makes the ingestor of a file; with several workers it crosses to processes.
        channels: every dense or sparse channel of the index must be among them.
        workers: processes that read and encode; the index is the same for any number.
        engine: "local" for processes of this machine, "ray" for actors on a Ray cluster; the index
            is the same.
        say: takes a line about each channel whose vectors will take long.
        unknown: files that no ingestor knows, to be kept in the manifest.
        prune: remove the files that the index holds and `files` lacks; else only report them.
            Not without files.
        key: fingerprint of the key of pseudonyms; "" if nobody is named.

    Raises:
        IndexLockedError: if another process writes to the index.
        IndexFormatError: if the index is damaged, another encoder made one of its channels, or
            another key the pseudonyms in it.
        RecipeError: if the plan contradicts itself or the index.
        MissingExtraError: if Ray is asked for and not installed.
        MedragError: if a worker was killed for good, or a machine of the cluster lacks a folder.
        ValueError: if workers is below 1, there is no such engine, or files to prune by are None.
    """
    # Imported late: a process that only opens indexes needs no pool of processes.
    from medrag.build.pool import Crew

    crew = Crew(workers=workers, engine=engine)
    start = time.perf_counter()
    if files is None and prune:
        raise ValueError("prune needs the files that are to stay")
    plan = None if files is None else planned(files)
    with index_writer(folder) as writer:
        telling = Telling(progress=progress, say=say, workers=workers, here=crew.here)
        run = _Build(writer, plan, channels, ingestor, telling)
        run.check_key(key)
        run.prepare(unknown, prune)
        run.read(crew)
        run.complete(crew)
        writer.finish()
        return run.report(tuple(unknown), prune, time.perf_counter() - start)


class _Build:
    """One run of a build."""

    def __init__(
        self,
        writer: IndexWriter,
        plan: Sequence[Planned] | None,
        channels: Mapping[str, ChannelPlan],
        ingestor: Callable[[SourceFile], Ingestor],
        telling: Telling,
    ) -> None:
        self.writer = writer
        self.plan = plan or ()
        self.channels = channels
        self.telling = telling
        self.reader = ShardReader(
            ingestor=ingestor,
            encoders={n: c.encoder for n, c in channels.items() if c.encoder is not None},
            page_read=telling.page_read,
            file_read=telling.file_read,
            encoded=telling.encoded,
        )
        self.held = writer.covered()
        self.left = frozenset(self.held) if plan is None else frozenset[Key]()
        self.rows: dict[Key, FileReport] = {}
        self.missing: tuple[Key, ...] = ()
        self.encoded: dict[str, int] = {}
        self.stores: dict[str, str] = {}

    def check_key(self, key: str) -> None:
        """Refuse a second key, under which no patient of the index would be known again."""
        if key:
            Store(folder=self.writer.folder, manifest=self.writer.manifest).check_key(key)
            self.writer.manifest = replace(self.writer.manifest, key=key)

    def prepare(self, unknown: Sequence[Skipped], prune: bool) -> None:
        """Bring what the manifest says of channels, corpora and files up to date."""
        check_channels(self.writer.manifest.channels, self.channels, self.writer.folder)
        for name, plan in self.channels.items():
            self._set_channel(name, plan)
        corpora = {each.file.corpus.name: each.file.corpus for each in self.plan}
        entries = {name: _corpus_entry(self.writer.folder, c) for name, c in corpora.items()}
        names = {each.key for each in self.plan}
        self.writer.manifest = replace(
            self.writer.manifest,
            corpora={**self.writer.manifest.corpora, **entries},
            unknown=_merged(self.writer.manifest.unknown, unknown, names),
        )
        self.missing = tuple(sorted(self.held.keys() - names - self.left))
        if prune:
            self.writer.drop(set(self.missing))
        for each in self.plan:
            if (old := self._unchanged(each)) is not None:
                self.rows[each.key] = _row_of(old, "unchanged")

    def read(self, crew: "Crew") -> None:
        """Read what is new or changed, a segment per shard, each committed in its turn."""
        tasks = list(self._tasks())
        if not tasks:
            return
        files = [each.file for task in tasks for each in task.files]
        with self.telling.reading(files, list(self.reader.factories)):
            for result in crew.perform(ShardReader.read, tasks, self.reader):
                self.telling.shard_read(result)
                self._take(result)

    def complete(self, crew: "Crew") -> None:
        """Compute the vectors that segments lack, slice by slice, each committed in its turn."""
        tasks = [
            task
            for name in self.reader.factories
            for segment in self.writer.manifest.segments
            if not has_channel(segment, name)
            for task in vectors_tasks(self.writer, name, segment, self._replaced(segment))
        ]
        if not tasks:
            return
        passages: Counter[str] = Counter()
        for task in tasks:
            passages[task.channel] += len(rows_of(task))
        self.encoded = dict.fromkeys(passages, 0)
        with self.telling.completing(passages):
            for result in crew.perform(encode_slice, tasks, self.reader):
                self.telling.slice_encoded(result)
                self._take_vectors(result)

    def report(self, unknown: tuple[Skipped, ...], pruned: bool, seconds: float) -> BuildReport:
        """Sum up, in the order of the files."""
        files = tuple(self.rows[each.key] for each in self.plan)
        read = [each for each in files if each.outcome in ("added", "changed")]
        outcomes = Counter(each.outcome for each in files)
        return BuildReport(
            folder=self.writer.folder,
            files=files,
            added=outcomes["added"],
            changed=outcomes["changed"],
            unchanged=outcomes["unchanged"] + len(self.left),
            failed=tuple(each for each in files if each.outcome == "failed"),
            passages=summed(each.passages for each in read),
            pages=sum(each.pages for each in read),
            skipped=summed(each.skipped for each in read),
            unreadable=sum(each.unreadable for each in read),
            n_passages=self.writer.manifest.n_live,
            missing=self.missing,
            pruned=pruned,
            unknown=unknown,
            encoded=self.encoded,
            stores=self.stores,
            mended=self.writer.mended,
            seconds=seconds,
        )

    def _set_channel(self, name: str, plan: ChannelPlan) -> None:
        old = self.writer.manifest.channels.get(name)
        spec = to_json(dict(plan.spec))
        if old is None:
            self.writer.set_channel(name, ChannelEntry(spec))
        elif old.spec != spec:
            if plan.encoder is not None and old.encoder is not None:
                asked = self.reader.encoder(name).name
                check_encoder(old.encoder, asked, name, self.writer.folder)
            changed = replace(old, spec=spec)
            if searched_by(changed) != searched_by(old):
                self.stores[name] = searched_by(changed)
            # What another backend derived is nothing that this one could search meanwhile.
            moved = backend_of(changed) != backend_of(old)
            self.writer.set_channel(name, replace(changed, derived={}) if moved else changed)

    def _unchanged(self, each: Planned) -> Covered | None:
        """Give what the index holds of a file, if the file is still the same."""
        if each.key not in self.held:
            return None
        segment, old = self.held[each.key]
        if old.recipe != each.recipe or self._pictures_changed(segment, old, each):
            return None
        try:
            status = each.file.path.stat()
            if (status.st_size, status.st_mtime_ns) == (old.size, old.mtime_ns):
                return old
            if status.st_size != old.size or file_sha256(each.file.path) != old.sha256:
                return None
        except (OSError, InputFileError):
            return None
        # Only the time changed: remembered, so that the next build need not hash the file again.
        self.writer.touch(segment.name, replace(old, mtime_ns=status.st_mtime_ns))
        return old

    def _pictures_changed(self, segment: SegmentEntry, old: Covered, each: Planned) -> bool:
        """Tell whether a picture beside an unchanged table is not the one that was indexed."""
        if not old.pictures:
            return False
        known = segment_of(self.writer.folder, segment)
        shown: set[str] = set()
        for passage in known.passages_at(range(old.first, old.stop)):
            shown |= pictures_beside(passage)
        return stamped(shown, each.file.corpus.root) != old.pictures

    def _tasks(self) -> Iterator[ShardTask]:
        for number, shard in enumerate(shards(self.plan)):
            new = tuple(each for each in shard if each.key not in self.rows)
            if new:
                old = {e.key: self._old_rows(*self.held[e.key]) for e in new if e.key in self.held}
                encoded = not any(is_large(each.file) for each in new)
                yield ShardTask(new, self.writer.new_folder(str(number)), encoded, old)

    def _replaced(self, segment: SegmentEntry) -> dict[Key, OldRows]:
        """Tell where the index had the files of a segment before this build, if elsewhere."""
        before = {key: self.held[key] for f in segment.files if (key := f.key) in self.held}
        return {
            key: self._old_rows(*each)
            for key, each in before.items()
            if each[0].name != segment.name
        }

    def _old_rows(self, segment: SegmentEntry, file: Covered) -> OldRows:
        folder = segment_folder(self.writer.folder, segment)
        return OldRows(folder, segment.n, file.first, file.stop)

    def _take(self, result: ShardResult) -> None:
        """Make a finished shard count."""
        read = tuple(f.covered for f in result.files if f.covered is not None)
        if read:
            for name, identity in result.encoders.items():
                self._identify(name, identity)
            self.writer.adopt(result.folder, result.n, read)
        else:
            durable.remove(result.folder)
        failures = {(f.corpus, f.document): f for f in self.writer.manifest.failures}
        for each in result.files:
            self.rows[each.planned.key] = self._row(each)
            if each.problem is not None:
                kind = each.planned.file.kind
                failures[each.planned.key] = Failure(*each.planned.key, kind, each.problem)
        self.writer.manifest = replace(
            self.writer.manifest, failures=tuple(failures[key] for key in sorted(failures))
        )
        self.writer.commit()

    def _row(self, file: ReadFile) -> FileReport:
        if file.covered is None:
            kind = file.planned.file.kind
            return FileReport(
                *file.planned.key, kind, "failed", problem=file.problem, seconds=file.seconds
            )
        outcome: Outcome = "changed" if file.planned.key in self.held else "added"
        return replace(_row_of(file.covered, outcome), seconds=file.seconds, lost=file.lost)

    def _identify(self, name: str, identity: Identity) -> None:
        """Record the encoder of a channel, and refuse a second one."""
        entry = self.writer.manifest.channels[name]
        if entry.encoder is not None:
            check_encoder(entry.encoder, identity.name, name, self.writer.folder)
        self.writer.set_channel(
            name,
            replace(
                entry,
                encoder=identity.name,
                normalised=identity.normalised,
                d=identity.d,
                numerics=identity.numerics,
            ),
        )

    def _take_vectors(self, result: VectorsResult) -> None:
        """Make the vectors of a slice count."""
        self._identify(result.task.channel, result.identity)
        take_vectors(self.writer, result)
        self.encoded[result.task.channel] += result.n
        self.writer.commit()


def _row_of(file: Covered, outcome: Outcome) -> FileReport:
    return FileReport(
        *file.key,
        file.kind,
        outcome,
        passages=file.kinds,
        pages=file.pages,
        skipped=file.skipped,
        unreadable=file.failed,
    )


def _corpus_entry(folder: Path, corpus: Corpus) -> CorpusEntry:
    root = stored_root(folder, corpus.root)
    return CorpusEntry(corpus.name, root, corpus.domain, corpus.language, corpus.licence)


def _merged(
    held: Iterable[Mapping[str, Any]], found: Sequence[Skipped], known: set[Key]
) -> tuple[Mapping[str, Any], ...]:
    """Add files that no ingestor knows to those of earlier builds, less those that one knows."""
    files = {(each["corpus"], each["document"]): each for each in held}
    for each in found:
        key = (each.source.corpus, each.source.document)
        files[key] = dict(zip(("corpus", "document"), key, strict=True)) | {
            "reason": each.reason,
            "detail": each.detail,
        }
    return tuple(files[key] for key in sorted(files) if key not in known)
