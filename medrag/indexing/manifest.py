"""The manifest: what an index holds. What it does not name does not exist."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medrag.codec import to_json
from medrag.errors import IndexFormatError
from medrag.indexing.commands import command
from medrag.indexing.durable import write_atomically

FORMAT = 1
NAME = "manifest.json"
# Stores that cannot search without what was derived for them; for others it only saves time.
NEEDED = frozenset({"faiss", "qdrant"})

_HEAD = b'{"checksum": "'
_BODY = b'", "index":\n'
_TAIL = b"\n}\n"


@dataclass(frozen=True, slots=True)
class FileSum:
    """A file of a segment: bytes and sha256."""

    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Covered:
    """A source file and the rows [first, stop) of the segment that hold its passages.

    Attributes:
        recipe: hash of everything that shapes its passages (kind, options, corpus).
        pages: distinct pages that were read.
        kinds: passages by kind.
        skipped: left-out and unreadable parts by reason code.
        failed: how many of those could not be read.
        pictures: stamp of the other files whose pictures its passages show; empty if none.
    """

    corpus: str
    document: str
    kind: str
    recipe: str
    size: int
    mtime_ns: int
    sha256: str
    first: int
    stop: int
    pages: int = 0
    kinds: Mapping[str, int] = field(default_factory=dict, hash=False)
    skipped: Mapping[str, int] = field(default_factory=dict, hash=False)
    failed: int = 0
    pictures: str = ""

    @property
    def key(self) -> tuple[str, str]:
        return (self.corpus, self.document)


@dataclass(frozen=True, slots=True)
class SegmentEntry:
    """One segment: `tombstones` are the row ranges [first, stop) that were removed."""

    name: str
    serial: int
    n: int
    files: tuple[Covered, ...]
    sums: Mapping[str, FileSum] = field(hash=False)
    tombstones: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class ChannelEntry:
    """A channel and, if it is dense, the encoder whose vectors it holds.

    Attributes:
        spec: what the recipe says; "kind" is "lexical", "graph", "dense" or "sparse".
        encoder: name of the encoder: weights, revision, preprocessing, pooling, prompts.
        numerics: data type, device and the like; recorded, never compared.
        derived: what its derived data holds, in words of the channel.
    """

    spec: Mapping[str, Any] = field(hash=False)
    encoder: str | None = None
    normalised: bool = True
    d: int | None = None
    numerics: str = ""
    derived: Mapping[str, Any] = field(default_factory=dict, hash=False)

    @property
    def kind(self) -> str:
        return str(self.spec["kind"])

    @property
    def has_vectors(self) -> bool:
        """Tell whether an encoder fills the channel."""
        return self.kind in ("dense", "sparse")

    @property
    def is_underived(self) -> bool:
        """Tell whether the channel's store needs what was not derived from the segments yet."""
        needed = not self.has_vectors or self.store.get("kind") in NEEDED
        return needed and "folder" not in self.derived

    @property
    def store(self) -> Mapping[str, Any]:
        """Where its vectors or terms are searched, with "kind" and options."""
        store = self.spec.get("store", "exact")
        return store if isinstance(store, Mapping) else {"kind": store}

    @property
    def late_interaction(self) -> bool:
        """Tell whether scores are sums over the vectors of a question (MaxSim)."""
        return self.spec.get("interaction") == "sum"


@dataclass(frozen=True, slots=True)
class CorpusEntry:
    """A corpus; `root` is relative to the index folder where that is possible."""

    name: str
    root: str
    domain: str | None = None
    language: str = "en"
    licence: str | None = None


@dataclass(frozen=True, slots=True)
class Failure:
    """A source file that could not be read, to be tried again by the next build."""

    corpus: str
    document: str
    kind: str
    problem: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """What an index holds.

    Attributes:
        generation: grows with every change of the manifest.
        key: fingerprint of the key of its pseudonyms; "" if that was not recorded.
    """

    format: int = FORMAT
    generation: int = 0
    next_serial: int = 1
    segments: tuple[SegmentEntry, ...] = ()
    channels: Mapping[str, ChannelEntry] = field(default_factory=dict, hash=False)
    corpora: Mapping[str, CorpusEntry] = field(default_factory=dict, hash=False)
    failures: tuple[Failure, ...] = ()
    unknown: tuple[Mapping[str, Any], ...] = field(default=(), hash=False)
    key: str = ""

    @property
    def n_live(self) -> int:
        """Passages that were not removed."""
        return sum(n_live(segment) for segment in self.segments)


def live_rows(segment: SegmentEntry) -> NDArray[np.int64]:
    """List the rows of a segment that were not removed, ascending."""
    live = np.ones(segment.n, dtype=np.bool_)
    for first, stop in segment.tombstones:
        live[first:stop] = False
    return np.flatnonzero(live)


def n_live(segment: SegmentEntry) -> int:
    return segment.n - sum(stop - first for first, stop in segment.tombstones)


def read_manifest(folder: Path) -> Manifest:
    """Read and check the manifest of an index.

    Raises:
        IndexFormatError: if there is none, it is damaged, or of a later format.
    """
    path = folder / NAME
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise IndexFormatError(
            f"{folder} is not an index: it has no {NAME}; build one: "
            f"{command('build', folder, '--from', 'PATH')}"
        ) from None
    except (IsADirectoryError, NotADirectoryError) as error:
        raise IndexFormatError(
            f"{path} is no file ({error.strerror}); restore it from a copy, or delete the folder "
            "and build the index anew"
        ) from error
    value = _checked(path, content)
    if value.get("format") != FORMAT:
        raise IndexFormatError(
            f"{path} has format {value.get('format')!r}, but this medrag reads {FORMAT}; install "
            "the medrag that wrote it, or build the index anew in another folder"
        )
    try:
        manifest = _manifest_from_json(value)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise IndexFormatError(
            f"{path} is not a manifest of format {FORMAT} ({type(error).__name__}: {error}); "
            "install the medrag that wrote it, or build the index anew in another folder"
        ) from error
    _check_names(path, manifest)
    return manifest


def write_manifest(folder: Path, manifest: Manifest) -> Manifest:
    """Write a manifest as the next generation, and return that."""
    manifest = replace(manifest, generation=manifest.generation + 1)
    value = {each.name: getattr(manifest, each.name) for each in fields(manifest)}
    text = json.dumps(to_json(value), ensure_ascii=False, separators=(",", ":"))
    # A folder's name need not be UTF-8: Python keeps its bytes as lone surrogates.
    body = text.encode(errors="surrogatepass")
    checksum = hashlib.sha256(body).hexdigest().encode()
    write_atomically(folder / NAME, _HEAD + checksum + _BODY + body + _TAIL)
    return manifest


def with_tombstones(segment: SegmentEntry, ranges: list[tuple[int, int]]) -> SegmentEntry:
    """Add removed row ranges to a segment, joined and in order; empty ranges are dropped."""
    joined: list[tuple[int, int]] = []
    for first, stop in sorted(range_ for range_ in (*segment.tombstones, *ranges)):
        if first >= stop:
            continue
        if joined and first <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], stop))
        else:
            joined.append((first, stop))
    return replace(segment, tombstones=tuple(joined))


def _checked(path: Path, content: bytes) -> Any:
    """Compare the checksum in the first line with the body below it, and decode the body."""
    head, _, rest = content.partition(_BODY)
    body = rest.removesuffix(_TAIL)
    if (
        not head.startswith(_HEAD)
        or body == rest
        or hashlib.sha256(body).hexdigest().encode() != head.removeprefix(_HEAD)
    ):
        raise IndexFormatError(
            f"{path} is damaged: its content does not match its own checksum; restore it from a "
            "copy, or delete the folder and build the index anew"
        )
    return json.loads(body)


def _manifest_from_json(value: Mapping[str, Any]) -> Manifest:
    return Manifest(
        format=value["format"],
        generation=value["generation"],
        next_serial=value["next_serial"],
        segments=tuple(_segment_from_json(segment) for segment in value["segments"]),
        channels={name: ChannelEntry(**entry) for name, entry in value["channels"].items()},
        corpora={name: CorpusEntry(**entry) for name, entry in value["corpora"].items()},
        failures=tuple(Failure(**failure) for failure in value["failures"]),
        unknown=tuple(value["unknown"]),
        key=str(value.get("key", "")),
    )


def _check_names(path: Path, manifest: Manifest) -> None:
    """Refuse names that lead out of the index: it may come from a stranger."""
    derived = (entry.derived.get("folder", "") for entry in manifest.channels.values())
    files = (name for segment in manifest.segments for name in segment.sums)
    for name in (*(segment.name for segment in manifest.segments), *files, *map(str, derived)):
        parts = name.replace("\\", "/").split("/")
        if ".." in parts or name.startswith(("/", "\\")) or ":" in parts[0]:
            raise IndexFormatError(
                f"{path} names {name!r}, which lies outside the index; do not use this index"
            )


def _segment_from_json(value: Mapping[str, Any]) -> SegmentEntry:
    return SegmentEntry(
        name=value["name"],
        serial=value["serial"],
        n=value["n"],
        files=tuple(Covered(**entry) for entry in value["files"]),
        sums={name: FileSum(**entry) for name, entry in value["sums"].items()},
        tombstones=tuple((first, stop) for first, stop in value.get("tombstones", ())),
    )
