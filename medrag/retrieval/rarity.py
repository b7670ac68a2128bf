"""How rare words are in an index, counted once among some of its passages."""

import math
from collections import Counter
from collections.abc import Sequence
from functools import cached_property

import numpy as np

from medrag.language import stems
from medrag.language.known import read_as
from medrag.protocols import Library
from medrag.records import Filter, Passage
from medrag.retrieval.checking import check_positive


class WordRarity:
    """Tell how rare a stem is among the passages of an index; see `rarity`.

    Args:
        library: the passages of the index.
        sample: passages that are read at the first question, spread evenly over the index; all of
            them where there are no more.

    Raises:
        ValueError: if the sample is below 1.
    """

    def __init__(self, *, library: Library, sample: int) -> None:
        check_positive(sample=sample)
        self.library = library
        self.sample = sample

    def of(self, stem: str) -> float:
        """Give the rarity of a stem, highest for one that is unseen."""
        return rarity(self._n, self._having.get(stem, 0))

    @cached_property
    def _n(self) -> int:
        return min(self.sample, int(self.library.row_mask(Filter()).sum()))

    @cached_property
    def _having(self) -> Counter[str]:
        having: Counter[str] = Counter()
        for passage in spread(self.library, self.sample):
            having.update(set(stems(words_of(passage), read_as(passage.source.language))))
        return having


def rarity(n: int, having: int) -> float:
    """Compute log(1 + (n - having + 1/2) / (having + 1/2)), of n passages; above 0.

    Source:
        Robertson & Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond", 2009.
    """
    return math.log1p((n - having + 0.5) / (having + 0.5))


def spread(library: Library, sample: int) -> Sequence[Passage]:
    """Read passages spread evenly over an index; all of them where there are no more."""
    live = np.flatnonzero(library.row_mask(Filter()))
    places = np.linspace(0, len(live) - 1, min(sample, len(live))).round().astype(int)
    return library.passages_at(live[places].tolist())


def words_of(passage: Passage) -> str:
    """Give what counts as the words of a passage: its title, and its text."""
    return f"{passage.fields.get('title') or ''}\n{passage.text}"
