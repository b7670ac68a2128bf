"""Hits that several queries of one question brought, as one ranking."""

from collections.abc import Sequence
from dataclasses import replace

from medrag.records import Hit


def joined(hits: Sequence[Hit], new: Sequence[Hit]) -> tuple[Hit, ...]:
    """Add hits behind others; of a passage that was there, what its summary does not say yet."""
    by_id = {hit.passage.id: hit for hit in hits}
    for hit in new:
        known = by_id.setdefault(hit.passage.id, hit)
        if f"\n{hit.summary}\n" not in f"\n{known.summary}\n":
            both = "\n".join(filter(None, (known.summary, hit.summary)))
            by_id[hit.passage.id] = replace(known, summary=both)
    return tuple(by_id.values())


def ranked_in_order(hits: Sequence[Hit], k: int) -> tuple[Hit, ...]:
    """Rank the first k as they stand; the score of a hit is 1 / rank."""
    return tuple(
        replace(hit, rank=rank, score=1 / rank) for rank, hit in enumerate(hits[:k], start=1)
    )
