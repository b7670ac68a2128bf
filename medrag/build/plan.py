"""What a build is given: source files, channels, and how files are cut into shards."""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from medrag.codec import to_json
from medrag.errors import RecipeError
from medrag.ingestion.sources import document_of
from medrag.protocols import Encoder
from medrag.records import Corpus

# A shard ends at this many files or this much work, whichever comes first. The numbers decide
# where a build that was cut short goes on: changed, they only make it read a few files again.
SHARD_FILES = 64
SHARD_WORK = 16 << 20
# Bytes of a PDF cost far more time than bytes of text.
_WORK_PER_BYTE = {"textbook": 8}
_PLAIN = frozenset({".txt", ".md", ".csv", ".tsv", ".json", ".jsonl"})


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file to ingest: `kind` picks the ingestor, `options` are keywords of its constructor."""

    path: Path
    corpus: Corpus
    kind: str
    options: Mapping[str, Any] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class ChannelPlan:
    """A channel to build.

    `spec` is what the recipe says, kept in the manifest; `spec["kind"]` is "lexical", "graph",
    "dense" or "sparse". `encoder` makes the encoder of the last two; it crosses to other processes.
    """

    spec: Mapping[str, Any] = field(hash=False)
    encoder: Callable[[], Encoder] | None = None


@dataclass(frozen=True, slots=True)
class Planned:
    """A source file with its name in the corpus and a hash of all that shapes its passages."""

    file: SourceFile
    document: str
    recipe: str

    @property
    def key(self) -> tuple[str, str]:
        return (self.file.corpus.name, self.document)


def planned(files: Sequence[SourceFile]) -> list[Planned]:
    """Name and sort the files; one that is given twice counts once.

    Raises:
        RecipeError: if a file is given twice with different kinds or options, or two corpora of
            different folders have one name.
        UnsafePathError: if a file lies outside the root of its corpus.
    """
    roots: dict[str, Corpus] = {}
    named: dict[tuple[str, str], Planned] = {}
    for file in files:
        corpus = roots.setdefault(file.corpus.name, file.corpus)
        if corpus.root != file.corpus.root:
            raise RecipeError(
                f"corpus {corpus.name!r} is given with the roots {corpus.root} and "
                f"{file.corpus.root}; give each folder a corpus name of its own"
            )
        each = Planned(file, document_of(file.corpus, file.path), _recipe(file))
        other = named.setdefault(each.key, each)
        if other.recipe != each.recipe:
            raise RecipeError(
                f"{file.path} is given twice, as {other.file.kind!r} and as {file.kind!r} or with "
                "other options; give it once"
            )
    return sorted(named.values(), key=lambda each: each.key)


def shards(files: Sequence[Planned]) -> Iterator[list[Planned]]:
    """Cut sorted files into shards, by their number and size alone."""
    shard: list[Planned] = []
    work = 0
    for each in files:
        cost = work_of(each.file)
        if shard and (len(shard) == SHARD_FILES or work + cost > SHARD_WORK):
            yield shard
            shard, work = [], 0
        shard.append(each)
        work += cost
    if shard:
        yield shard


def is_large(file: SourceFile) -> bool:
    """Tell whether a file is a long text, whose passages several workers should encode."""
    return is_plain(file) and work_of(file) > SHARD_WORK


def is_plain(file: SourceFile) -> bool:
    """Tell whether nearly every byte of a file is text that is encoded."""
    return file.path.suffix.lower() in _PLAIN


def work_of(file: SourceFile) -> int:
    try:
        return file.path.stat().st_size * _WORK_PER_BYTE.get(file.kind, 1)
    except OSError:
        return 0


def _recipe(file: SourceFile) -> str:
    corpus = file.corpus
    shape = [file.kind, file.options, corpus.domain, corpus.language, corpus.licence]
    text = json.dumps(to_json(shape), sort_keys=True, default=repr)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
