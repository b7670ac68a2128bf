"""Files that are whole or absent, whatever moment the power fails; nothing here knows an index."""

import contextlib
import os
import secrets
import shutil
import time
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import IO

# Windows refuses to replace or delete a file that a scanner or a reader holds for a moment.
_PAUSES = (0.01, 0.05, 0.2, 0.5, 1.0)


def write_atomically(path: Path, content: bytes) -> None:
    """Replace a file's content; after a crash it holds the old content or the new one.

    Raises:
        OSError: if that is not possible; names the path.
    """
    with replacing(path) as file:
        file.write(content)


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """Give a file for the new content of a path, which takes its place in the end.

    Nobody can foretell its name, and it is never one that is there, so that no link is followed.
    On an error it is gone, and the old content stays.

    Raises:
        OSError: if that is not possible; names the path.
    """
    temporary = path.with_name(f"{path.name}.{secrets.token_hex(8)}.tmp")
    opened = temporary.open("xb")
    try:
        with opened as file:
            yield file
            sync(file)
        move(temporary, path)
    except BaseException as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        # The system names no file when a disk is full.
        if isinstance(error, OSError) and error.filename is None:
            error.filename = str(path)
        raise


def move(source: Path, target: Path) -> None:
    """Rename a file or a folder on the same disk, and make the new name last."""
    _patiently(lambda: source.replace(target))
    sync_folder(target.parent)


def taken_over(names: Collection[str], previous: Path | None, folder: Path) -> bool:
    """Give files that never change a place in a second folder; tell whether the first had all."""
    if previous is None or not all((previous / name).is_file() for name in names):
        return False
    for name in names:
        if not (folder / name).exists():
            try:
                os.link(previous / name, folder / name)
            except OSError:  # a disk without links
                shutil.copyfile(previous / name, folder / name)
    return True


def sync(file: IO[bytes]) -> None:
    """Bring what was written to a file onto the disk."""
    file.flush()
    os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Bring the names in a folder onto the disk, where the system can (Windows does so itself)."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_tree(folder: Path) -> None:
    """Bring every file below a folder, and their names, onto the disk."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            # Windows flushes only handles that may write.
            with path.open("r+b") as file:
                os.fsync(file.fileno())
        else:
            sync_folder(path)
    sync_folder(folder)


def remove(path: Path) -> bool:
    """Delete a file or a folder with all in it; tell whether it is gone.

    What another process holds open (Windows) stays, for the next writer to delete.
    """
    with contextlib.suppress(OSError):
        _patiently(lambda: _delete(path))
    return not os.path.lexists(path)


def _delete(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    elif os.path.lexists(path):
        path.unlink()


def _patiently(action: Callable[[], object]) -> None:
    """Try again for a second or two.

    Besides Windows, there are the last threads of Tantivy, which tidy their folder after it was
    closed: a file comes or goes while the folder is being deleted.
    """
    for pause in _PAUSES:
        try:
            action()
            return
        except OSError:
            time.sleep(pause)
    action()
