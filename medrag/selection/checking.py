"""Selectors that were fitted to one pipeline, wherever they stand within others."""

from collections.abc import Iterable, Mapping
from typing import Any, Protocol, runtime_checkable


@runtime_checkable
class Fitted(Protocol):
    """A selector that was fitted to one pipeline, or holds such, and refuses any other."""

    def check_identity(self, identity: Mapping[str, Any], model: str, k: int) -> None: ...


def check_each(
    selectors: Iterable[object], identity: Mapping[str, Any], model: str, k: int
) -> None:
    """Hold the selectors that were fitted to one pipeline against this one.

    Args:
        identity: of the pipeline: its recipe and its index.
        model: that answers, as `Answer.model` names it.
        k: hits that the pipeline asks for.

    Raises:
        RecipeError: if one was fitted to another; says what differs.
    """
    for each in selectors:
        if isinstance(each, Fitted):
            each.check_identity(identity, model, k)
