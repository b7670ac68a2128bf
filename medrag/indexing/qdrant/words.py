"""BM25 as the inner product of two sparse vectors, which Qdrant then searches as any others.

A term is a word stem in a field (text or title) of a language, named by a hash of 32 bits. Two
that share one, of a million about every four thousandth, count as one word. In a passage it weighs
what its frequency is worth, in a question its rarity. Qdrant's own rarity (`Modifier.IDF`) is not
used: it counts by shard, counts removed points, and is another in each of its kinds.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medrag.indexing.lexical import Word
from medrag.indexing.manifest import SegmentEntry, live_rows
from medrag.indexing.postings import text_field, title_field
from medrag.indexing.qdrant.terms import Sparse, summed
from medrag.indexing.storage import Store
from medrag.language import stems

K1, B = 1.2, 0.75
# How far mean lengths may go from those that points were weighed with, before all are put again.
DRIFT = 0.02

Tombstones = tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Counts:
    """How often words stand in an index, without its removed passages.

    Attributes:
        n: passages.
        words: how many words all of them have, by field.
        averages: words per passage and field that the points were weighed with; see `DRIFT`.
        counted: tombstones of the segments that were counted, by name.
        terms: (m,) ascending; passages: (m,), how many have each.
    """

    n: int
    words: Mapping[str, int]
    averages: Mapping[str, float]
    counted: Mapping[str, Tombstones]
    terms: NDArray[np.int64]
    passages: NDArray[np.int64]

    def same(self, other: "Counts") -> bool:
        """Tell whether two count alike, whatever points were weighed with."""
        return (
            (self.n, self.words) == (other.n, other.words)
            and np.array_equal(self.terms, other.terms)
            and np.array_equal(self.passages, other.passages)
        )


def counted(store: Store, before: Counts | None) -> Counts:
    """Count the words of a store; of what was counted before, only what changed is read."""
    names = {entry.name for entry in store.entries}
    # Words of a segment that is gone cannot be subtracted.
    known = before if before is not None and before.counted.keys() <= names else NOTHING
    n, words = known.n, Counter(known.words)
    having: Counter[int] = Counter()
    for line, sign in _changes(store, known.counted):
        n += sign
        found = _words(line)
        for field, times in found.items():
            words[field] += sign * times.total()
        for term in {_term(field, stem) for field, times in found.items() for stem in times}:
            having[term] += sign
    terms = np.concatenate((known.terms, np.fromiter(having, np.int64)))
    passages = np.concatenate((known.passages, np.fromiter(having.values(), np.int64)))
    # Terms that no passage has any more are left out.
    total = summed(terms, passages.astype(np.float64))
    held = {field: times for field, times in sorted(words.items()) if times}
    averages = {field: times / n for field, times in held.items()}
    if _near(known.averages, averages):
        averages = dict(known.averages)
    tombstones = {entry.name: entry.tombstones for entry in store.entries}
    return Counts(n, held, averages, tombstones, total.terms, total.weights.astype(np.int64))


def weighed(line: bytes, averages: Mapping[str, float]) -> Sparse:
    """Weigh the words of a passage by how often they stand in it, and how long it is.

    Source:
        Robertson & Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond", 2009.
    """
    terms: list[int] = []
    weights: list[float] = []
    for field, times in _words(line).items():
        length = K1 * (1 - B + B * times.total() / averages[field])
        terms += (_term(field, stem) for stem in times)
        weights += (n * (K1 + 1) / (n + length) for n in times.values())
    return summed(np.array(terms, dtype=np.int64), np.array(weights, dtype=np.float64))


def asked(words: Sequence[Word], counts: Counts) -> Sparse:
    """Weigh the words of a question by how rare they are; those that no passage has are left out.

    Rarity is Tantivy's, ln(1 + (n - m + 0.5) / (m + 0.5)) for m of n passages, never below zero.
    """
    terms = np.array([_term(each.field, each.stem) for each in words], dtype=np.int64)
    weights = np.array([each.weight for each in words], dtype=np.float64)
    at = np.minimum(np.searchsorted(counts.terms, terms), max(len(counts.terms) - 1, 0))
    known = counts.terms[at] == terms if len(counts.terms) else np.zeros(len(terms), np.bool_)
    m = counts.passages[at[known]]
    rarity = np.log1p((counts.n - m + 0.5) / (m + 0.5))
    return summed(terms[known], weights[known] * rarity)


def texts(line: bytes) -> dict[str, str]:
    """Give the texts of a passage by field, such as "title_en"."""
    passage: Mapping[str, Any] = json.loads(line)
    language = passage["source"].get("language", "en")
    title = passage.get("fields", {}).get("title")
    found = {text_field(language): passage.get("text", ""), title_field(language): str(title or "")}
    return {field: text for field, text in found.items() if text}


def _changes(store: Store, counted: Mapping[str, Tombstones]) -> Iterator[tuple[bytes, int]]:
    """Read the passages that came since with 1, those that went with -1."""
    for segment, entry in zip(store.segments, store.entries, strict=True):
        was = _mask(entry, counted.get(entry.name))
        now = _mask(entry, entry.tombstones)
        for rows, sign in ((now & ~was, 1), (was & ~now, -1)):
            if rows.any():
                yield from ((line, sign) for _, line in segment.lines(np.flatnonzero(rows)))


def _words(line: bytes) -> dict[str, Counter[str]]:
    found = (
        (field, Counter(stems(text, field.partition("_")[2])))
        for field, text in texts(line).items()
    )
    return {field: times for field, times in found if times}


@lru_cache(1 << 18)
def _term(field: str, stem: str) -> int:
    return int.from_bytes(blake2b(f"{field}\0{stem}".encode(), digest_size=4).digest(), "little")


def _mask(entry: SegmentEntry, tombstones: Tombstones | None) -> NDArray[np.bool_]:
    """Tell which rows of a segment count; none if it was not counted."""
    mask = np.zeros(entry.n, dtype=np.bool_)
    if tombstones is not None:
        mask[live_rows(replace(entry, tombstones=tombstones))] = True
    return mask


def _near(one: Mapping[str, float], other: Mapping[str, float]) -> bool:
    return one.keys() == other.keys() and all(
        abs(one[field] - other[field]) <= DRIFT * one[field] for field in one
    )


NOTHING = Counts(0, {}, {}, {}, np.empty(0, np.int64), np.empty(0, np.int64))
