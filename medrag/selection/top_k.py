"""Keep the first k hits."""

from collections.abc import Sequence

from medrag.records import Hit, Question, Selection


class TopKSelector:
    """Keep the first k hits of a ranking.

    Raises:
        ValueError: if k is below 1.
    """

    def __init__(self, *, k: int = 5) -> None:
        if k < 1:
            raise ValueError(f"k must be at least 1, got {k}")
        self.k = k

    def select(self, question: Question, ranking: Sequence[Hit]) -> Selection:  # noqa: ARG002
        """Split the ranking after its first k hits, whatever their scores."""
        kept, dropped = tuple(ranking[: self.k]), tuple(ranking[self.k :])
        return Selection(kept, dropped, f"the first {self.k}", fired=bool(dropped))
