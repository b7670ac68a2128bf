"""Bytes to text: UTF-8 or UTF-16 by their marks, UTF-8 without one, else Latin-1, and noted."""

import codecs
import re
from dataclasses import dataclass
from pathlib import Path

from medrag.errors import InputFileError

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
# What printed text does not hold: control characters other than tab, line feed, form feed, return.
_CONTROLS = re.compile("[\x00-\x08\x0b\x0e-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Decoded:
    """A text without byte order mark. `guessed`: its bytes are no UTF-8, so Latin-1 was assumed."""

    text: str
    encoding: str
    guessed: bool = False


def decode(data: bytes, *, cut: bool = False) -> Decoded:
    """Decode bytes; never fails.

    With `cut`, the bytes are the beginning of a longer text and may end inside a character.
    """
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return Decoded(data[len(mark) :].decode(encoding, "replace"), encoding)
    try:
        decoder = codecs.getincrementaldecoder("utf-8")()
        return Decoded(decoder.decode(data, not cut), "utf-8")
    except UnicodeDecodeError:
        return Decoded(data.decode("latin-1"), "latin-1", guessed=True)


def beginning(path: Path, size: int = 1 << 16) -> str:
    """Decode the first `size` bytes of a file, without the white space before the text.

    Raises:
        InputFileError: if it cannot be read.
    """
    try:
        with path.open("rb") as file:
            head = file.read(size)
    except OSError as error:
        raise InputFileError(path, f"cannot be read ({error.strerror})") from error
    return decode(head, cut=True).text.lstrip()


def is_binary(decoded: Decoded) -> bool:
    """Tell whether what was decoded cannot be a text: a NUL, or one in 50 control characters."""
    found = len(_CONTROLS.findall(decoded.text))
    return "\x00" in decoded.text or found * 50 > len(decoded.text)


def printable(text: str) -> str:
    """Drop control characters, and letters of broken UTF-16 pairs, that no store takes."""
    if text.isprintable():
        return text
    return _CONTROLS.sub("", text).encode("utf-8", "ignore").decode("utf-8")
