"""A small library for tests: line files, their ingestor, an encoder, and ways to build an index."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from medrag.build import BuildReport, ChannelPlan, SourceFile, build
from medrag.errors import InputFileError
from medrag.ingestion.sources import file_sha256, source_of
from medrag.protocols import Side
from medrag.records import (
    Corpus,
    Embeddings,
    Filter,
    ImageRef,
    Passage,
    Question,
    Skipped,
    passage_id,
)

D = 16
LEXICAL = ChannelPlan({"kind": "lexical"})


class LineIngestor:
    """Read a passage from each line of a file: JSON with "text" and what else a passage has.

    {"skip": REASON} yields something skipped, {"fail": PROBLEM} ends the file with an input error,
    {"crash": PROBLEM} with one that nobody foresaw.
    """

    def __init__(self, corpus: Corpus) -> None:
        self.corpus = corpus

    def passages(self, path: Path) -> Iterator[Passage | Skipped]:
        sha256 = file_sha256(path)
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            value = json.loads(line)
            if "fail" in value:
                raise InputFileError(path, value["fail"], place=f"line {number}")
            if "crash" in value:
                raise RuntimeError(value["crash"])
            source = source_of(
                self.corpus,
                path,
                sha256=sha256,
                domain=value.get("domain"),
                subject=value.get("subject"),
                study=value.get("study"),
                time=value.get("time"),
            )
            if "skip" in value:
                yield Skipped(source, value["skip"], f"line {number}", failed=True)
                continue
            images = tuple(ImageRef(name) for name in value.get("images", ()))
            kind, text = value.get("kind", "text"), value.get("text", "")
            identifier = value.get("id") or passage_id(kind, source, text, images)
            fields = {"title": value["title"]} if "title" in value else {}
            yield Passage(identifier, kind, text, source, images, fields)


class WordEncoder:
    """Hash words into a vector of unit length; counts what it encoded."""

    normalised = True
    numerics = "numpy"

    def __init__(self, name: str = "words") -> None:
        self.name = name
        self.encoded: list[str] = []

    def encodes(self, passage: Passage) -> bool:
        return bool(passage.text)

    def encode_passages(self, passages: Sequence[Passage]) -> Embeddings:
        self.encoded += [passage.text for passage in passages]
        return _embedded([passage.text for passage in passages])

    def encode_questions(self, questions: Sequence[Question], side: Side) -> Embeddings:
        return _embedded([question.text for question in questions])


def line_ingestor(file: SourceFile) -> LineIngestor:
    return LineIngestor(file.corpus)


def lexical_and_words(encoder: WordEncoder | None = None) -> dict[str, ChannelPlan]:
    held = encoder or WordEncoder()
    spec = {"kind": "dense", "encoder": {"kind": "words"}}
    return {"lexical": LEXICAL, "words": ChannelPlan(spec, partial(_held, held))}


def _held(encoder: WordEncoder) -> WordEncoder:
    return encoder


def write_lines(path: Path, lines: Sequence[Mapping[str, Any] | str]) -> Path:
    """Write a file for `LineIngestor`; a string stands for a passage of that text."""
    values = [{"text": line} if isinstance(line, str) else line for line in lines]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(value) + "\n" for value in values), encoding="utf-8")
    return path


def build_lines(
    folder: Path,
    root: Path,
    files: Mapping[str, Sequence[Mapping[str, Any] | str]] | None = None,
    *,
    corpus: Corpus | None = None,
    **options: Any,
) -> BuildReport:
    """Write files below a root, if given, and build an index of all files there."""
    for name, lines in (files or {}).items():
        write_lines(root / name, lines)
    corpus = corpus or Corpus("lines", root)
    listed = sorted(path for path in root.rglob("*.lines"))
    options.setdefault("channels", {"lexical": LEXICAL})
    sources = [SourceFile(path, corpus, "lines", {}) for path in listed]
    return build(folder, sources, ingestor=line_ingestor, **options)


def allowed(passage: Passage, wanted: Filter) -> bool:
    """Say slowly and plainly whether a filter lets a passage through."""
    source = passage.source
    groups = (
        (wanted.kinds, passage.kind),
        (wanted.domains, source.domain),
        (wanted.corpora, source.corpus),
        (wanted.subjects, source.subject),
    )
    if any(names and value not in names for names, value in groups):
        return False
    if wanted.before is not None and not _is_before(source.time, wanted.before):
        return False
    return not (
        source.study in wanted.not_studies
        or source.subject in wanted.not_subjects
        or any(image.sha256 in wanted.not_images for image in passage.images)
    )


def _is_before(time: str | None, limit: str) -> bool:
    return time is not None and time < limit and not limit.startswith(time)


def _embedded(texts: Sequence[str]) -> Embeddings:
    values = np.zeros((len(texts), D), dtype=np.float32)
    for row, text in enumerate(texts):
        for word in text.lower().split():
            digest = hashlib.sha256(word.encode()).digest()
            values[row, digest[0] % D] += 1 if digest[1] % 2 else -1
        values[row, 0] += 0.5
    norms = np.linalg.norm(values, axis=1, keepdims=True)
    return Embeddings(values / np.maximum(norms, 1e-9), np.ones(len(texts), dtype=np.int32))
