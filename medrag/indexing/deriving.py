"""What is derived from the segments, kept in step: postings, graphs, and what backends keep."""

import hashlib
import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from medrag.indexing import durable
from medrag.indexing.backends import DERIVING, backend_module, backend_of, grouped, options_stamp
from medrag.indexing.graph import FORMAT, compile_graph
from medrag.indexing.manifest import ChannelEntry, Manifest, SegmentEntry, live_rows
from medrag.indexing.postings import (
    Postings,
    PostingsWriter,
    as_json,
    outdated,
    postings_from_json,
    stamp_of,
)
from medrag.indexing.segment import segment_of
from medrag.indexing.storage import Store
from medrag.indexing.vectors import channel_folder
from medrag.indexing.wholeness import (
    backend_problem,
    derived_sums,
    graph_problem,
    postings_problem,
    written,
)
from medrag.records import Filter

DERIVED = "derived"

_GRAPHED = frozenset({"term", "fact"})
_NUMBERED = re.compile(r".+-\d{6,}")


class Derived:
    """The derived data of one index, for its writer.

    Every method is given the manifest as it is before the change, and what it returns is to be the
    next one. Nothing that a manifest on disk names is changed before `commit`, but for postings:
    those are committed shortly before it, and told by their stamp when the manifest never came.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        # Channels of which something had been derived that was found missing or damaged.
        self.mended: list[str] = []
        self._open: dict[str, _Postings] = {}

    def add(self, manifest: Manifest, segment: SegmentEntry) -> None:
        """Take in the live passages of a new segment."""
        languages = self._languages(segment)
        for name in _posted(manifest):
            held = self._ready(manifest, name, languages)
            held.add(segment, self._live_lines(segment))

    def remove(
        self, manifest: Manifest, segment: SegmentEntry, ranges: list[tuple[int, int]], n: int
    ) -> None:
        """Take out rows of a segment, of which `n` were live."""
        for name in _posted(manifest):
            self._ready(manifest, name).remove(segment, ranges, n)

    @property
    def pending(self) -> bool:
        """Tell whether postings changed since they were committed."""
        return any(held.changed for held in self._open.values())

    def commit(self, manifest: Manifest) -> Manifest:
        """Make the changes of postings last."""
        for name, held in self._open.items():
            if held.changed:
                held.commit()
            manifest = _with_derived(manifest, name, as_json(held.state))
        return manifest

    def refresh(self, manifest: Manifest) -> Manifest:
        """Make anew what is missing, damaged or stale; of files, only the sizes are looked at.

        Postings are stale if too many removed passages count in them, a graph, and what a backend
        of vectors keeps, if any passage came or went since it was made.
        """
        for name in _posted(manifest):
            entry = manifest.channels[name]
            lost = name not in self._open and postings_problem(self.folder, entry, manifest.n_live)
            if lost:
                self._mend(entry, [name])
            state = self._state(manifest, name)
            if lost or state is None or outdated(state):
                self._remake(manifest, name)
        for name in _named(manifest, "graph"):
            manifest = self._graph(manifest, name)
        for kind in grouped(manifest):
            manifest = self._backend(manifest, kind)
        return manifest

    def forget(self, manifest: Manifest) -> Manifest:
        """Let nothing derived count any more, so that `refresh` makes all of it anew."""
        self.close()
        for name in manifest.channels:
            manifest = _with_derived(manifest, name, {})
        return manifest

    def close(self) -> None:
        """Let go of the postings; what was not committed is dropped."""
        for held in self._open.values():
            held.writer.close()
        self._open.clear()

    def sweep(self, manifest: Manifest) -> list[Path]:
        """Delete what the manifest does not name; give what another process holds open."""
        kept = {entry.derived.get("folder") for entry in manifest.channels.values()}
        folder = self.folder / DERIVED
        unnamed = [
            path
            for path in (folder.iterdir() if folder.is_dir() and not folder.is_symlink() else ())
            if _NUMBERED.fullmatch(path.name) and f"{DERIVED}/{path.name}" not in kept
        ]
        return [path for path in unnamed if not durable.remove(path)]

    def _state(self, manifest: Manifest, name: str) -> Postings | None:
        """Give what the manifest says of postings, if it is true of what lies on the disk."""
        if name in self._open:
            return self._open[name].state
        state = postings_from_json(manifest.channels[name].derived)
        if state is None or stamp_of(self.folder / state.folder) != state.stamp:
            return None
        return state

    def _ready(self, manifest: Manifest, name: str, languages: Collection[str] = ()) -> "_Postings":
        """Open postings for writing; made anew if they lack a language or are not the manifest's.

        Postings that differ from what the manifest says are those of a writer that died.
        """
        state = self._state(manifest, name)
        if state is None or not set(languages) <= set(state.languages):
            return self._remake(manifest, name, languages)
        if name not in self._open:
            try:
                writer = PostingsWriter(self.folder / state.folder, state.languages)
            except ValueError:  # Tantivy cannot read its files
                return self._remake(manifest, name, languages)
            self._open[name] = _Postings(writer, state)
        return self._open[name]

    def _remake(
        self, manifest: Manifest, name: str, languages: Collection[str] = ()
    ) -> "_Postings":
        """Make the postings of a channel from the segments, in a new folder."""
        if name in self._open:
            self._open.pop(name).writer.close()
        wanted = {language for s in manifest.segments for language in self._languages(s)}
        folder = self._new_folder(manifest, name)
        writer = PostingsWriter(self.folder / folder, wanted | set(languages))
        held = _Postings(writer, Postings(folder, 0, 0, 0, writer.languages))
        for segment in manifest.segments:
            held.add(segment, self._live_lines(segment))
        self._open[name] = held
        return held

    def _graph(self, manifest: Manifest, name: str) -> Manifest:
        """Compile the graph of terms and facts, if passages came or went since it was."""
        entry = manifest.channels[name]
        rows = [[segment.name, segment.tombstones] for segment in manifest.segments]
        content = hashlib.sha256(json.dumps([FORMAT, rows]).encode()).hexdigest()
        if entry.derived.get("content") == content:
            if graph_problem(self.folder, entry) is None:
                return manifest
            self._mend(entry, [name])
        folder = self._new_folder(manifest, name)
        store = Store(folder=self.folder, manifest=manifest)
        compile_graph(store.passages_where(Filter(kinds=_GRAPHED)), self.folder / folder)
        durable.sync_tree(self.folder / folder)
        files = derived_sums(self.folder / folder, None, {})
        derived = {"folder": folder, "content": content, "files": files}
        return _with_derived(manifest, name, derived)

    def _backend(self, manifest: Manifest, kind: str) -> Manifest:
        """Make what a backend keeps for its channels, if vectors came or went since."""
        channels = grouped(manifest)[kind]
        stamps = {"content": _content(manifest, channels), "options": options_stamp(channels)}
        held = next(iter(channels.values()))
        problem = backend_problem(self.folder, kind, held)
        if all(stamps.items() <= each.derived.items() for each in channels.values()):
            if problem is None:
                return manifest
            self._mend(held, channels)
        same = "folder" in held.derived and held.derived.get("options") == stamps["options"]
        usable = self.folder / held.derived["folder"] if same and problem is None else None
        folder = self._new_folder(manifest, kind)
        (self.folder / folder).mkdir(parents=True)
        store = Store(folder=self.folder, manifest=manifest)
        derived: dict[str, object] = dict(stamps)
        if backend_module(kind).derive(
            store=store, channels=channels, folder=self.folder / folder, previous=usable
        ):
            durable.sync_tree(self.folder / folder)
            derived["folder"] = folder
            if DERIVING[kind].known != "nothing":
                known = written(held) if DERIVING[kind].known == "sums" else None
                derived["files"] = derived_sums(self.folder / folder, usable, known)
        for name in channels:
            manifest = _with_derived(manifest, name, derived)
        return manifest

    def _mend(self, entry: ChannelEntry, names: Iterable[str]) -> None:
        """Note that channels lost what was derived for them, if anything was."""
        if entry.derived:
            self.mended += names

    def _new_folder(self, manifest: Manifest, name: str) -> str:
        number = manifest.generation + 1
        while (self.folder / DERIVED / f"{name}-{number:06d}").exists():
            number += 1
        return f"{DERIVED}/{name}-{number:06d}"

    def _languages(self, entry: SegmentEntry) -> set[str]:
        return set(segment_of(self.folder, entry).columns.values("language"))

    def _live_lines(self, entry: SegmentEntry) -> Iterator[tuple[int, bytes]]:
        return segment_of(self.folder, entry).lines(live_rows(entry))


class _Postings:
    """Postings that are being written, and what the manifest will say of them."""

    def __init__(self, writer: PostingsWriter, state: Postings) -> None:
        self.writer = writer
        self.state = state
        self.changed = state.stamp == 0

    def add(self, segment: SegmentEntry, lines: Iterator[tuple[int, bytes]]) -> None:
        n = self.writer.add(segment.serial, lines)
        self.state = replace(self.state, n=self.state.n + n)
        self.changed = True

    def remove(self, segment: SegmentEntry, ranges: list[tuple[int, int]], n: int) -> None:
        for first, stop in ranges:
            self.writer.remove(segment.serial, first, stop)
        self.state = replace(self.state, n=self.state.n - n, dead=self.state.dead + n)
        self.changed = True

    def commit(self) -> None:
        self.state = replace(self.state, stamp=self.writer.commit())
        self.changed = False


def _content(manifest: Manifest, channels: Mapping[str, ChannelEntry]) -> str:
    """Tell apart states of the vectors of channels."""
    folders = [channel_folder(Path(), name).as_posix() for name in channels]
    rows = [
        [
            segment.name,
            segment.tombstones,
            [s.sha256 for n, s in sorted(segment.sums.items()) if n.rpartition("/")[0] in folders],
        ]
        for segment in manifest.segments
    ]
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()


def _named(manifest: Manifest, kind: str) -> list[str]:
    return [name for name, entry in manifest.channels.items() if entry.kind == kind]


def _posted(manifest: Manifest) -> list[str]:
    """Name the lexical channels that Tantivy searches."""
    named = _named(manifest, "lexical")
    return [name for name in named if backend_of(manifest.channels[name]) is None]


def _with_derived(manifest: Manifest, name: str, derived: Mapping[str, object]) -> Manifest:
    entry = replace(manifest.channels[name], derived=derived)
    return replace(manifest, channels={**manifest.channels, name: entry})
