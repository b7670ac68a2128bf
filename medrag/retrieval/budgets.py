"""How many hits each source of a fused ranking may bring, or is sure to bring."""

from collections.abc import Mapping, Sequence
from typing import Literal

Rule = Literal["at_most", "guaranteed"]


def chosen(
    sources: Sequence[Mapping[str, int]], budgets: Mapping[str, int], rule: Rule, k: int
) -> list[int]:
    """Choose at most k places of a fused ranking so that budgets hold.

    Args:
        sources: of each passage in fused order: its rank with each source that found it, the one
            that ranks it best first.
        budgets: hits by source; one without a budget is unbounded, and guaranteed none.
        rule: "at_most": each passage takes one from the budget of the first of its sources with
            any left, and is left out where none has. "guaranteed": the best of each source, as
            many as its budget, are taken first, in turns where k is too small for all; then the
            rest in order.

    Returns:
        Places from 0, ascending.
    """
    if not budgets:
        return list(range(min(k, len(sources))))
    if rule == "guaranteed":
        return _guaranteed(sources, budgets, k)
    left = dict(budgets)
    kept: list[int] = []
    for place, found in enumerate(sources):
        payer = next((name for name in found if left.get(name, 1) > 0), None)
        if payer is not None and len(kept) < k:
            kept.append(place)
            if payer in left:
                left[payer] -= 1
    return kept


def _guaranteed(
    sources: Sequence[Mapping[str, int]], budgets: Mapping[str, int], k: int
) -> list[int]:
    own = {
        name: sorted(
            (place for place, ranks in enumerate(sources) if name in ranks),
            key=lambda place, name=name: sources[place][name],  # type: ignore[misc]
        )[:budget]
        for name, budget in budgets.items()
    }
    longest = max(map(len, own.values()), default=0)
    turns = [each[n] for n in range(longest) for each in own.values() if n < len(each)]
    wanted = dict.fromkeys([*turns, *range(len(sources))])
    return sorted(list(wanted)[:k])
