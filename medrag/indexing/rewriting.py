"""Segments written again without what was removed, several small ones joined into one."""

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from medrag.indexing.arrays import ArrayFile
from medrag.indexing.manifest import Covered, SegmentEntry, live_rows
from medrag.indexing.segment import FOLDER, Segment, SegmentWriter
from medrag.indexing.vectors import LENGTHS, ROWS, VALUES, Vectors
from medrag.indexing.writing import IndexWriter

# Small segments are joined up to about this size: fewer files to open, yet nothing huge to rewrite.
_BYTES = 256 << 20


def groups(segments: Sequence[SegmentEntry]) -> Iterator[list[SegmentEntry]]:
    """Put neighbours together that are worth rewriting: small ones, and those with removed rows."""
    group: list[SegmentEntry] = []
    size = 0
    for segment in segments:
        weight = sum(each.size for each in segment.sums.values())
        if group and size + weight > _BYTES:
            yield group
            group, size = [], 0
        group.append(segment)
        size += weight
    if group:
        yield group


def rewrite(writer: IndexWriter, group: Sequence[SegmentEntry]) -> None:
    """Put one new segment, of what is live in a group, in the place of the group."""
    unfinished = writer.new_folder(f"rewritten-{group[0].serial}")
    segment = SegmentWriter(unfinished)
    moved: list[NDArray[np.int64]] = []
    files: list[Covered] = []
    for entry in group:
        old = Segment(folder=writer.folder / FOLDER / entry.name, n=entry.n)
        rows = live_rows(entry)
        # Where each row of the old segment stands in the new one; a removed row stands nowhere.
        places = np.full(entry.n, -1, dtype=np.int64)
        places[rows] = segment.n + np.arange(len(rows))
        starts = segment.n + np.concatenate(([0], np.cumsum(places >= 0)))
        for _, line in old.lines(rows):
            segment.add_line(line)
        known = {each.key for each in entry.files}
        for line, skipped in old.skipped_lines():
            if (skipped.source.corpus, skipped.source.document) in known:
                segment.skip_line(line)
        files += [
            replace(each, first=int(starts[each.first]), stop=int(starts[each.stop]))
            for each in entry.files
        ]
        moved.append(places)
    segment.close()
    for channel in _common_channels(group):
        olds = [writer.folder / FOLDER / entry.name for entry in group]
        _join(channel, olds, moved, unfinished)
    writer.exchange(unfinished, segment.n, tuple(files), group)


def _common_channels(group: Sequence[SegmentEntry]) -> list[str]:
    """List the channel folders that every segment of a group has; others are computed anew."""
    held = [
        {name.partition("/")[0] for name in entry.sums if name.endswith(f"/{VALUES}")}
        for entry in group
    ]
    return sorted(set.intersection(*held))


def _join(
    channel: str, olds: Sequence[Path], moved: Sequence[NDArray[np.int64]], folder: Path
) -> None:
    """Copy the vectors of the rows that stay."""
    target = folder / channel
    target.mkdir()
    rows, lengths = array("i"), array("i")
    values: ArrayFile | None = None
    for old, places in zip(olds, moved, strict=True):
        vectors = Vectors(folder=old / channel)
        if values is None:
            values = ArrayFile(target / VALUES, dtype="<f4", row=vectors.values.shape[1:])
        for place, row in enumerate(vectors.rows):
            if places[row] >= 0:
                rows.append(int(places[row]))
                lengths.append(int(vectors.lengths[place]))
                values.append(vectors.values[vectors.starts[place] : vectors.starts[place + 1]])
    if values is not None:
        values.close()
    np.save(target / ROWS, np.array(rows, dtype=np.int32))
    np.save(target / LENGTHS, np.array(lengths, dtype=np.int32))
