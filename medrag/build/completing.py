"""Vectors of a channel for a finished segment, slice by slice, without reading its files again."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from medrag.build.estimating import NOTHING, Effort
from medrag.build.known import KnownVectors, OldRows
from medrag.build.shard import Identity, ShardReader, identity_of
from medrag.images import resolved
from medrag.indexing import durable
from medrag.indexing.manifest import SegmentEntry, live_rows
from medrag.indexing.segment import file_sums, id_bytes, segment_folder, segment_of
from medrag.indexing.storage import Store
from medrag.indexing.vectors import BATCH, VALUES, channel_folder, join_vectors
from medrag.indexing.writing import IndexWriter, Key
from medrag.records import Passage

# Rows that are encoded as one task: a build that is cut short loses no more than those at work.
SLICE = 16 * BATCH


@dataclass(frozen=True, slots=True)
class VectorsTask:
    """The rows [first, stop) of a segment, whose live passages are to be encoded into a folder.

    `roots` are the folders of the corpora, which the paths of pictures are relative to; `old` tells
    where the index has the passages of a changed file.
    """

    channel: str
    segment: SegmentEntry
    first: int
    stop: int
    index: Path
    folder: Path
    roots: Mapping[str, Path] = field(hash=False)
    old: Mapping[Key, OldRows] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class VectorsResult:
    """A finished folder with the vectors of `n` passages, of `n_rows` live ones, and whose."""

    task: VectorsTask
    folder: Path
    n: int
    n_rows: int
    identity: Identity
    effort: Effort


def vectors_tasks(
    writer: IndexWriter, channel: str, segment: SegmentEntry, old: Mapping[Key, OldRows]
) -> list[VectorsTask]:
    """Name all that processes need to encode a segment; slices that it has already are left out."""
    store = Store(folder=writer.folder, manifest=writer.manifest)
    roots = {name: store.corpus_root(name) for name in sorted({f.corpus for f in segment.files})}
    return [
        VectorsTask(
            channel, segment, first, stop, writer.folder,
            writer.new_folder(f"{segment.serial}-{channel}-{first}"), roots, old,
        )
        for first, stop in _slices(segment)
        if f"{_slice_name(channel, segment, first, stop)}/{VALUES}" not in segment.sums
    ]  # fmt: skip


def rows_of(task: VectorsTask) -> NDArray[np.int64]:
    """List the live rows of a slice, ascending."""
    rows = live_rows(task.segment)
    return rows[(rows >= task.first) & (rows < task.stop)]


def encode_slice(reader: ShardReader, task: VectorsTask) -> VectorsResult:
    """Encode the live passages of a slice, but for those whose vectors are known.

    A passage whose picture is not where it was is left without vectors; its text is untouched.
    """
    encoder = reader.encoder(task.channel)
    vectors = reader.vectors_writer(task.channel, task.folder)
    known = {key: KnownVectors(old) for key, old in task.old.items()}
    rows = rows_of(task)
    try:
        for row, passage in segment_of(task.index, task.segment).passages(rows):
            if encoder.encodes(passage):
                there = resolved(passage, task.roots[passage.source.corpus])
                if _pictures_exist(there):
                    old = known.get((passage.source.corpus, passage.source.document))
                    held = old.of(task.channel, id_bytes(passage.id), passage) if old else None
                    vectors.add(row, there, held)
        n = vectors.n
        identity = identity_of(encoder, vectors.close())
    except BaseException:
        vectors.discard()
        raise
    effort = reader.efforts().get(task.channel, NOTHING)
    return VectorsResult(task, task.folder, n, len(rows), identity, effort)


def take_vectors(writer: IndexWriter, result: VectorsResult) -> None:
    """Move finished vectors into their segment, to count with the next commit.

    The last slice of several makes one of them all.
    """
    task, channel = result.task, result.task.channel
    # Not the entry of the task: more may have joined the segment meanwhile.
    segment = next(s for s in writer.manifest.segments if s.name == task.segment.name)
    name = _slice_name(channel, segment, task.first, task.stop)
    segment = _moved(writer, segment, result.folder, name)
    names = [_slice_name(channel, segment, *each) for each in _slices(segment)]
    if len(names) > 1 and all(f"{each}/{VALUES}" in segment.sums for each in names):
        root, joined = segment_folder(writer.folder, segment), writer.new_folder(f"{name}-joined")
        rows = np.arange(segment.n)
        join_vectors([(root / each, rows) for each in names], joined)
        kept = {n: s for n, s in segment.sums.items() if n.partition("/")[0] not in names}
        whole = channel_folder(Path(), channel).name
        segment = _moved(writer, replace(segment, sums=kept), joined, whole)
    writer.replace_segment(segment)


def _moved(writer: IndexWriter, segment: SegmentEntry, folder: Path, name: str) -> SegmentEntry:
    """Move a folder into a segment, and note its files."""
    durable.sync_tree(folder)
    sums = {f"{name}/{file}": each for file, each in file_sums(folder).items()}
    durable.move(folder, segment_folder(writer.folder, segment) / name)
    return replace(segment, sums={**segment.sums, **sums})


def _slices(segment: SegmentEntry) -> list[tuple[int, int]]:
    """Cut the rows of a segment; one without rows is one slice."""
    starts = range(0, max(segment.n, 1), SLICE)
    return [(first, min(first + SLICE, segment.n)) for first in starts]


def _slice_name(channel: str, segment: SegmentEntry, first: int, stop: int) -> str:
    """Name the folder of a slice; of the only one, that of the channel."""
    whole = channel_folder(Path(), channel).name
    return whole if (first, stop) == (0, segment.n) else f"{whole}.{first}-{stop}"


def _pictures_exist(passage: Passage) -> bool:
    return all(Path(image.path).is_file() for image in passage.images)
