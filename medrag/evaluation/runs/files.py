"""The files of a run: their names, their lines, and what is told when the disk refuses."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from medrag.errors import EvaluationError
from medrag.indexing.durable import write_atomically

MANIFEST, ITEMS = "manifest.json", "items.jsonl"
PASSAGES, ANSWERS = "passages.jsonl", "answers.jsonl"
CANDIDATES = "candidates.json"
# What a line may fail with if a program or a person wrote something else.
BROKEN = (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError)


@contextmanager
def naming(path: Path, action: str) -> Iterator[None]:
    """Say which file the system refuses.

    Args:
        action: what was tried: "read" or "written".

    Raises:
        EvaluationError: in place of an OSError.
    """
    try:
        yield
    except OSError as error:
        way_out = {
            "written": "make room on the disk, or give a folder that may be written to, and run "
            "again: what is answered stays",
        }.get(action, "see who may read it")
        raise EvaluationError(
            f"{path} cannot be {action} ({error.strerror or error}); {way_out}"
        ) from error


def write_file(path: Path, content: bytes) -> None:
    """Replace a file of a run, whole or not at all.

    Raises:
        EvaluationError: if the disk refuses; names the path.
    """
    with naming(path, "written"):
        write_atomically(path, content)


def whole_lines(path: Path, end: int | None = None) -> Iterator[tuple[int, bytes]]:
    """Give number and text of each line; a last one without an end was cut short.

    Args:
        end: bytes to read at most; None for all.

    Raises:
        EvaluationError: if the file is missing or cannot be read.
    """
    if not path.is_file():
        raise EvaluationError(f"{path} is missing; run again")
    read = 0
    with naming(path, "read"), path.open("rb") as stream:
        for number, line in enumerate(stream, start=1):
            read += len(line)
            if not line.endswith(b"\n") or (end is not None and read > end):
                return
            yield number, line
