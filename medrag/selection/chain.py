"""Several selectors, one after the other."""

from collections.abc import Mapping, Sequence
from typing import Any

from medrag.protocols import Selector
from medrag.records import Hit, Question, Selection
from medrag.selection.checking import check_each


class ChainSelector:
    """Each selector chooses from what the one before kept.

    Raises:
        ValueError: if there is no selector.
    """

    def __init__(self, *, selectors: tuple[Selector, ...]) -> None:
        if not selectors:
            raise ValueError("a chain needs at least one selector")
        self.selectors = selectors

    def select(self, question: Question, ranking: Sequence[Hit]) -> Selection:
        """Select in turn; what any of them drops is dropped, in the order of the ranking.

        Raises:
            RecipeError: if one of them cannot be applied to the scores.
        """
        kept: Sequence[Hit] = ranking
        reasons: list[str] = []
        fired = False
        for each in self.selectors:
            found = each.select(question, kept)
            kept, fired = found.kept, fired or found.fired
            reasons.append(found.reason)
        wanted = {(hit.passage.id, hit.rank) for hit in kept}
        dropped = tuple(hit for hit in ranking if (hit.passage.id, hit.rank) not in wanted)
        return Selection(tuple(kept), dropped, "; ".join(reasons), fired)

    def check_identity(self, identity: Mapping[str, Any], model: str, k: int) -> None:
        """Hold those that were fitted to one pipeline against this one; see `check_each`.

        Raises:
            RecipeError: if one was fitted to another.
        """
        check_each(self.selectors, identity, model, k)
