"""Where a passage comes from: the file's hash, its place in the corpus, its `Source`."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

from medrag.errors import InputFileError, UnsafePathError
from medrag.records import Corpus, Region, Source


def file_sha256(path: Path) -> str:
    """Hash the bytes of a file, 64 hexadecimal digits, reading it in pieces.

    Raises:
        InputFileError: if the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        problem = f"cannot be read ({error.strerror}); check that it exists and its permissions"
        raise InputFileError(path, problem) from error


def source_of(
    corpus: Corpus,
    path: Path,
    *,
    sha256: str,
    regions: Sequence[Region] = (),
    domain: str | None = None,
    subject: str | None = None,
    study: str | None = None,
    time: str | None = None,
    licence: str | None = None,
) -> Source:
    """Describe a place in a file of a corpus.

    `path` is absolute, or relative to the working directory. `domain` and `licence` are those of
    the corpus where None. `subject` and `study` are keyed hashes (`medrag.identity`), never the
    identifiers of a file.

    Raises:
        UnsafePathError: if the file lies outside `corpus.root`.
    """
    return Source(
        corpus=corpus.name,
        document=document_of(corpus, path),
        sha256=sha256,
        regions=tuple(regions),
        domain=domain if domain is not None else corpus.domain,
        subject=subject,
        study=study,
        time=time,
        licence=licence if licence is not None else corpus.licence,
        language=corpus.language,
    )


def document_of(corpus: Corpus, path: Path) -> str:
    """Name a file relative to the corpus root, with "/".

    A link inside the root may point elsewhere (download caches do that): the name counts first.

    Raises:
        UnsafePathError: if neither the name nor what it points to lies under `corpus.root`.
    """
    for file, root in (
        (_without_dots(path), _without_dots(corpus.root)),
        (path.resolve(), corpus.root.resolve()),
    ):
        if file.is_relative_to(root):
            return file.relative_to(root).as_posix()
    raise UnsafePathError(
        path, f"lies outside the corpus root {corpus.root}; give a root that holds the file"
    )


def _without_dots(path: Path) -> Path:
    # Path.absolute keeps "..", and Path.resolve follows links; neither is wanted here.
    parts: list[str] = []
    for part in path.absolute().parts:
        if part != "..":
            parts.append(part)
        elif len(parts) > 1:
            parts.pop()
    return Path(*parts)
