"""Whether an index is what its manifest says: every byte, every count."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import numpy as np

from medrag.errors import IndexFormatError, MedragError, is_panic
from medrag.indexing.backends import NEEDED, backend_module, backend_of, grouped
from medrag.indexing.graph import GraphChannel
from medrag.indexing.manifest import (
    ChannelEntry,
    Manifest,
    SegmentEntry,
    live_rows,
    n_live,
    read_manifest,
)
from medrag.indexing.postings import opened_postings, postings_from_json, stamp_of
from medrag.indexing.segment import FOLDER, PASSAGES, Segment, file_sums, id_bytes
from medrag.indexing.storage import Store
from medrag.indexing.vectors import VALUES, Floats, Vectors, channel_folder, has_channel


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
    problems = []
    ids: dict[bytes, str] = {}
    for entry in manifest.segments:
        root = folder / FOLDER / entry.name
        damage = list(_damaged_files(root, entry))
        if not damage:
            damage = [
                *_miscounts(root, entry),
                *_broken_terms(root, entry, manifest),
                *_duplicates(root, entry, ids),
            ]
        problems += [Problem(entry.name, each) for each in damage]
    problems += [Problem(name, each) for name, each in _underived(folder, manifest)]
    return problems


def damaged_segments(folder: Path, manifest: Manifest) -> list[str]:
    """Name the segments of which a file is missing or has other bytes."""
    return [
        entry.name
        for entry in manifest.segments
        if any(True for _ in _damaged_files(folder / FOLDER / entry.name, entry))
    ]


def _damaged_files(root: Path, entry: SegmentEntry) -> Iterator[str]:
    found = file_sums(root) if root.is_dir() else {}
    for name, known in entry.sums.items():
        if name not in found:
            yield f"{name} is missing"
        elif found[name].size != known.size:
            yield f"{name} has {found[name].size} bytes instead of {known.size}"
        elif found[name].sha256 != known.sha256:
            yield f"{name} has other bytes than were written (its sha256 differs)"


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
    if len(vectors.rows) != len(vectors.lengths):
        yield f"{len(vectors.rows)} rows and {len(vectors.lengths)} lengths"
    elif vectors.starts[-1] != len(vectors.values):
        yield f"{len(vectors.values)} vectors instead of {vectors.starts[-1]}"
    if len(vectors.rows) and (np.diff(vectors.rows).min(initial=1) < 1 or vectors.rows[-1] >= n):
        yield "rows do not ascend within the segment"
    if not all(np.isfinite(block).all() for block in _blocks(vectors.values)):
        yield "a vector is not finite"


def _broken_terms(root: Path, entry: SegmentEntry, manifest: Manifest) -> Iterator[str]:
    """Look into sparse channels for rows that are no (term, weight) pair."""
    for name, channel in manifest.channels.items():
        if channel.kind != "sparse" or not has_channel(entry, name):
            continue
        values = Vectors(folder=channel_folder(root, name)).values
        d = channel.d or 0
        if values.shape[1:] != (2,) or not all(_are_terms(b[:, 0], d) for b in _blocks(values)):
            yield f"{channel_folder(Path(), name)}: a term is not a whole number below {d}"


def _are_terms(numbers: Floats, d: int) -> bool:
    # Compared so that a number that is not finite is none.
    return bool(((numbers >= 0) & (numbers < d) & (numbers == np.trunc(numbers))).all())


def _blocks(values: Floats) -> Iterator[Floats]:
    for start in range(0, len(values), 1 << 16):
        yield values[start : start + (1 << 16)]


def _duplicates(root: Path, entry: SegmentEntry, ids: dict[bytes, str]) -> Iterator[str]:
    segment = Segment(folder=root, n=entry.n)
    for row in live_rows(entry):
        identifier = segment.ids[row].tobytes()
        other = ids.setdefault(identifier, entry.name)
        if other != entry.name:
            yield f"passage {UUID(bytes=identifier)} stands in {other} as well"


def _underived(folder: Path, manifest: Manifest) -> Iterator[tuple[str, str]]:
    """Compare what was derived, and the vectors, with the segments."""
    live = sum(n_live(segment) for segment in manifest.segments)
    for name, channel in manifest.channels.items():
        problem = None
        if channel.kind == "lexical" and backend_of(channel) is None:
            problem = _wrong_postings(folder, channel.derived, live)
        elif channel.kind == "graph":
            problem = _wrong_graph(folder, channel.derived.get("folder"))
        elif channel.has_vectors:
            lacking = [s.name for s in manifest.segments if not has_channel(s, name)]
            problem = f"no vectors in {', '.join(lacking)}" if lacking else None
        if problem:
            yield name, problem
    for kind, channels in grouped(manifest).items():
        problem = _wrong_backend(folder, manifest, kind, channels)
        if problem:
            yield ", ".join(channels), problem


def _wrong_backend(
    folder: Path, manifest: Manifest, kind: str, channels: Mapping[str, ChannelEntry]
) -> str | None:
    derived = next(iter(channels.values())).derived.get("folder")
    if derived is None or not (folder / derived).is_dir():
        missing = derived is not None or kind in NEEDED
        return (
            f"what {kind} searches is missing; the same build again makes it" if missing else None
        )
    store = Store(folder=folder, manifest=manifest)
    try:
        return backend_module(kind).problem(store=store, channels=channels, folder=folder / derived)
    except MedragError:
        raise
    except BaseException as error:
        # Whatever a damaged file does to the library that reads it: it can be made anew.
        if not (isinstance(error, Exception) or is_panic(error)):
            raise
        return f"what {kind} keeps cannot be read ({type(error).__name__}: {error})"


def _wrong_graph(folder: Path, derived: str | None) -> str | None:
    if derived is None or not (folder / derived).is_dir():
        return "its graph is missing; the same build again makes it"
    try:
        GraphChannel(folder=folder / derived, mask=lambda _: np.empty(0, dtype=np.bool_))
    except IndexFormatError as error:
        return f"its graph is damaged ({error})"
    return None


def _wrong_postings(folder: Path, derived: object, live: int) -> str | None:
    postings = postings_from_json(derived) if isinstance(derived, dict) else None
    if postings is None or stamp_of(folder / postings.folder) is None:
        return "its postings are missing; the same build again makes them"
    if stamp_of(folder / postings.folder) != postings.stamp:
        return "its postings are of a build that was cut short; the same build again mends them"
    try:
        n = opened_postings(folder / postings.folder)[1].num_docs
    except ValueError as error:
        return f"its postings are damaged ({error})"
    return None if n == live else f"its postings hold {n} passages instead of {live}"
