"""How numbers are written: separators of thousands and decimals."""

import re

_DECIMAL_COMMA = frozenset({"de", "fr", "es", "it", "pt", "nl"})
_BLANKS = re.compile(r"[ \u00a0\u202f]")
_THOUSANDS = re.compile(r"[1-9]\d{0,2},\d{3}")


def with_point(written: str, language: str) -> str:
    """Write a number with a decimal point and no separators of thousands.

    A comma before groups of three digits parts thousands; any other comma is a decimal comma, and
    so is every single one where the language writes decimals so. Blanks part thousands.

    Args:
        written: digits, commas, points and blanks.
        language: ISO 639-1 code.
    """
    written = _BLANKS.sub("", written)
    commas, points = written.count(","), written.count(".")
    if commas and points:
        whole, _, part = written.rpartition(max(",", ".", key=written.rfind))
        return f"{whole.replace(',', '').replace('.', '')}.{part}"
    if commas == 1:
        groups = _THOUSANDS.fullmatch(written) and language not in _DECIMAL_COMMA
        return written.replace(",", "" if groups else ".")
    return written.replace(",", "") if points < 2 else written.replace(".", "")
