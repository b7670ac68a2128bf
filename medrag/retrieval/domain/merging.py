"""Rankings of several domains into one."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from medrag.records import Hit, Part
from medrag.retrieval.fusion import reciprocal_rank_fusion

_DECIMALS = 12


def merged(
    rankings: Mapping[str, Sequence[Hit]], k: int, *, c: float, likely: Mapping[str, float]
) -> tuple[Hit, ...]:
    """Merge rankings by reciprocal rank; the order in which domains are named does not matter.

    Of equal scores, what the likeliest domain found comes first, then the smaller id. A hit is
    that of the ranking where it stands highest; its parts are those of all, the best of each name,
    with its rank in each domain as "domain NAME".

    Args:
        rankings: by domain; scores of one need not compare with those of another.
        k: hits to keep.
        c: damping of reciprocal ranks; above 0.
        likely: probabilities of domains; 0 where one is missing.
    """
    names = sorted(rankings, key=lambda name: (-likely.get(name, 0.0), name))
    ids = sorted({hit.passage.id for hits in rankings.values() for hit in hits})
    if not ids:
        return ()
    column = {each: place for place, each in enumerate(ids)}
    ranks = np.zeros((len(names), len(ids)), dtype=np.int64)
    found: dict[str, list[tuple[str, Hit]]] = {each: [] for each in ids}
    for row, name in enumerate(names):
        for rank, hit in enumerate(rankings[name], start=1):
            ranks[row, column[hit.passage.id]] = rank
            found[hit.passage.id].append((name, replace(hit, rank=rank)))
    scores = np.round(reciprocal_rank_fusion(ranks, c=c), _DECIMALS)
    first = np.argmax(ranks > 0, axis=0)
    order = np.lexsort((np.arange(len(ids)), first, -scores))[:k]
    return tuple(
        _hit(found[ids[place]], float(scores[place]), rank)
        for rank, place in enumerate(order.tolist(), start=1)
    )


def _hit(found: Sequence[tuple[str, Hit]], score: float, rank: int) -> Hit:
    best = min((hit for _, hit in found), key=lambda hit: hit.rank)
    parts: dict[str, Part] = {}
    for _, hit in found:
        for name, part in hit.parts.items():
            if name not in parts or part.rank < parts[name].rank:
                parts[name] = part
    parts |= {f"domain {name or 'any'}": Part(hit.rank, hit.score) for name, hit in found}
    return replace(best, score=score, rank=rank, parts=parts)
