"""What is measured of a variant: each measure item by item, a row for each seed.

| measure | of the items | share that |
|---|---|---|
| accuracy (ARM) | that count | is right: the first headline measure that counts an item is 0.5 or more |
| rescue | wrong without context | is right with it |
| interference | right without context | is wrong with it: the over-reliance that RULE trains against |
| over_reliance (ARM) | with a picture, answered in both arms | is answered the same when the picture shows nothing and the evidence stays |
| image_blind (ARM) | with a picture | is right without the true picture |
| copied_references | answered beside reports of others | holds words of them |

The names and definitions are those of `medrag eval score`, where a run has them.

Source:
    Over-reliance as items that context turns wrong: Xia et al., RULE, EMNLP 2024.
"""  # noqa: E501 - a table

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from medrag.alignment.comparing.records import Variant
from medrag.evaluation.runs import Run
from medrag.evaluation.scorers import ScoringProtocol
from medrag.evaluation.scores import CONTEXT
from medrag.evaluation.scoring.columns import Columns, gather
from medrag.evaluation.scoring.diagnostics import answered_alike, is_right
from medrag.protocols import Progress
from medrag.records import Item

Floats = NDArray[np.float64]

BARE = "no_context"
# Pictures that show nothing, beside the evidence of the true one.
EMPTY = ("blank_image", "noise_image")
_BLIND = (*EMPTY, "text_only")
# By the beginning of a measure's name: whether more or less of it is a gain. Others are neither:
# image-blind accuracy says what priors give, and accuracy on pictures of noise nothing at all.
_BETTER = {
    "accuracy (context)": 1, "accuracy (no_context)": 1, "rescue": 1, "interference": -1,
    "over_reliance": -1, "copied_references": -1,
}  # fmt: skip


def better(measure: str) -> int:
    """Tell which way a measure is better: 1 for more, -1 for less, 0 for neither."""
    return next((sign for name, sign in _BETTER.items() if measure.startswith(name)), 0)


class Measured:
    """The values of one variant: by measure (n_seeds, n_items), nan where an item does not count.

    Args:
        columns: of each run by arm; every run has the same arms.
        counted: (n_items,) whether an item counts at all.
    """

    def __init__(
        self,
        *,
        name: str,
        columns: Sequence[Mapping[str, Columns]],
        items: Sequence[Item],
        counted: NDArray[np.bool_],
    ) -> None:
        self.name = name
        by_seed = [dict(_values(each, items)) for each in columns]
        self.values: dict[str, Floats] = {
            measure: np.where(counted, np.stack([each[measure] for each in by_seed]), np.nan)
            for measure in by_seed[0]
            if all(measure in each for each in by_seed)
        }

    def right(self, arm: str = CONTEXT) -> Floats | None:
        """Give (n_seeds, n_items), 1 where an arm is right; None where it was not run."""
        return self.values.get(accuracy(arm))


def accuracy(arm: str) -> str:
    """Name the accuracy of an arm."""
    return f"accuracy ({arm})"


def gathered(
    variant: Variant,
    protocol: ScoringProtocol,
    arms: Sequence[str],
    *,
    progress: Progress | None = None,
) -> list[Mapping[str, Columns]]:
    """Score the answers of each run of a variant in some arms."""
    return [_columns(run, protocol, arms, progress) for run in variant.runs]


def answered_by_all(columns: Sequence[Mapping[str, Columns]]) -> NDArray[np.bool_]:
    """Tell which items every run answered in every arm: (n_items,)."""
    missing = [each.missing for arms in columns for each in arms.values()]
    whole: NDArray[np.bool_] = ~np.any(missing, axis=0)
    return whole


def _columns(
    run: Run, protocol: ScoringProtocol, arms: Sequence[str], progress: Progress | None
) -> Mapping[str, Columns]:
    return gather(run, protocol, arms=arms, progress=progress).columns


def _values(arms: Mapping[str, Columns], items: Sequence[Item]) -> Iterator[tuple[str, Floats]]:
    for arm, columns in arms.items():
        yield accuracy(arm), is_right(columns)
    context, bare = arms.get(CONTEXT), arms.get(BARE)
    if context is not None and bare is not None:
        was, now = is_right(bare), is_right(context)
        yield "interference", np.where(was == 1, 1 - now, np.nan)
        yield "rescue", np.where(was == 0, now, np.nan)
    pictured = np.array([bool(item.question.images) for item in items], dtype=bool)
    for name in EMPTY:
        if context is not None and name in arms:
            relied = answered_alike(context, arms[name], items)
            yield f"over_reliance ({name})", np.where(pictured, relied, np.nan)
    for name in _BLIND:
        if name in arms:
            yield f"image_blind ({name})", np.where(pictured, is_right(arms[name]), np.nan)
    if context is not None and "copied_references" in context.values:
        yield "copied_references", context.values["copied_references"]
