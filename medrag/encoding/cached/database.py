"""Vectors by the hash of what was encoded, in one SQLite file that several processes share."""

import logging
import sqlite3
import time
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from medrag.errors import MedragError

_LOGGER = logging.getLogger(__name__)
_FILE = "vectors.sqlite"
_FORMAT = 1
# Keys in one statement; SQLite takes a limited number of parameters.
_KEYS = 500
# Seconds to wait for another process that is writing.
_PATIENCE = 60.0
# What is left of a bounded cache after it overflowed.
_LEFT = 0.9
_TABLES = """
CREATE TABLE IF NOT EXISTS vectors (
    key BLOB PRIMARY KEY, n INTEGER NOT NULL, content BLOB NOT NULL, crc INTEGER NOT NULL,
    used INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS vectors_used ON vectors (used);
CREATE TABLE IF NOT EXISTS encoders (
    name TEXT PRIMARY KEY, d INTEGER NOT NULL, sparse INTEGER NOT NULL, numerics TEXT NOT NULL
);
"""


class Record(NamedTuple):
    """The vectors of one input: how many (or how many terms), and their numbers as bytes."""

    n: int
    content: bytes


class Maker(NamedTuple):
    """An encoder: its dimension, whether its vectors are sparse, and its numerics."""

    d: int
    sparse: bool
    numerics: str


class VectorCache:
    """A folder with one SQLite file in WAL mode; each call opens it anew.

    A record is whole or absent, also after a crash; one whose checksum is wrong counts as absent.
    No text and no path is stored. The folder must lie on a disk of this machine: SQLite's locks do
    not hold over networks.

    Args:
        size: bytes that may be used; what was not used longest goes first. None for no limit.

    Raises:
        ValueError: if the size is not positive.
    """

    def __init__(self, *, folder: Path, size: int | None = None) -> None:
        if size is not None and size < 1:
            raise ValueError(f"size must be at least 1, got {size}")
        self.folder = folder
        self.size = size

    def get(self, keys: Sequence[bytes]) -> dict[bytes, Record]:
        """Give what is known of keys.

        Raises:
            MedragError: if the file cannot be read.
        """
        found: dict[bytes, Record] = {}
        with self._open() as connection:
            for some in _portions(keys):
                marks = ",".join("?" * len(some))
                query = f"SELECT key, n, content, crc FROM vectors WHERE key IN ({marks})"  # noqa: S608
                for key, n, content, crc in connection.execute(query, some):
                    if zlib.crc32(content) == crc:
                        found[key] = Record(n, content)
                    else:
                        _LOGGER.warning("a damaged record of %s is made anew", self.folder)
            if self.size is not None and found:
                self._touch(connection, list(found))
        return found

    def put(self, records: Mapping[bytes, Record]) -> None:
        """Keep records; all of them or, if the disk is full, none, which is logged.

        Raises:
            MedragError: if the file is damaged.
        """
        rows = [
            (key, each.n, each.content, zlib.crc32(each.content)) for key, each in records.items()
        ]
        with self._open() as connection:
            try:
                connection.execute("BEGIN IMMEDIATE")
                connection.executemany(
                    "INSERT OR REPLACE INTO vectors SELECT ?, ?, ?, ?, "
                    "(SELECT coalesce(max(used), 0) + 1 FROM vectors)",
                    rows,
                )
                if self.size is not None:
                    _shrink(connection, self.size)
                connection.execute("COMMIT")
            except sqlite3.OperationalError as error:
                connection.rollback()
                _LOGGER.warning("vectors were not kept in %s: %s", self.folder, error)

    def maker(self, name: str) -> Maker | None:
        """Give what was kept of an encoder, or None."""
        with self._open() as connection:
            query = "SELECT d, sparse, numerics FROM encoders WHERE name = ?"
            row = connection.execute(query, (name,)).fetchone()
        return None if row is None else Maker(int(row[0]), bool(row[1]), str(row[2]))

    def keep_maker(self, name: str, maker: Maker) -> None:
        """Keep what is to be known of an encoder without loading it."""
        with self._open() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO encoders VALUES (?, ?, ?, ?)", (name, *maker)
            )

    def bytes_used(self) -> int:
        """Give the bytes that records and their index take."""
        with self._open() as connection:
            return _used(connection)

    def clear(self) -> None:
        """Forget everything, and overwrite it in the file."""
        with self._open() as connection:
            connection.execute("PRAGMA secure_delete = ON")
            connection.execute("DELETE FROM vectors")
            connection.execute("DELETE FROM encoders")
            connection.execute("VACUUM")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        path = self.folder / _FILE
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            # Autocommit: transactions begin where the code says so.
            with closing(
                sqlite3.connect(path, timeout=_PATIENCE, isolation_level=None)
            ) as connection:
                self._prepare(connection)
                yield connection
        except (sqlite3.DatabaseError, OSError) as error:
            raise MedragError(
                f"the cache of vectors {path} cannot be used ({error}); delete the folder "
                f"{self.folder}, or name another: vectors are then made anew"
            ) from error

    def _prepare(self, connection: sqlite3.Connection) -> None:
        found = connection.execute("PRAGMA user_version").fetchone()[0]
        if found == 0:
            _use_wal(connection)
            connection.execute("BEGIN IMMEDIATE")
            for statement in filter(str.strip, _TABLES.split(";")):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {_FORMAT}")
            connection.execute("COMMIT")
        elif found != _FORMAT:
            raise MedragError(
                f"the cache of vectors {self.folder} has format {found}, expected {_FORMAT}; "
                "name another folder, or delete this one: vectors are then made anew"
            )
        # Safe in WAL mode: a power failure may lose the last records, never damage the others.
        connection.execute("PRAGMA synchronous = NORMAL")

    def _touch(self, connection: sqlite3.Connection, keys: Sequence[bytes]) -> None:
        """Take note that records were used."""
        try:
            for some in _portions(keys):
                marks = ",".join("?" * len(some))
                connection.execute(
                    "UPDATE vectors SET used = (SELECT max(used) + 1 FROM vectors) "  # noqa: S608
                    f"WHERE key IN ({marks})",
                    some,
                )
        except sqlite3.OperationalError as error:
            _LOGGER.debug("use of vectors was not noted in %s: %s", self.folder, error)


def _use_wal(connection: sqlite3.Connection) -> None:
    """Switch a new file to WAL mode; for this lock SQLite does not wait of itself."""
    until = time.monotonic() + _PATIENCE
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
            time.sleep(0.01)
        else:
            return


def _shrink(connection: sqlite3.Connection, size: int) -> None:
    """Delete what was not used longest, if more than `size` bytes are used."""
    used = _used(connection)
    if used <= size:
        return
    excess = used - int(size * _LEFT)
    for key, length in connection.execute(
        "SELECT key, length(content) FROM vectors ORDER BY used, rowid"
    ).fetchall():
        connection.execute("DELETE FROM vectors WHERE key = ?", (key,))
        excess -= length
        if excess <= 0:
            break


def _used(connection: sqlite3.Connection) -> int:
    pages, free, page = (
        int(connection.execute(f"PRAGMA {name}").fetchone()[0])
        for name in ("page_count", "freelist_count", "page_size")
    )
    return (pages - free) * page


def _portions(keys: Sequence[bytes]) -> Iterator[list[bytes]]:
    left = iter(keys)
    while some := list(islice(left, _KEYS)):
        yield some
