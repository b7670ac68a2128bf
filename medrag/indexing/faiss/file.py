"""A FAISS index on disk, and a small JSON file beside it that says what it holds.

FAISS reads binary files without much suspicion, so that nothing reaches it before size, dimension
and count were compared with the JSON file, and the JSON file with the segments.
"""

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from medrag.errors import IndexFormatError
from medrag.extras import Library, require
from medrag.indexing.commands import repair
from medrag.indexing.segment import file_sum

VERSION = 1
# Files from this size on are mapped where the type of index allows it, and else read.
_MAPPED_BYTES = 64 << 20
# Pieces of a file that tell it from another of the same size, without reading it whole.
_SPOTS, _SPOT_BYTES = 32, 4096
# `IndexFlat` multiplies by BLAS only from this many questions on. FAISS compares its own default,
# 128,000, with questions x dimension, and is up to 12 times slower below it (1.15, 64 questions).
_BLAS_FROM = 20


@dataclass(frozen=True, slots=True)
class FaissFile:
    """What a FAISS index holds.

    Attributes:
        factory: what was asked for, as in `faiss.index_factory`.
        built: what was made of it, where there were too few vectors for that.
        n_trained: vectors that there were when it was trained; 0 if it needs no training.
        n: vectors, 0 if there is no file.
        longest: norm of the longest vector.
        segments: names and numbers of vectors, in the order of the positions in the index.
        faiss: version of the library that wrote it.
        size: bytes of the file.
        spots: digest of pieces of it, told anew whenever it is opened; "" if not written down.
    """

    factory: str
    built: str
    d: int
    n_trained: int = 0
    n: int = 0
    longest: float = 0.0
    segments: tuple[tuple[str, int], ...] = ()
    faiss: str = ""
    size: int = 0
    sha256: str = ""
    spots: str = ""
    version: int = VERSION


def library() -> Library:
    """Import FAISS.

    Sets its process-wide threshold for BLAS, which would otherwise leave batches of questions on a
    slow path.

    Raises:
        MissingExtraError: if it is not installed.
    """
    faiss = require("faiss", extra="faiss")
    faiss.cvar.distance_compute_blas_threshold = _BLAS_FROM
    return faiss


def index_path(folder: Path, name: str) -> Path:
    return folder / f"{name}.faiss"


def about_path(folder: Path, name: str) -> Path:
    return folder / f"{name}.json"


def write_faiss_file(index: Library | None, file: FaissFile, folder: Path, name: str) -> None:
    """Write the index of a channel, and what it holds; None where there are no vectors."""
    faiss = library()
    if index is not None:
        path = index_path(folder, name)
        faiss.write_index(index, str(path))
        found = file_sum(path)
        file = replace(file, size=found.size, sha256=found.sha256, spots=_spots(path))
    text = json.dumps(asdict(replace(file, faiss=str(faiss.__version__))), indent=1)
    about_path(folder, name).write_text(text, encoding="utf-8")


def read_faiss_file(folder: Path, name: str) -> FaissFile:
    """Read what the index of a channel holds.

    Raises:
        IndexFormatError: if that is missing, damaged, or of another version.
    """
    path = about_path(folder, name)
    try:
        value: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        segments = tuple((str(each), int(n)) for each, n in value["segments"])
        file = FaissFile(**{**value, "segments": segments})
        fits = file.version == VERSION and file.n == sum(n for _, n in segments)
        fits = fits and file.d >= 1 and isinstance(file.longest, float)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise _damaged(path, f"{type(error).__name__}: {error}") from error
    if not fits:
        raise _damaged(path, f"expected version {VERSION} and counts that add up")
    return file


def opened(folder: Path, name: str, file: FaissFile, *, writable: bool = False) -> Library:
    """Read, or map, the index of a channel.

    Args:
        writable: read it whole, so that vectors can be added.

    Raises:
        IndexFormatError: if the file is missing, damaged, or not the one that `file` tells of.
    """
    path = index_path(folder, name)
    size = path.stat().st_size if path.is_file() else 0
    if size != file.size:
        raise _damaged(path, f"it has {size} bytes instead of {file.size}")
    if file.spots and _spots(path) != file.spots:
        raise _damaged(path, "it has other bytes than were written")
    faiss = library()
    flags = 0 if writable or size < _MAPPED_BYTES else faiss.IO_FLAG_MMAP_IFC
    try:
        index = faiss.read_index(str(path), flags)
    except RuntimeError as error:
        told = f"FAISS {faiss.__version__} cannot read it, FAISS {file.faiss} wrote it: {error}"
        raise _damaged(path, told) from error
    if (index.ntotal, index.d) != (file.n, file.d):
        told = f"it holds {index.ntotal} vectors of {index.d} numbers, not {file.n} of {file.d}"
        raise _damaged(path, told)
    return index


def check_digest(folder: Path, name: str, file: FaissFile) -> None:
    """Read the file of an index whole, and compare it with what was written.

    Raises:
        IndexFormatError: if it has other bytes.
    """
    path = index_path(folder, name)
    if file.n and (not path.is_file() or file_sum(path).sha256 != file.sha256):
        raise _damaged(path, "it is missing, or has other bytes than were written")


def _spots(path: Path) -> str:
    """Digest pieces of a file, evenly spread from its head to its tail."""
    found = hashlib.sha256()
    last = max(0, path.stat().st_size - _SPOT_BYTES)
    with path.open("rb") as file:
        for number in range(_SPOTS):
            file.seek(last * number // (_SPOTS - 1))
            found.update(file.read(_SPOT_BYTES))
    return found.hexdigest()


def _damaged(path: Path, problem: str) -> IndexFormatError:
    return IndexFormatError(
        f"{path} is not what FAISS searches here ({problem}); make it anew: {repair(path)}"
    )
