"""A text printed while it comes, with nothing in it that drives the terminal."""

import logging
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from medrag.language import printable

# What the next piece may go on with: a sequence, or letters about joiners.
_OPEN = re.compile(
    r"(?:\x1b(?:\[[0-?]*[ -/]*|\][^\x07\x1b\x9c\n]*\x1b?|[PX^_][^\x1b\x9c\n]*\x1b?|[ -/]*)"
    r"|\x9b[0-?]*[ -/]*|[\x90\x98\x9d-\x9f][^\x07\x1b\x9c\n]*\x1b?"
    r"|[^\x00-\x7f](?:[\u200c\u200d]+[^\x00-\x7f])*[\u200c\u200d]*)\Z"
)
# What is held back at most: a sequence that never ends must not hold back the answer.
_MOST_HELD = 256


class StreamPrinter:
    """Print pieces of a text as they come; a control sequence in several pieces is taken out, too.

    `text` is what was printed.

    Args:
        write: gets what is safe to print.
    """

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write
        self._held = ""
        self.text = ""

    def __call__(self, piece: str) -> None:
        text = self._held + piece
        start = max(0, len(text) - _MOST_HELD)
        open_one = _OPEN.search(text, start)
        end = open_one.start() if open_one else len(text)
        self._held = text[end:]
        self._print(text[:end])

    def finish(self) -> None:
        """Print what was held back, and end the line."""
        self._print(self._held)
        self._held = ""
        self.end_line()

    def end_line(self) -> None:
        """End the line that was begun, if one was."""
        if self.text and not self.text.endswith("\n"):
            self._print("\n")

    def _print(self, text: str) -> None:
        if shown := printable(text):
            self.text += shown
            self._write(shown)


class _OnLinesOfItsOwn(logging.Handler):
    def __init__(self, printer: StreamPrinter, tell: Callable[[str], None]) -> None:
        super().__init__(logging.WARNING)
        self._printer = printer
        self._tell = tell

    def emit(self, record: logging.LogRecord) -> None:
        self._printer.end_line()
        self._tell(record.getMessage())


@contextmanager
def warnings_beside(printer: StreamPrinter, tell: Callable[[str], None]) -> Iterator[None]:
    """Tell warnings of medrag on lines of their own, and not within a line of the answer."""
    logger = logging.getLogger("medrag")
    handler = _OnLinesOfItsOwn(printer, tell)
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
