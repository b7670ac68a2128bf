"""A ranking parted into what is kept and what is dropped, each in its order."""

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager

from medrag.errors import RecipeError
from medrag.records import Hit, Question, Selection
from medrag.selection.cutting import Cut
from medrag.selection.scales import Floats, by_score, unscored

_SHOWN = 60


def parted(ranking: Sequence[Hit], kept: Collection[int], reason: str, *, fired: bool) -> Selection:
    """Keep the hits at some places of a ranking, in the order of the ranking."""
    wanted = frozenset(kept)
    return Selection(
        kept=tuple(hit for place, hit in enumerate(ranking) if place in wanted),
        dropped=tuple(hit for place, hit in enumerate(ranking) if place not in wanted),
        reason=reason,
        fired=fired,
    )


def parted_by_score(ranking: Sequence[Hit], scores: Floats, cut: Cut, reason: str) -> Selection:
    """Keep as many of the best scores as a cut keeps; hits without a score come after all others.

    Args:
        scores: (n_hits,), of the ranking; nan where a hit has none.
    """
    places = [*by_score(scores), *unscored(scores)]
    return parted(ranking, places[: len(cut.kept)], reason, fired=cut.fired)


@contextmanager
def naming(question: Question, selector: str) -> Iterator[None]:
    """Say for which question a selector cannot be applied to the scores it got.

    Raises:
        RecipeError: in place of a ValueError.
    """
    try:
        yield
    except ValueError as error:
        named = question.id or question.text
        raise RecipeError(
            f"the selector {selector!r} cannot be applied to the hits of question "
            f"{named[:_SHOWN]!r}: {error}"
        ) from error
