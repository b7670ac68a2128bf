"""How rare words are in an index, counted once among some of its passages."""

import math
from collections import Counter
from functools import cached_property

import numpy as np

from medrag.language import stems
from medrag.language.known import read_as
from medrag.protocols import Library
from medrag.records import Filter, Passage


class WordRarity:
    """Tell how rare a stem is among the passages of an index.

    Args:
        library: the passages of the index.
        sample: passages that are read at the first question, spread evenly over the index; all of
            them where there are no more.

    Raises:
        ValueError: if the sample is below 1.
    """

    def __init__(self, *, library: Library, sample: int) -> None:
        if sample < 1:
            raise ValueError(f"sample must be at least 1, got {sample}")
        self.library = library
        self.sample = sample

    def of(self, stem: str) -> float:
        """Give log(1 + (n - having + 1/2) / (having + 1/2)); above 0, highest for an unseen stem.

        Source:
            Robertson & Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond", 2009.
        """
        n, having = self._n, self._having.get(stem, 0)
        return math.log1p((n - having + 0.5) / (having + 0.5))

    @cached_property
    def _n(self) -> int:
        return min(self.sample, int(self.library.row_mask(Filter()).sum()))

    @cached_property
    def _having(self) -> Counter[str]:
        live = np.flatnonzero(self.library.row_mask(Filter()))
        places = np.linspace(0, len(live) - 1, self._n).round().astype(int)
        having: Counter[str] = Counter()
        for passage in self.library.passages_at(live[places].tolist()):
            having.update(set(stems(_words(passage), read_as(passage.source.language))))
        return having


def _words(passage: Passage) -> str:
    return f"{passage.fields.get('title') or ''}\n{passage.text}"
