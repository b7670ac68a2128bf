"""One writer at a time: a lock that ends with the process that holds it."""

import contextlib
import errno
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from medrag.errors import IndexFormatError, IndexLockedError

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

NAME = "lock"
# Windows locks bytes against reading too, so the locked byte stands far behind the written pid.
_LOCKED_BYTE = 1 << 30


@contextlib.contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Hold the right to write to an index; other processes may read meanwhile.

    The operating system drops the lock when the process ends, however it ends: a killed build
    leaves nothing to clean up. The file stays and names the last writer.

    Raises:
        IndexLockedError: at once, if another writer is at work.
        IndexFormatError: if a link, or a folder, lies in the place of the file.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / NAME
    # Of an index that a stranger made, a link would have a file of this user's written over.
    if path.is_symlink() or path.is_dir():
        raise IndexFormatError(
            f"{path} is a link or a folder, expected the file that writers lock; delete it, and "
            "give the same command again"
        )
    with path.open("a+b") as file:
        if not _acquire(file):
            raise IndexLockedError(_refusal(folder, path))
        try:
            file.truncate(0)
            file.write(str(os.getpid()).encode())
            file.flush()
            yield
        finally:
            file.truncate(0)
            _release(file)


def _refusal(folder: Path, path: Path) -> str:
    written = path.read_bytes().decode(errors="replace").strip()
    writer = f"process {written}" if written.isdigit() else "another process"
    return (
        f"{folder} is being written by {writer}; wait until it has ended, or end it: what it has "
        "finished stays, and the same command goes on from there"
    )


if sys.platform == "win32":

    def _acquire(file: IO[bytes]) -> bool:
        file.seek(_LOCKED_BYTE)
        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError as error:
            if error.errno in (errno.EACCES, errno.EDEADLK):
                return False
            raise
        return True

    def _release(file: IO[bytes]) -> None:
        file.seek(_LOCKED_BYTE)
        msvcrt.locking(file.fileno(), msvcrt.LK_UNLCK, 1)

else:

    def _acquire(file: IO[bytes]) -> bool:
        try:
            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in (errno.EACCES, errno.EAGAIN):
                return False
            raise
        return True

    def _release(file: IO[bytes]) -> None:
        fcntl.flock(file.fileno(), fcntl.LOCK_UN)
