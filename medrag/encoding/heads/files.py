"""Files of plain arrays, in which heads are kept."""

import secrets
import tokenize
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from medrag.errors import InputFileError

_LARGEST = 1 << 30
# What NumPy and zipfile raise for files that are cut, changed, or made to do harm.
_DAMAGE = (
    OSError, ValueError, KeyError, EOFError, TypeError, OverflowError, MemoryError, SyntaxError,
    RuntimeError, zipfile.BadZipFile, zlib.error, tokenize.TokenError,
)  # fmt: skip


def read_arrays(
    path: Path, names: Sequence[str], *, further: Sequence[str] = (), what: str = "head"
) -> dict[str, NDArray[Any]]:
    """Read the arrays of an .npz file; no code in the file is run.

    Args:
        names: of arrays that must be there, of numbers or text.
        further: of arrays that may be there.
        what: the file is to hold, for errors.

    Raises:
        InputFileError: if the file is none of these, lacks an array, or is too large.
    """
    try:
        with path.open("rb") as stream:
            _check_size(stream)
            stored = np.load(stream, allow_pickle=False)
            if not isinstance(stored, np.lib.npyio.NpzFile):
                raise ValueError("it holds a single array")
            wanted = [*names, *(name for name in further if name in stored.files)]
            return {name: _plain(stored[name], name) for name in wanted}
    except _DAMAGE as error:
        why = getattr(error, "strerror", None) or error
        raise InputFileError(
            path, f"is no {what} that medrag saved: {why}; fit it again"
        ) from error


def read_format(path: Path, stored: Mapping[str, NDArray[Any]], expected: int) -> None:
    """Refuse the arrays of a file whose "format" is not the whole number that is expected.

    Raises:
        InputFileError: naming the file.
    """
    found = stored["format"]
    if found.shape != () or found.dtype.kind not in "iu" or int(found) != expected:
        raise InputFileError(path, "was saved by another release of medrag; fit it again")


def read_numbers(
    path: Path, stored: Mapping[str, NDArray[Any]], names: Sequence[str]
) -> dict[str, NDArray[np.float64]]:
    """Give arrays of a file that must hold real, finite numbers.

    Raises:
        InputFileError: naming the file.
    """
    for name in names:
        if stored[name].dtype.kind not in "biuf":
            told = f"expected numbers in {name!r}, found {stored[name].dtype}; fit it again"
            raise InputFileError(path, told)
        if not np.isfinite(stored[name]).all():
            raise InputFileError(path, "holds numbers that are not finite; fit it again")
    return {name: stored[name].astype(np.float64) for name in names}


def read_texts(path: Path, stored: Mapping[str, NDArray[Any]], name: str) -> tuple[str, ...]:
    """Give an array of a file that must be a list of different texts, at least one.

    Raises:
        InputFileError: naming the file.
    """
    found = stored[name]
    texts = tuple(str(each) for each in found) if found.ndim == 1 else ()
    if found.dtype.kind != "U" or not texts or len(set(texts)) < len(texts):
        raise InputFileError(path, f"expected different texts in {name!r}; fit it again")
    return texts


def write_arrays(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write an .npz file, whole or not at all; one that is there before is replaced.

    Raises:
        InputFileError: if the disk refuses.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        with temporary.open("wb") as stream:
            np.savez(stream, **arrays)  # type: ignore[arg-type]
        temporary.replace(path)
    except OSError as error:
        raise InputFileError(path, f"cannot be written ({error.strerror or error})") from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def _check_size(stream: IO[bytes]) -> None:
    """Refuse an archive whose arrays would be larger than any head, as one made to fill memory."""
    with zipfile.ZipFile(stream) as archive:
        size = sum(member.file_size for member in archive.infolist())
    if size > _LARGEST:
        raise ValueError(f"its arrays take {size} bytes, and no head has more than {_LARGEST}")
    stream.seek(0)


def _plain(array: NDArray[Any], name: str) -> NDArray[Any]:
    if array.dtype.kind not in "biufU":
        raise ValueError(f"expected numbers or text in {name!r}, found {array.dtype}")
    return array
