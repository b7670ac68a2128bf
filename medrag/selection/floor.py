"""Keep hits that score well enough, or nothing at all where none does."""

from collections.abc import Sequence
from math import isfinite

from medrag.records import Hit, Question, Selection
from medrag.selection.cutting import bounded, check_bounds
from medrag.selection.parting import naming, parted_by_score
from medrag.selection.scales import FUSED, by_score, scores_of


class FloorSelector:
    """Keep the hits whose score reaches a floor.

    Args:
        floor: a score on the scale of the encoder or reranker; another has another.
        score: "fused", or a channel or reranker of `Hit.parts`; hits without it are below.
        k_min, k_max: hits to keep at least and at most.

    Raises:
        ValueError: if a number is out of range.
    """

    def __init__(
        self, *, floor: float, score: str = FUSED, k_min: int = 1, k_max: int = 10
    ) -> None:
        check_bounds(k_min, k_max)
        self.floor = checked_floor(floor)
        self.score = score
        self.k_min = k_min
        self.k_max = k_max

    def select(self, question: Question, ranking: Sequence[Hit]) -> Selection:
        """Keep what reaches the floor.

        Raises:
            RecipeError: if no hit has such a score; names the question.
        """
        with naming(question, "floor"):
            scores = scores_of(ranking, self.score)
        keeps = int((scores >= self.floor).sum())
        cut = bounded(keeps, len(ranking), k_min=self.k_min, k_max=self.k_max)
        reason = f"{keeps} {self.score} scores reach {self.floor:g}, {len(cut.kept)} kept"
        return parted_by_score(ranking, scores, cut, reason)


class NoContextBelowSelector:
    """Keep every hit, or none where even the best score is below a floor.

    The answer is then given without context, or withheld, as the answerer does; put it last in a
    `chain`, after a selector that cuts.

    Args:
        floor, score: as of `FloorSelector`.

    Raises:
        ValueError: if the floor is no number.
    """

    def __init__(self, *, floor: float, score: str = FUSED) -> None:
        self.floor = checked_floor(floor)
        self.score = score

    def select(self, question: Question, ranking: Sequence[Hit]) -> Selection:
        """Keep all or nothing.

        Raises:
            RecipeError: if no hit has such a score; names the question.
        """
        with naming(question, "no_context_below"):
            scores = scores_of(ranking, self.score)
        order = by_score(scores)
        if not order:
            return Selection((), tuple(ranking), "nothing was found")
        best = float(scores[order[0]])
        if best >= self.floor:
            reason = f"the best {self.score} score, {best:.4g}, reaches {self.floor:g}"
            return Selection(tuple(ranking), (), reason)
        reason = f"no context: the best {self.score} score, {best:.4g}, is below {self.floor:g}"
        return Selection((), tuple(ranking), reason, fired=True)


def checked_floor(floor: float) -> float:
    """Refuse a floor that is no number.

    Raises:
        ValueError: if it is infinite or nan.
    """
    if not isfinite(floor):
        raise ValueError(f"floor must be a number, got {floor}")
    return floor
