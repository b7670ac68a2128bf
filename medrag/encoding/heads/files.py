"""Files of plain arrays, in which heads are kept."""

import secrets
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medrag.errors import InputFileError


def read_arrays(
    path: Path, names: Sequence[str], *, further: Sequence[str] = ()
) -> dict[str, NDArray[Any]]:
    """Read the arrays of an .npz file; no code in the file is run.

    Args:
        names: of arrays that must be there, of numbers or text.
        further: of arrays that may be there.

    Raises:
        InputFileError: if the file is none of these, or lacks an array.
    """
    try:
        with path.open("rb") as stream:
            stored = np.load(stream, allow_pickle=False)
            if not isinstance(stored, np.lib.npyio.NpzFile):
                raise ValueError("it holds a single array")
            wanted = [*names, *(name for name in further if name in stored.files)]
            return {name: stored[name] for name in wanted}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise InputFileError(
            path, f"is no head that medrag saved: {error}; fit it again"
        ) from error


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
