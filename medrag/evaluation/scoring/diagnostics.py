"""What context and pictures do to the answers: arms beside each other, item by item."""

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from medrag.evaluation.scores import CONTEXT, RIGHT, STATES, Diagnostics, Estimate, Flow
from medrag.evaluation.scoring.columns import Columns
from medrag.evaluation.statistics import Resamples, Statistic, mean_of
from medrag.records import Item

# (before, after): what changes between them is context, the right context, or the guard.
_FLOWS = (
    ("no_context", CONTEXT),
    ("random_context", CONTEXT),
    (CONTEXT, "oracle_context"),
    (CONTEXT, "no_guard"),
)
_BLIND = ("blank_image", "noise_image", "text_only")
_SHARES = {
    "has_context": "has_context",
    "rule_fired": "rule_fired",
    "near_duplicate": "near_duplicate",
    "mean_evidence": "n_evidence",
    "copied_references": "copied_references",
    "laterality_contradicted": "laterality_contradicted",
    "negation_contradicted": "negation_contradicted",
}


def diagnose(
    columns: Mapping[str, Columns], items: Sequence[Item], resamples: Resamples
) -> Diagnostics:
    """Compare the arms of a run with each other.

    Shares, where the arms that they need were run:

    - rescue: of the items wrong without context, those right with it; interference: of those right
      without, those wrong with it. The same beside random context: "... of random_context".
    - over_reliance (ARM): of the items with a picture that both arms answered, those answered the
      same when the picture shows nothing and the evidence stays: read as the same, or for open
      questions in the same words.
    - image_blind (ARM): right answers without the picture, among the items that have one.
    - has_context, rule_fired, near_duplicate, mean_evidence, copied_references and contradictions
      are of the arm "context", or the first one.
    """
    main = columns.get(CONTEXT) or next(iter(columns.values()))
    pictured = np.array([bool(item.question.images) for item in items], dtype=bool)
    statistics: dict[str, Statistic] = {}
    for before in ("no_context", "random_context"):
        if before in columns and CONTEXT in columns:
            statistics |= _changes(columns[before], columns[CONTEXT])
    for name in _BLIND:
        if name in columns:
            statistics |= _blind(columns[name], columns.get(CONTEXT), pictured, items)
    for name, column in _SHARES.items():
        if column in main.values:
            statistics[name] = mean_of(main.values[column])
    flows = tuple(
        flow(columns[before], columns[after], items)
        for before, after in _FLOWS
        if before in columns and after in columns
    )
    shares: dict[str, Estimate] = resamples.estimates(statistics)
    return Diagnostics(flows, shares, dict(_counts(main)))


def is_right(columns: Columns) -> NDArray[np.float64]:
    """Tell right (1) from wrong (0); nan where the headline does not count the item."""
    return np.where(np.isnan(columns.right), np.nan, columns.right >= RIGHT)


def answered_alike(one: Columns, other: Columns, items: Sequence[Item]) -> NDArray[np.float64]:
    """Give 1 where two arms answered the same, 0 where not, nan where either has no answer."""
    answered = STATES.index("answered")
    both = (one.states == answered) & (other.states == answered)
    alike = [
        one.digests[place] == other.digests[place]
        if item.kind in ("text", "report")
        else one.parsed[place] == other.parsed[place]
        for place, item in enumerate(items)
    ]
    return np.where(both, np.array(alike, dtype=np.float64), np.nan)


def flow(before: Columns, after: Columns, items: Sequence[Item]) -> Flow:
    """Sort the items by what became of them between two arms."""
    was, now = is_right(before), is_right(after)

    def where(first: float, second: float) -> tuple[str, ...]:
        chosen = np.flatnonzero((was == first) & (now == second))
        return tuple(items[int(place)].id for place in chosen)

    return Flow(before.arm, after.arm, where(0, 1), where(1, 0), where(1, 1), where(0, 0))


def _changes(before: Columns, after: Columns) -> dict[str, Statistic]:
    was, now = is_right(before), is_right(after)
    of = "" if before.arm == "no_context" else f" of {before.arm}"
    return {
        f"rescue{of}": mean_of(np.where(was == 0, now, np.nan)),
        f"interference{of}": mean_of(np.where(was == 1, 1 - now, np.nan)),
    }


def _blind(
    blind: Columns,
    context: Columns | None,
    pictured: NDArray[np.bool_],
    items: Sequence[Item],
) -> dict[str, Statistic]:
    right = np.where(pictured, is_right(blind), np.nan)
    found = {f"image_blind ({blind.arm})": mean_of(right)}
    # Without the picture retrieval brings other evidence, too: that says nothing of the reader.
    if context is not None and blind.arm != "text_only":
        alike = answered_alike(context, blind, items)
        found[f"over_reliance ({blind.arm})"] = mean_of(np.where(pictured, alike, np.nan))
    return found


def _counts(main: Columns) -> Counter[str]:
    return Counter(dict(sorted(main.counts.items())))
