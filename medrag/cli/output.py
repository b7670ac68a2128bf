"""What a person or a program reads: results on stdout, messages on stderr."""

import json
import os
import re
import sys
from collections.abc import Iterable, Sequence
from typing import Any

import typer

from medrag.language import CONTROLS
from medrag.language import printable as printable

# What Python reads in the place of bytes that its locale cannot decode.
_ESCAPED = re.compile("[\udc80-\udcff]")
# What JSON must not hold as it is: what a terminal would obey, and what cannot be written.
_UNSHOWN = re.compile(f"{CONTROLS.pattern}|[\ud800-\udfff]")


def prepare_streams() -> None:
    """Print what the terminal's encoding lacks as a question mark, instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")


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


def p_value(p: float) -> str:
    """Write a p-value to three decimals."""
    return "<0.001" if p < 0.001 else f"{p:.3f}"


def show(text: str = "") -> None:
    """Print a line of a result."""
    typer.echo(printable(text))


def show_json(value: Any) -> None:
    """Print a result as JSON, on one line; what a terminal would obey is escaped."""
    written = json.dumps(value, ensure_ascii=False, allow_nan=False)
    typer.echo(_UNSHOWN.sub(_escaped, written))


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


def _escaped(match: re.Match[str]) -> str:
    """Write a character as JSON escapes it, in halves where it has more than four digits."""
    units = match.group().encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[i : i + 2].hex()}" for i in range(0, len(units), 2))
