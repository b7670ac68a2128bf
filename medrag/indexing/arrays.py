"""NumPy files that are written piece by piece and read by memory mapping."""

from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from medrag.errors import IndexFormatError
from medrag.indexing.commands import reread

_MAGIC = b"\x93NUMPY\x01\x00"
_HEADER = 128


def mapped(path: Path, mode: Literal["r", "c"] = "r") -> Any:
    """Map an array; one without elements is read, as nothing cannot be mapped.

    `mode` "c" is for libraries that take nothing read-only: what they write stays in memory.

    Raises:
        IndexFormatError: if there is no such file any more, or it is no array of plain values.
    """
    if not path.exists():
        raise IndexFormatError(gone(path))
    try:
        empty = path.stat().st_size <= _HEADER
        return np.load(path, mmap_mode=None if empty else mode, allow_pickle=False)
    # NumPy answers to a damaged header with errors of half a dozen kinds.
    except Exception as error:
        raise IndexFormatError(damaged(path, f"{type(error).__name__}: {error}")) from error


def gone(path: Path) -> str:
    """Say why a file of an open index may not be there any more."""
    return f"{path} is gone; the index was compacted or removed since it was opened: open it again"


def damaged(path: Path, problem: str) -> str:
    """Say what a file of an index holds that it cannot have been written with, and the way out."""
    return f"{path} is damaged ({problem}); restore it from a copy, or: {reread(path)}"


class ArrayFile:
    """An array of shape (n, *row) that grows by rows on disk, never in memory."""

    def __init__(self, path: Path, *, dtype: str, row: tuple[int, ...] = ()) -> None:
        self._file = path.open("w+b")
        self._dtype = np.dtype(dtype)
        self.row = row
        self.n = 0
        self._file.write(bytes(_HEADER))

    def append(self, rows: NDArray[Any]) -> None:
        """Add rows, (m, *row).

        Raises:
            ValueError: if their shape is another.
        """
        if rows.shape[1:] != self.row:
            raise ValueError(f"rows of shape {rows.shape[1:]} given, {self.row} expected")
        self._file.write(np.ascontiguousarray(rows, dtype=self._dtype).tobytes())
        self.n += len(rows)

    def truncate(self, n: int) -> None:
        """Forget every row from `n` on."""
        size = self._dtype.itemsize * int(np.prod(self.row, dtype=np.int64))
        self._file.flush()
        self._file.truncate(_HEADER + n * size)
        self._file.seek(0, 2)
        self.n = n

    def close(self) -> None:
        """Write the header, for which room was kept, and close the file."""
        shape = (self.n, *self.row)
        text = f"{{'descr': '{self._dtype.str}', 'fortran_order': False, 'shape': {shape}, }}"
        room = _HEADER - len(_MAGIC) - 2
        header = text.encode().ljust(room - 1) + b"\n"
        self._file.seek(0)
        self._file.write(_MAGIC + room.to_bytes(2, "little") + header)
        self._file.close()

    def discard(self) -> None:
        """Close the file as it is."""
        self._file.close()
