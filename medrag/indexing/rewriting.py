"""Segments written again without what was removed, several small ones joined into one."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from medrag.indexing.manifest import Covered, SegmentEntry, live_rows
from medrag.indexing.segment import SegmentWriter, segment_folder, segment_of
from medrag.indexing.vectors import VALUES, join_vectors
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
        old = segment_of(writer.folder, entry)
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
        olds = [segment_folder(writer.folder, entry) / channel for entry in group]
        join_vectors(list(zip(olds, moved, strict=True)), unfinished / channel)
    writer.exchange(unfinished, segment.n, tuple(files), group)


def _common_channels(group: Sequence[SegmentEntry]) -> list[str]:
    """List the channel folders that every segment of a group has; others are computed anew."""
    held = [
        {name.partition("/")[0] for name in entry.sums if name.endswith(f"/{VALUES}")}
        for entry in group
    ]
    # A dot is in the names of slices only.
    return sorted(each for each in set.intersection(*held) if "." not in each)
