"""NumPy files that are written piece by piece and read by memory mapping."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medrag.errors import IndexFormatError

_MAGIC = b"\x93NUMPY\x01\x00"
_HEADER = 128


def mapped(path: Path) -> Any:
    """Map an array read-only; one without elements is read, as nothing cannot be mapped.

    Raises:
        IndexFormatError: if there is no such file any more.
        ValueError: if the file is not a NumPy array of plain values.
    """
    if not path.exists():
        raise IndexFormatError(gone(path))
    if path.stat().st_size <= _HEADER:
        return np.load(path, allow_pickle=False)
    return np.load(path, mmap_mode="r", allow_pickle=False)


def gone(path: Path) -> str:
    """Say why a file of an open index may not be there any more."""
    return f"{path} is gone; the index was compacted or removed since it was opened: open it again"


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
