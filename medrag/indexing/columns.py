"""The columns that filters look at: one small integer per passage and column."""

import json
import re
from array import array
from collections.abc import Callable
from functools import cached_property, partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from medrag.errors import IndexFormatError
from medrag.indexing.arrays import damaged, mapped
from medrag.records import Filter, Passage

NAMES = ("kind", "domain", "corpus", "document", "subject", "study", "time", "language")
CODES, VALUES = "columns.npy", "columns.json"
IMAGE_ROWS, IMAGE_HASHES = "image_rows.npy", "image_hashes.npy"

_SHA256 = re.compile("[0-9a-f]{64}")

Mask = NDArray[np.bool_]


def is_before(limit: str, time: str) -> bool:
    """Tell whether a time is certainly before a limit: one of its first parts alone is not.

    Texts compare as their times do, but "2020" may be after "2020-05".
    """
    return time < limit and not limit.startswith(time)


class ColumnsWriter:
    """Collect the columns of a segment, passage by passage."""

    def __init__(self) -> None:
        self._codes = {name: array("i") for name in NAMES}
        self._values: dict[str, dict[str, int]] = {name: {} for name in NAMES}
        self._image_rows = array("i")
        self._image_hashes = bytearray()

    def add(self, row: int, passage: Passage) -> None:
        self._codes["kind"].append(self._code("kind", passage.kind))
        for name in NAMES[1:]:
            self._codes[name].append(self._code(name, getattr(passage.source, name)))
        for image in passage.images:
            if image.sha256 is not None:
                self._image_rows.append(row)
                self._image_hashes += bytes.fromhex(image.sha256)

    def truncate(self, n: int) -> None:
        """Forget every row from `n` on; values that only they had stay in the dictionaries."""
        for codes in self._codes.values():
            del codes[n:]
        while self._image_rows and self._image_rows[-1] >= n:
            self._image_rows.pop()
        del self._image_hashes[32 * len(self._image_rows) :]

    def write(self, folder: Path) -> None:
        codes = np.array([self._codes[name] for name in NAMES], dtype=np.int32)
        np.save(folder / CODES, codes.reshape(len(NAMES), -1))
        values = {name: list(self._values[name]) for name in NAMES}
        content = json.dumps(values, ensure_ascii=False).encode(errors="surrogatepass")
        (folder / VALUES).write_bytes(content)
        np.save(folder / IMAGE_ROWS, np.array(self._image_rows, dtype=np.int32))
        hashes = np.frombuffer(bytes(self._image_hashes), dtype=np.uint8).reshape(-1, 32)
        np.save(folder / IMAGE_HASHES, hashes)

    def _code(self, name: str, value: str | None) -> int:
        if value is None:
            return -1
        known = self._values[name]
        return known.setdefault(value, len(known))


class Columns:
    """The columns of one segment, read when a filter asks for them."""

    def __init__(self, *, folder: Path, n: int) -> None:
        self.folder = folder
        self.n = n
        self._checked: set[str] = set()

    def codes(self, name: str) -> NDArray[np.int32]:
        """Give (n,) codes into `values(name)`; -1 where the passage has none.

        Raises:
            IndexFormatError: if one stands for no value.
        """
        row: NDArray[np.int32] = self._codes[NAMES.index(name)]
        if name not in self._checked:
            if row.min(initial=-1) < -1 or row.max(initial=-1) >= len(self.values(name)):
                raise IndexFormatError(damaged(self.folder / CODES, f"no codes of {name} values"))
            self._checked.add(name)
        return row

    def values(self, name: str) -> list[str]:
        return self._values[name]

    def allowed(self, wanted: Filter) -> Mask:
        """Tell for each row whether a filter lets it through."""
        mask = np.ones(self.n, dtype=np.bool_)
        for name, names in (
            ("kind", wanted.kinds),
            ("domain", wanted.domains),
            ("corpus", wanted.corpora),
            ("subject", wanted.subjects),
        ):
            if names:
                mask &= self._where(name, names.__contains__)
        for name, names in (("study", wanted.not_studies), ("subject", wanted.not_subjects)):
            if names:
                mask &= ~self._where(name, names.__contains__)
        if wanted.before is not None:
            mask &= self._where("time", partial(is_before, wanted.before))
        if wanted.not_images:
            mask[self._rows_of_images(wanted.not_images)] = False
        return mask

    @property
    def has_images(self) -> bool:
        """Tell whether any passage has a picture of known sha256."""
        return len(self._image_rows) > 0

    def images_of(self, row: int) -> list[str]:
        """List the sha256 of the pictures of one passage."""
        first, stop = np.searchsorted(self._image_rows, [row, row + 1])
        return [self._image_hashes[at].tobytes().hex() for at in range(first, stop)]

    def _where(self, name: str, test: Callable[[str], bool]) -> Mask:
        # One place more than there are values: code -1, no value, reads the last and never holds.
        table = np.zeros(len(self.values(name)) + 1, dtype=np.bool_)
        table[:-1] = [test(value) for value in self.values(name)]
        return table[self.codes(name)]

    def _rows_of_images(self, hashes: frozenset[str]) -> NDArray[np.int32]:
        if len(self._image_hashes) == 0:
            return np.empty(0, dtype=np.int32)
        packed = np.ascontiguousarray(self._image_hashes).view("V32").ravel()
        found = np.zeros(len(packed), dtype=np.bool_)
        # What is not a sha256 is nobody's.
        for each in filter(_SHA256.fullmatch, hashes):
            found |= packed == np.void(bytes.fromhex(each))
        rows: NDArray[np.int32] = np.asarray(self._image_rows[found])
        return rows

    @cached_property
    def _codes(self) -> NDArray[np.int32]:
        codes: NDArray[np.int32] = mapped(self.folder / CODES)
        if (codes.shape, codes.dtype) != ((len(NAMES), self.n), np.dtype(np.int32)):
            raise IndexFormatError(damaged(self.folder / CODES, f"no codes of {self.n} rows"))
        return codes

    @cached_property
    def _values(self) -> dict[str, list[str]]:
        path = self.folder / VALUES
        try:
            values = json.loads(path.read_bytes())
            return {name: list(values[name]) for name in NAMES}
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise IndexFormatError(damaged(path, f"{type(error).__name__}: {error}")) from error

    @cached_property
    def _image_rows(self) -> NDArray[np.int32]:
        rows: NDArray[np.int32] = mapped(self.folder / IMAGE_ROWS)
        if rows.dtype != np.int32 or rows.min(initial=0) < 0 or rows.max(initial=-1) >= self.n:
            raise IndexFormatError(damaged(self.folder / IMAGE_ROWS, f"no rows of {self.n}"))
        return rows

    @cached_property
    def _image_hashes(self) -> NDArray[np.uint8]:
        hashes: NDArray[np.uint8] = mapped(self.folder / IMAGE_HASHES)
        if (hashes.shape, hashes.dtype) != ((len(self._image_rows), 32), np.dtype(np.uint8)):
            raise IndexFormatError(damaged(self.folder / IMAGE_HASHES, "not a hash for each row"))
        return hashes
