"""Open a PDF that can be read whole, and name file and place where MuPDF fails on one."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from medrag.errors import InputFileError
from medrag.extras import Library, require

_TAIL_BYTES = 2048
_PADDING_BYTES = 65536


@contextmanager
def opened(path: Path) -> Iterator[Library]:
    """Open a PDF that can be read whole; MuPDF prints nothing meanwhile.

    Raises:
        InputFileError: if the file is missing, empty, cut short, encrypted, damaged, without pages
            or not a PDF.
    """
    pymupdf = require("pymupdf")
    _check_ends(path)
    shown = pymupdf.TOOLS.mupdf_display_errors(), pymupdf.TOOLS.mupdf_display_warnings()
    pymupdf.TOOLS.mupdf_display_errors(False)
    pymupdf.TOOLS.mupdf_display_warnings(False)
    try:
        with failing_as(path, None):
            document = pymupdf.open(path, filetype="pdf")
        with document:
            with failing_as(path, None):
                _check_readable(path, document)
                pymupdf.TOOLS.reset_mupdf_warnings()
            yield document
    finally:
        pymupdf.TOOLS.mupdf_display_errors(shown[0])
        pymupdf.TOOLS.mupdf_display_warnings(shown[1])


def check_whole(document: Library) -> None:
    """Refuse a repaired PDF of which MuPDF missed something since it was opened.

    MuPDF repairs what it can: a wrong table of objects loses nothing, a missing part of the file
    loses pages, and only a message tells the two apart.

    Raises:
        InputFileError: if the file is damaged and something of it is lost.
    """
    messages = require("pymupdf").TOOLS.mupdf_warnings()
    if document.is_repaired and messages:
        raise _damaged(Path(document.name), messages)


def page_count(path: Path) -> int:
    """Count the pages of a PDF without reading them.

    Raises:
        InputFileError: as `opened`.
    """
    with opened(path) as document:
        return int(document.page_count)


@contextmanager
def failing_as(path: Path, place: str | None) -> Iterator[None]:
    """Name the file and the place where MuPDF fails; it raises no errors of its own elsewhere."""
    try:
        yield
    except _mupdf_errors() as error:
        raise _damaged(path, str(error) or type(error).__name__, place=place) from error


def _damaged(path: Path, messages: str, *, place: str | None = None) -> InputFileError:
    said = messages.splitlines()[0]
    problem = f"damaged ({said}); get the file again, or repair it: mutool clean IN OUT"
    return InputFileError(path, problem, place=place)


@cache
def _mupdf_errors() -> tuple[type[Exception], ...]:
    # PyMuPDF's own code fails with the builtin ones on damaged objects.
    return RuntimeError, ValueError, TypeError, require("pymupdf").mupdf.FzErrorBase


def _check_ends(path: Path) -> None:
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - _PADDING_BYTES - _TAIL_BYTES))
            # Some writers pad files with zeros.
            tail = file.read().rstrip(b"\0 \t\r\n")[-_TAIL_BYTES:]
    except OSError as error:
        problem = f"cannot be read ({error.strerror}); check that it exists and its permissions"
        raise InputFileError(path, problem) from error
    if not size:
        raise InputFileError(path, "empty (0 bytes); get the file again")
    if b"%%EOF" not in tail:
        raise InputFileError(
            path, "no PDF, or cut short (it lacks the end mark %%EOF); get the file again"
        )


def _check_readable(path: Path, document: Library) -> None:
    if not document.is_pdf:
        raise InputFileError(path, "not a PDF; name it by what it is")
    if document.needs_pass:
        raise InputFileError(path, "encrypted; save a copy without password and index that")
    if not document.page_count:
        problem = "a PDF without pages, or none of them can be found; get the file again"
        raise InputFileError(path, problem)
