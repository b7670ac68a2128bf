"""What the list and the cards of encoders and of generators have in common."""

import textwrap
from collections.abc import Iterable, Mapping
from typing import Protocol

from medrag.cli.output import shortened, table

_MARKS = {"verified": "V", "secondary": "S", "from memory": "M"}
_GATES = {
    "none": "open", "accept": "accept its terms", "request": "request access",
    "download": "got by hand",
}  # fmt: skip
_LICENCE = 16
_WIDTH = 76


class Listed(Protocol):
    """A preset of either kind."""

    @property
    def evidence(self) -> str: ...
    @property
    def differs(self) -> Mapping[str, str]: ...
    @property
    def licence(self) -> str: ...
    @property
    def gate(self) -> str: ...


def last_cells(preset: Listed, state: str) -> tuple[str, str, str]:
    """Give the cells "licence", "known" and "here" of a list."""
    known = _MARKS[preset.evidence] + ("+" if preset.differs else "")
    gated = state == "download" and preset.gate in ("accept", "request")
    return shortened(preset.licence, _LICENCE), known, "gated" if gated else state


def access(preset: Listed) -> str:
    """Say what stands before a download."""
    return _GATES[preset.gate]


def mark(preset: Listed, key: str) -> str:
    """Say how well a fact is known, where that is not as well as the others."""
    return f"  [{preset.differs[key]}]" if key in preset.differs else ""


def facts_table(told: Iterable[tuple[str, str]]) -> str:
    """Lay out facts by name, those that there are, long ones over several lines."""
    return table(
        ("" if n else name, line)
        for name, value in told
        if value
        for n, line in enumerate(textwrap.wrap(value, _WIDTH, break_long_words=False))
    )
