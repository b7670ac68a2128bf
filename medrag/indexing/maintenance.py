"""What a person does to a built index: remove, compact, repair, move, and ask what it holds."""

import difflib
import os
import shutil
from collections import Counter
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

from medrag.codec import to_json
from medrag.errors import IndexFormatError
from medrag.images import within
from medrag.indexing import durable
from medrag.indexing.backends import backend_of
from medrag.indexing.checking import damaged_segments
from medrag.indexing.commands import command
from medrag.indexing.manifest import (
    Covered,
    Manifest,
    n_live,
    read_manifest,
)
from medrag.indexing.rewriting import groups, rewrite
from medrag.indexing.storage import Store, open_store
from medrag.indexing.writing import IndexWriter, Key, index_writer

SOURCES = "sources"


@dataclass(frozen=True, slots=True)
class Removed:
    """What `remove` removed."""

    documents: tuple[Key, ...]
    n_passages: int


@dataclass(frozen=True, slots=True)
class Compacted:
    """Counts before and after `compact`."""

    segments_before: int
    segments: int
    bytes_before: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Moved:
    """Where the sources of each corpus are now, and which of them were not found to copy."""

    roots: Mapping[str, Path]
    n_copied: int
    missing: tuple[Key, ...]


def remove(folder: Path, documents: Sequence[str], *, purge: bool = False) -> Removed:
    """Remove source files, and all passages of theirs, from an index.

    Without `purge` the passages are only marked, and `compact` deletes them later. With it,
    segments, vectors, postings and graph are written again, and copies of the sources deleted, so
    that nothing of the documents remains in the folder. The sources themselves are not touched: a
    build that is given them again adds them again.

    Args:
        documents: as in `Source.document`, or "CORPUS/DOCUMENT" where two corpora have one.

    Raises:
        ValueError: if the index has no such document, or two of the name.
        IndexFormatError: if the index is damaged, or a file to purge is held open (Windows).
    """
    read_manifest(folder)
    with index_writer(folder) as writer:
        keys = {_document(writer.covered(), name, folder) for name in documents}
        pictures = _pictures(writer, keys) if purge else set()
        touched = [s for s in writer.manifest.segments if any(f.key in keys for f in s.files)]
        n = writer.drop(keys)
        if purge:
            names = {segment.name for segment in touched}
            for entry in [s for s in writer.manifest.segments if s.name in names]:
                rewrite(writer, [entry])
            _delete_copies(writer, keys, pictures)
            writer.forget_derived()
        held_open = writer.finish()
    if purge and held_open:
        raise IndexFormatError(
            f"{folder} still holds purged bytes in {', '.join(map(str, held_open))}, which another "
            f"process has open; close it, then run: {command('compact', folder)}"
        )
    return Removed(tuple(sorted(keys)), n)


def compact(folder: Path) -> Compacted:
    """Write segments again without what was removed, and join small ones.

    Raises:
        IndexFormatError: if the index is damaged.
    """
    read_manifest(folder)
    with index_writer(folder) as writer:
        before = writer.manifest
        for group in list(groups(before.segments)):
            if len(group) > 1 or n_live(group[0]) < group[0].n:
                rewrite(writer, group)
        if writer.manifest != before:
            writer.forget_derived()
        writer.finish()
        after = writer.manifest
    return Compacted(len(before.segments), len(after.segments), _size(before), _size(after))


def repair(folder: Path) -> list[str]:
    """Drop the segments that are damaged, and make what is derived from the others anew.

    The next build reads the sources of what was dropped again.

    Returns:
        The names of those that were dropped.
    """
    damaged = damaged_segments(folder, read_manifest(folder))
    with index_writer(folder, without=damaged) as writer:
        writer.forget_derived()
        writer.finish()
    return list(damaged)


def move(
    folder: Path, roots: Mapping[str, Path] | None = None, *, copy_sources: bool = False
) -> Moved:
    """Tell an index where its sources are now, or take them along.

    Args:
        roots: new folder of each corpus that moved.
        copy_sources: copy every source file, and every picture that a passage names, into
            `sources/` of the index, which from then on reads those.

    Raises:
        ValueError: if the index has no such corpus, or a root is no folder.
    """
    roots = dict(roots or {})
    read_manifest(folder)
    with index_writer(folder) as writer:
        for name, root in roots.items():
            if name not in writer.manifest.corpora:
                known = ", ".join(writer.manifest.corpora)
                raise ValueError(f"{folder} has no corpus {name!r}; it has: {known}")
            if not root.is_dir():
                raise ValueError(f"the new root of corpus {name!r} is no folder: {root}")
            _set_root(writer, name, stored_root(folder, root))
        n, missing = _copy_sources(writer) if copy_sources else (0, [])
        writer.finish()
        store = Store(folder=folder, manifest=writer.manifest)
        found = {name: store.corpus_root(name) for name in writer.manifest.corpora}
        return Moved(found, n, tuple(missing))


def stored_root(folder: Path, root: Path) -> str:
    """Write a corpus root relative to the index folder, or absolute where that cannot be."""
    absolute = os.path.normpath(root.absolute())
    try:
        return Path(os.path.relpath(absolute, folder.absolute())).as_posix()
    except ValueError:  # another drive of Windows
        return Path(absolute).as_posix()


def info(folder: Path) -> dict[str, Any]:
    """Describe an index in JSON values: passages, documents, channels, what was left out and why.

    Raises:
        IndexFormatError: if there is no index, or its manifest is damaged.
    """
    store = open_store(folder, damaged="skip")
    manifest = store.manifest
    files = [each for segment in manifest.segments for each in segment.files]
    return {
        "folder": folder.as_posix(),
        "format": manifest.format,
        "generation": manifest.generation,
        "n_passages": manifest.n_live,
        "n_removed": sum(s.n for s in manifest.segments) - manifest.n_live,
        "n_documents": len(files),
        "n_segments": len(manifest.segments),
        "bytes": _size(manifest),
        "passages": summed(each.kinds for each in files),
        "pages": sum(each.pages for each in files),
        "skipped": summed(each.skipped for each in files),
        "unreadable": sum(each.failed for each in files),
        "channels": {name: _channel(store, name) for name in manifest.channels},
        "corpora": {name: _corpus(store, name, files) for name in manifest.corpora},
        "failures": to_json(manifest.failures),
        "unknown": list(manifest.unknown),
        "damaged": store.damaged,
    }


def summed(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    """Add up counts by name, names in alphabetical order."""
    total: Counter[str] = Counter()
    for each in counts:
        total.update(each)
    return dict(sorted(total.items()))


def _document(held: Mapping[Key, object], name: str, folder: Path) -> Key:
    """Find the one document of a name, or of "CORPUS/DOCUMENT"."""
    found = [key for key in held if name in (key[1], "/".join(key))]
    if len(found) == 1:
        return found[0]
    if found:
        several = ", ".join(sorted("/".join(key) for key in found))
        raise ValueError(f"{folder} has several documents {name!r}; name one of: {several}")
    near = difflib.get_close_matches(name, [key[1] for key in held], n=3, cutoff=0.4)
    hint = f"; did you mean {', '.join(near)}?" if near else ""
    raise ValueError(f"{folder} has no document {name!r}{hint}")


def _set_root(writer: IndexWriter, corpus: str, root: str) -> None:
    entry = replace(writer.manifest.corpora[corpus], root=root)
    corpora = {**writer.manifest.corpora, corpus: entry}
    writer.manifest = replace(writer.manifest, corpora=corpora)


def _copy_sources(writer: IndexWriter) -> tuple[int, list[Key]]:
    """Copy sources and pictures below the index, and read them from there."""
    store = Store(folder=writer.folder, manifest=writer.manifest)
    wanted: dict[Key, None] = dict.fromkeys(writer.covered())
    for passage in store.passages:
        wanted.update(((passage.source.corpus, image.path), None) for image in passage.images)
    missing = []
    for corpus, document in wanted:
        source = within(store.corpus_root(corpus), document)
        target = within(writer.folder / _copied_root(corpus), document)
        if not source.is_file():
            missing.append((corpus, document))
        elif source != target:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)
    for corpus in writer.manifest.corpora:
        (writer.folder / _copied_root(corpus)).mkdir(parents=True, exist_ok=True)
        _set_root(writer, corpus, _copied_root(corpus))
    return len(wanted) - len(missing), missing


def _copied_root(corpus: str) -> str:
    return f"{SOURCES}/{quote(corpus, safe=' ')}"


def _delete_copies(writer: IndexWriter, keys: Iterable[Key], pictures: Iterable[Key]) -> None:
    """Delete the copies of documents that were taken along, and pictures that none else names."""
    kept = _pictures(writer, None)
    for corpus, name in {*keys, *(each for each in pictures if each not in kept)}:
        if writer.manifest.corpora[corpus].root == _copied_root(corpus):
            durable.remove(within(writer.folder / _copied_root(corpus), name))


def _pictures(writer: IndexWriter, keys: Container[Key] | None) -> set[Key]:
    """List the picture files that passages (of some documents) name."""
    store = Store(folder=writer.folder, manifest=writer.manifest)
    return {
        (passage.source.corpus, image.path)
        for passage in store.passages
        if keys is None or (passage.source.corpus, passage.source.document) in keys
        for image in passage.images
    }


def _size(manifest: Manifest) -> int:
    return sum(each.size for segment in manifest.segments for each in segment.sums.values())


def _channel(store: Store, name: str) -> dict[str, Any]:
    entry = store.channel(name)
    value: dict[str, Any] = {"kind": entry.kind, "spec": dict(entry.spec)}
    if derived := entry.derived.get("folder"):
        files = [each for each in (store.folder / derived).rglob("*") if each.is_file()]
        value["derived_bytes"] = sum(each.stat().st_size for each in files)
    if (backend := backend_of(entry)) is not None:
        value["store"] = backend
    if entry.has_vectors:
        n = sum(int(store.live[block.rows].sum()) for block in store.vectors(name))
        value |= {"encoder": entry.encoder, "d": entry.d, "numerics": entry.numerics}
        return {**value, "n_passages": n}
    return {**value, "n_passages": entry.derived.get("n")} if "n" in entry.derived else value


def _corpus(store: Store, name: str, files: Sequence[Covered]) -> dict[str, Any]:
    entry = store.manifest.corpora[name]
    root = store.corpus_root(name)
    mine = [each for each in files if each.corpus == name]
    return {
        "root": entry.root,
        "root_exists": root.is_dir(),
        "domain": entry.domain,
        "language": entry.language,
        "licence": entry.licence,
        "n_documents": len(mine),
        "n_passages": sum(sum(each.kinds.values()) for each in mine),
    }
