"""Vectors of a channel for a finished segment, without reading its files again."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from medrag.build.estimating import NOTHING, Effort
from medrag.build.shard import Identity, ShardReader, identity_of
from medrag.images import resolved
from medrag.indexing import durable
from medrag.indexing.manifest import SegmentEntry, live_rows
from medrag.indexing.segment import FOLDER, Segment, file_sums
from medrag.indexing.storage import Store
from medrag.indexing.vectors import channel_folder
from medrag.indexing.writing import IndexWriter
from medrag.records import Passage


@dataclass(frozen=True, slots=True)
class VectorsTask:
    """A segment of an index whose live passages are to be encoded into a folder.

    `roots` are the folders of the corpora, which the paths of pictures are relative to.
    """

    channel: str
    segment: SegmentEntry
    index: Path
    roots: Mapping[str, Path] = field(hash=False)
    folder: Path


@dataclass(frozen=True, slots=True)
class VectorsResult:
    """A finished folder with the vectors of `n` passages, and whose they are."""

    channel: str
    segment: SegmentEntry
    folder: Path
    n: int
    identity: Identity
    effort: Effort


def vectors_task(writer: IndexWriter, channel: str, segment: SegmentEntry) -> VectorsTask:
    """Name all that a process needs to encode a segment."""
    store = Store(folder=writer.folder, manifest=writer.manifest)
    roots = {name: store.corpus_root(name) for name in sorted({f.corpus for f in segment.files})}
    unfinished = writer.new_folder(f"{segment.serial}-{channel}")
    return VectorsTask(channel, segment, writer.folder, roots, unfinished)


def encode_segment(reader: ShardReader, task: VectorsTask) -> VectorsResult:
    """Encode the live passages of a segment.

    A passage whose picture is not where it was is left without vectors; its text is untouched.
    """
    encoder = reader.encoder(task.channel)
    vectors = reader.vectors_writer(task.channel, task.folder)
    held = Segment(folder=task.index / FOLDER / task.segment.name, n=task.segment.n)
    try:
        for row, passage in held.passages(live_rows(task.segment)):
            if encoder.encodes(passage):
                there = resolved(passage, task.roots[passage.source.corpus])
                if _pictures_exist(there):
                    vectors.add(row, there)
        n = vectors.n
        identity = identity_of(encoder, vectors.close())
    except BaseException:
        vectors.discard()
        raise
    effort = reader.efforts().get(task.channel, NOTHING)
    return VectorsResult(task.channel, task.segment, task.folder, n, identity, effort)


def take_vectors(writer: IndexWriter, result: VectorsResult) -> None:
    """Move finished vectors into their segment, to count with the next commit."""
    durable.sync_tree(result.folder)
    # Not the entry of the task: another channel may have joined the segment meanwhile.
    segment = next(s for s in writer.manifest.segments if s.name == result.segment.name)
    target = channel_folder(writer.folder / FOLDER / segment.name, result.channel)
    sums = {f"{target.name}/{name}": each for name, each in file_sums(result.folder).items()}
    durable.move(result.folder, target)
    writer.replace_segment(replace(segment, sums={**segment.sums, **sums}))


def _pictures_exist(passage: Passage) -> bool:
    return all(Path(image.path).is_file() for image in passage.images)
