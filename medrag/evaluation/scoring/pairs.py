"""Pairs of pictures that are asked the same, as MediConfusion has them: what a pair adds."""

from collections.abc import Mapping, Sequence

from medrag.evaluation.pairsets import PairAnswer, pair_statistics
from medrag.evaluation.scoring.columns import NO_CLASS, Columns
from medrag.evaluation.scoring.spreading import spread
from medrag.evaluation.statistics import Statistic
from medrag.records import Item


def pair_measures(columns: Columns, items: Sequence[Item]) -> dict[str, Statistic]:
    """Score the pairs of a run of which both items are answered; nothing if none is.

    Each pair counts at its first item, so that the statistics are of items like all others.
    """
    places: dict[str, list[int]] = {}
    for place, item in enumerate(items):
        pair = item.fields.get("pair")
        is_asked = item.kind == "choice" and item.references[:1] != ()
        if pair is not None and is_asked and not columns.missing[place]:
            places.setdefault(str(pair), []).append(place)
    whole = {pair: two for pair, two in places.items() if len(two) == 2}
    if not whole:
        return {}
    pairs: Mapping[str, Sequence[PairAnswer]] = {
        pair: [_answer(columns, items[place], place) for place in two]
        for pair, two in whole.items()
    }
    made = pair_statistics(pairs)
    firsts = [two[0] for two in whole.values()]
    return {f"pair_{name}": spread(one, firsts, len(items)) for name, one in made.items()}


def _answer(columns: Columns, item: Item, place: int) -> PairAnswer:
    chosen = columns.classes[place]
    right = str(item.question.options.index(item.references[0]))
    return PairAnswer(None if chosen == NO_CLASS else chosen, right, columns.evidence.get(place))
