"""Citation markers, such as [1], [1, 2] and [1-3]: what they say, and a text without them."""

import re
from typing import NamedTuple

MARKER = re.compile(r"\[\s*[0-9]+(?:\s*[,;–—-]\s*[0-9]+)*\s*\]")
_NUMBERS = re.compile(r"([0-9]+)(?:\s*[–—-]\s*([0-9]+))?")
_LEAD = re.compile(r"(?:\s*" + MARKER.pattern + r")+")


class Markers(NamedTuple):
    """What the markers of a text say. `numbers`: each once, ascending; `broken`: as written."""

    numbers: tuple[int, ...]
    broken: tuple[str, ...]


def markers(text: str, n: int) -> Markers:
    """Read the markers of a text.

    Args:
        text: of an answer.
        n: markers 1 to n mean something; a marker that names any other number, or a range that
            runs backwards, is broken.
    """
    numbers: set[int] = set()
    broken: dict[str, None] = {}
    for match in MARKER.finditer(text):
        for low, high in _ranges(match.group()):
            # Compared before it is expanded: [1-999999999] must cost nothing.
            if 1 <= low <= high <= n:
                numbers.update(range(low, high + 1))
            else:
                broken[match.group()] = None
    return Markers(tuple(sorted(numbers)), tuple(broken))


def without_markers(text: str) -> str:
    """Take the markers out of a text, with the blanks before them."""
    pieces: list[str] = []
    last = 0
    for match in MARKER.finditer(text):
        # Not by a pattern that begins with blanks: it would try a run of them from each blank.
        pieces.append(text[last : match.start()].rstrip())
        last = match.end()
    return "".join([*pieces, text[last:]]).strip()


def leading_markers(text: str) -> int:
    """Count the characters of the markers that a text begins with, and the blanks before them."""
    match = _LEAD.match(text)
    return match.end() if match else 0


def _ranges(marker: str) -> list[tuple[int, int]]:
    pairs = []
    for match in _NUMBERS.finditer(marker):
        # Python refuses to read endless digits; twelve are more than any prompt holds.
        low, high = match.group(1)[:12], (match.group(2) or match.group(1))[:12]
        pairs.append((int(low), int(high)))
    return pairs
