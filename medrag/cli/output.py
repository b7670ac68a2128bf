"""What a person or a program reads: results on stdout, messages on stderr."""

import json
import os
import re
import sys
from collections.abc import Iterable, Sequence
from typing import Any

import typer

# Escape sequences first, then what is left of control characters, and the marks that turn the
# direction of writing: text of a library must not drive the terminal that shows it.
_SEQUENCES = re.compile(
    r"\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b[PX^_].*?(?:\x1b\\|$)|[\x1b\x9b]\[?[0-?]*[ -/]*[@-~]",
    re.DOTALL,
)
# What Python reads in the place of bytes that its locale cannot decode.
_ESCAPED = re.compile("[\udc80-\udcff]")
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def prepare_streams() -> None:
    """Print what the terminal's encoding lacks as a question mark, instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")


def printable(text: str) -> str:
    """Take from a text what a terminal would obey instead of show."""
    return _CONTROLS.sub("", _SEQUENCES.sub("", text))


def typed(text: str) -> str:
    """Read a text of the command line as UTF-8, whatever the locale took it for.

    Bytes that are not UTF-8 become replacement characters: no index holds them.
    """
    if text.isascii() or not _ESCAPED.search(text):
        return text
    return os.fsencode(text).decode("utf-8", "replace")


def line(text: str) -> str:
    """Put a text on one line."""
    return " ".join(printable(text).split())


def shortened(text: str, width: int) -> str:
    """Put a text on one line of at most `width` characters."""
    whole = line(text)
    return whole if len(whole) <= width else f"{whole[: width - 1].rstrip()}…"


def number(n: int, noun: str) -> str:
    """Join a count and its noun, whose plural ends in "s"."""
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"


def show(text: str = "") -> None:
    """Print a line of a result."""
    typer.echo(printable(text))


def show_json(value: Any) -> None:
    """Print a result as JSON, on one line; what a terminal would obey is escaped."""
    written = json.dumps(value, ensure_ascii=False, allow_nan=False)
    typer.echo(_CONTROLS.sub(lambda match: f"\\u{ord(match.group()):04x}", written))


def message(text: str, *, error: bool = False) -> None:
    """Tell a person something beside the result."""
    clean = printable(text)
    typer.echo(typer.style(clean, fg="red") if error else clean, err=True)


def table(rows: Iterable[Sequence[str]], *, indent: str = "") -> str:
    """Lay out rows in columns; the last column is not padded."""
    listed = [[line(cell) for cell in row] for row in rows]
    if not listed:
        return ""
    widths = [max(len(row[i]) for row in listed) for i in range(len(listed[0]) - 1)]
    return "\n".join(
        (indent + "  ".join([*map(str.ljust, row[:-1], widths), row[-1]])).rstrip()
        for row in listed
    )
