"""What several requests to models took together."""

from collections.abc import Iterable, Sequence
from typing import Any

from medrag.records.answers import Usage


def summed(usages: Sequence[Usage]) -> Usage:
    """Add up usage; what is not known of one is not known of all."""
    return Usage(
        _sum([each.prompt_tokens for each in usages]),
        _sum([each.completion_tokens for each in usages]),
        _sum([each.cost for each in usages]),
    )


def together(usages: Iterable[Usage | None]) -> Usage | None:
    """Add up the usage of those that asked a model; None where none did."""
    known = [usage for usage in usages if usage is not None]
    return summed(known) if known else None


def _sum(values: Sequence[float | None]) -> Any:
    known = [value for value in values if value is not None]
    return sum(known) if len(known) == len(values) else None
