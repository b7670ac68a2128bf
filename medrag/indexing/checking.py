"""Whether an index is what its manifest says: every byte, every count."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import numpy as np

from medrag.errors import IndexFormatError, MedragError, is_panic
from medrag.indexing.backends import backend_module, backend_of, grouped
from medrag.indexing.manifest import (
    ChannelEntry,
    Manifest,
    SegmentEntry,
    live_rows,
    read_manifest,
)
from medrag.indexing.postings import broken_files, postings_from_json, stamp_of
from medrag.indexing.segment import PASSAGES, Segment, damaged_files, id_bytes, segment_folder
from medrag.indexing.storage import Store
from medrag.indexing.vectors import (
    VALUES,
    Floats,
    Vectors,
    blocks,
    channel_folder,
    has_channel,
)
from medrag.indexing.wholeness import backend_problem, graph_problem, postings_problem, written


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong, and where: the name of a segment, or of a channel."""

    place: str
    problem: str


def verify(folder: Path) -> list[Problem]:
    """Read a whole index and list what is not as its manifest says; empty if all is well.

    Raises:
        IndexFormatError: if there is no index, or its manifest itself is damaged.
    """
    manifest = read_manifest(folder)
    damaged = damaged_segments(folder, manifest)
    problems = [Problem(name, each) for name, found in damaged.items() for each in found]
    problems += [Problem(name, each) for name, each in _underived(folder, manifest)]
    return problems


def damaged_segments(folder: Path, manifest: Manifest) -> dict[str, list[str]]:
    """Read all segments, and say what is wrong with those that are not as they were written."""
    ids: dict[bytes, str] = {}
    found = {
        entry.name: _damage(segment_folder(folder, entry), entry, manifest, ids)
        for entry in manifest.segments
    }
    return {name: damage for name, damage in found.items() if damage}


def _damage(
    root: Path, entry: SegmentEntry, manifest: Manifest, ids: dict[bytes, str]
) -> list[str]:
    """List what is wrong with a segment; `ids` are those of the segments before it."""
    if broken := list(damaged_files(root, entry.sums)):
        return broken
    try:
        return [
            *_miscounts(root, entry),
            *_broken_terms(root, entry, manifest),
            *_duplicates(root, entry, ids),
        ]
    except IndexFormatError as error:
        return [str(error)]


def _miscounts(root: Path, entry: SegmentEntry) -> Iterator[str]:
    """Compare the counts of a segment whose files are whole."""
    segment = Segment(folder=root, n=entry.n)
    counts = {
        PASSAGES: sum(1 for _ in segment.lines()),
        "ids": len(segment.ids),
        "offsets": len(segment.offsets) - 1,
        "columns": len(segment.columns.codes("kind")),
    }
    yield from (
        f"{name} has {n} rows instead of {entry.n}" for name, n in counts.items() if n != entry.n
    )
    for each in entry.files:
        if not 0 <= each.first <= each.stop <= entry.n:
            yield f"{each.document} claims the rows {each.first} to {each.stop} of {entry.n}"
    if set(counts.values()) == {entry.n}:
        for row, line in segment.lines():
            if id_bytes(json.loads(line)["id"]) != segment.ids[row].tobytes():
                yield f"row {row} has another id in {PASSAGES} than in ids"
                break
    for name in sorted({n.partition("/")[0] for n in entry.sums if n.endswith(f"/{VALUES}")}):
        yield from (f"{name}: {each}" for each in _broken_vectors(root / name, entry.n))


def _broken_vectors(folder: Path, n: int) -> Iterator[str]:
    vectors = Vectors(folder=folder)
    if problem := vectors.misfit(n):
        yield problem
    if not all(np.isfinite(block).all() for block in blocks(vectors.values)):
        yield "a vector is not finite"


def _broken_terms(root: Path, entry: SegmentEntry, manifest: Manifest) -> Iterator[str]:
    """Look into sparse channels for rows that are no (term, weight) pair."""
    for name, channel in manifest.channels.items():
        if channel.kind != "sparse" or not has_channel(entry, name):
            continue
        values = Vectors(folder=channel_folder(root, name)).values
        d = channel.d or 0
        if values.shape[1:] != (2,) or not all(_are_terms(b[:, 0], d) for b in blocks(values)):
            yield f"{channel_folder(Path(), name)}: a term is not a whole number below {d}"


def _are_terms(numbers: Floats, d: int) -> bool:
    # Compared so that a number that is not finite is none.
    return bool(((numbers >= 0) & (numbers < d) & (numbers == np.trunc(numbers))).all())


def _duplicates(root: Path, entry: SegmentEntry, ids: dict[bytes, str]) -> Iterator[str]:
    segment = Segment(folder=root, n=entry.n)
    for row in live_rows(entry):
        identifier = segment.ids[row].tobytes()
        other = ids.setdefault(identifier, entry.name)
        if other != entry.name:
            yield f"passage {UUID(bytes=identifier)} stands in {other} as well"


def _underived(folder: Path, manifest: Manifest) -> Iterator[tuple[str, str]]:
    """Compare what was derived, and the vectors, with the segments."""
    for name, channel in manifest.channels.items():
        problem = None
        if channel.kind == "lexical" and backend_of(channel) is None:
            n = manifest.n_live
            problem = _broken_postings(folder, channel) or postings_problem(folder, channel, n)
        elif channel.kind == "graph":
            problem = graph_problem(folder, channel) or _broken_graph(folder, channel)
        elif channel.has_vectors:
            lacking = [s.name for s in manifest.segments if not has_channel(s, name)]
            problem = _unencoded(lacking) if lacking else None
        if problem:
            yield name, problem
    for kind, channels in grouped(manifest).items():
        if problem := _wrong_backend(folder, manifest, kind, channels):
            yield ", ".join(channels), problem


def _unencoded(segments: Sequence[str]) -> str:
    return f"no vectors in {', '.join(segments)}; the same build again encodes them"


def _broken_postings(folder: Path, channel: ChannelEntry) -> str | None:
    postings = postings_from_json(channel.derived)
    if postings is None or stamp_of(folder / postings.folder) is None:
        return None
    broken = next(broken_files(folder / postings.folder), None)
    return f"its postings are damaged ({broken})" if broken else None


def _broken_graph(folder: Path, channel: ChannelEntry) -> str | None:
    broken = next(damaged_files(folder / channel.derived["folder"], written(channel)), None)
    return f"its graph is damaged ({broken})" if broken else None


def _wrong_backend(
    folder: Path, manifest: Manifest, kind: str, channels: Mapping[str, ChannelEntry]
) -> str | None:
    one = next(iter(channels.values()))
    if problem := backend_problem(folder, kind, one):
        return problem
    if "folder" not in one.derived:
        return None
    derived = folder / one.derived["folder"]
    store = Store(folder=folder, manifest=manifest)
    try:
        found = backend_module(kind).problem(store=store, channels=channels, folder=derived)
    except IndexFormatError as error:
        return str(error)
    except MedragError:
        raise
    except BaseException as error:
        # Whatever a damaged file does to the library that reads it: it can be made anew.
        if not (isinstance(error, Exception) or is_panic(error)):
            raise
        return f"what {kind} keeps cannot be read ({type(error).__name__}: {error})"
    broken = found or next(damaged_files(derived, written(one)), None)
    return broken if found or broken is None else f"what {kind} keeps is damaged ({broken})"
