"""What was read, in a few characters."""

from medrag.evaluation.parsed import (
    Abstained,
    Boxes,
    Letters,
    Number,
    Parsed,
    Text,
    Unparsed,
    YesNo,
)
from medrag.prompting.templates import letter

_LONGEST = 60


def shown(parsed: Parsed) -> str:
    """Show what was read: "yes", "B", "A, C", "12 mm", "unparsed: empty answer"."""
    match parsed:
        case YesNo(value):
            return "yes" if value else "no"
        case Letters(options):
            return ", ".join(map(letter, options)) or "none"
        case Number(value, unit):
            return f"{value:g} {unit}".rstrip()
        case Boxes(boxes):
            return f"{len(boxes)} box" if len(boxes) == 1 else f"{len(boxes)} boxes"
        case Text(text):
            return shortened(text)
        case Abstained(phrase):
            return f"abstained: {shortened(phrase)}" if phrase else "abstained"
        case Unparsed(reason):
            return f"unparsed: {reason}"


def shortened(text: str) -> str:
    """Cut a text to a few words on one line."""
    line = " ".join(text[: 4 * _LONGEST].split())
    return line if len(line) <= _LONGEST else line[: _LONGEST - 1].rstrip() + "…"
