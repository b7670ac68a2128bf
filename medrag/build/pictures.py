"""The files that a table names and shows: pictures that can change while the table does not."""

import hashlib
from collections.abc import Set as AbstractSet
from pathlib import Path

from medrag.records import Passage


def pictures_beside(passage: Passage) -> set[str]:
    """Name the files, other than its own document, that the passage shows; relative to the root."""
    return {image.path for image in passage.images if image.path != passage.source.document}


def stamped(pictures: AbstractSet[str], root: Path) -> str:
    """Describe files by their names, sizes and times; empty for no files.

    A file that is gone is described as such, so that its return changes the stamp.
    """
    if not pictures:
        return ""
    digest = hashlib.sha256()
    for name in sorted(pictures):
        try:
            status = (root / name).stat()
            state = f"{status.st_size} {status.st_mtime_ns}"
        except OSError:
            state = "gone"
        digest.update(f"{name}\0{state}\n".encode(errors="surrogatepass"))
    return digest.hexdigest()[:16]
