"""What retrieving tells beyond the hits: decisions on the way, and what they cost."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from medrag.records.answers import Usage
from medrag.records.rankings import Hit


@dataclass(frozen=True, slots=True)
class Routing:
    """Which domains a question belongs to.

    Attributes:
        domains: to search, likeliest first; empty where none can be told, and all are searched.
        known: whether the first is sure enough to be searched alone.
        probabilities: of each domain that was told apart.
        reason: how it was decided, in words.
    """

    domains: tuple[str, ...] = ()
    known: bool = False
    probabilities: Mapping[str, float] = field(default_factory=dict, hash=False)
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Retrieved:
    """A ranking, and how it came about.

    Attributes:
        trace: what was decided, step by step, as JSON values with a key "step".
        usage: of the models that were asked on the way; None where none was.
    """

    hits: tuple[Hit, ...]
    trace: tuple[Mapping[str, Any], ...] = field(default=(), hash=False)
    usage: Usage | None = None
