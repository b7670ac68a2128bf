"""Hits in the order of their words: BM25 among the candidates, by the statistics of the index."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import NamedTuple

from medrag.language import stems
from medrag.protocols import Library
from medrag.records import Hit, Passage, Question
from medrag.retrieval.checking import check_positive
from medrag.retrieval.rarity import rarity, spread, words_of
from medrag.retrieval.rerank.ordering import ordered
from medrag.retrieval.rerank.page_words import PageWords

_K1 = 1.2
_B = 0.75


class LexicalReranker:
    """Order hits by BM25 (k1 1.2, b 0.75) of their title and text; a page by what stands on it.

    Needs no weights. It is made for hits that were found by how they look: pages and figures. How
    rare a word is, is counted among passages of the index with words, all of them or `sample`
    spread evenly; how long a text is, is told against the mean of the candidates, since pages are
    longer than the passages on them. A hit without words comes last; one that shares none with the
    question scores 0. A question without words changes nothing.

    Give the first stage a share where it is good (`weight: 0.5` of `rerank`): of 27 figures asked
    for by picture and alternative text among the 65 pages of a textbook, nDCG@10 was 0.77 by looks,
    0.79 after words, and 0.87 by half of each.

    Args:
        library: the passages of the index.
        sample: passages that are read once to count words, at most.

    Raises:
        ValueError: if the sample is below 1.

    Source:
        Robertson & Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond", 2009. Why:
        on ViDoRe V3 (2026) a reranker of texts adds 13.2 points to pages, one of pictures 0.2.
    """

    name = "lexical_rerank"

    def __init__(self, *, library: Library, sample: int = 10_000) -> None:
        check_positive(sample=sample)
        self.library = library
        self.sample = sample
        self.words = PageWords(library=library)

    def rerank(
        self, questions: Sequence[Question], rankings: Sequence[Sequence[Hit]]
    ) -> list[list[Hit]]:
        """Order each ranking; passages come back as they were given."""
        return [
            self._reranked(question, hits)
            for question, hits in zip(questions, rankings, strict=True)
        ]

    def _reranked(self, question: Question, hits: Sequence[Hit]) -> list[Hit]:
        text = "\n".join((question.text, *question.options))
        if not text.strip() or not hits:
            return list(hits)
        bags = [_bag(hit.passage) for hit in self.words.given(hits)]
        lengths = [bag.total() for bag in bags if bag]
        mean = sum(lengths) / len(lengths) if lengths else 1.0
        scores = [
            self._score(text, hit.passage.source.language, bag, mean) if bag else math.nan
            for hit, bag in zip(hits, bags, strict=True)
        ]
        return ordered(hits, scores, self.name)

    def _score(self, text: str, language: str, bag: Mapping[str, int], mean: float) -> float:
        length = sum(bag.values())
        score = 0.0
        for word, times in Counter(stems(text, language)).items():
            if count := bag.get(word, 0):
                damped = count * (_K1 + 1) / (count + _K1 * (1 - _B + _B * length / mean))
                having = self._statistics.having.get(word, 0)
                score += times * rarity(self._statistics.n, having) * damped
        return score

    @cached_property
    def _statistics(self) -> "_Statistics":
        worded = [bag for bag in map(_bag, spread(self.library, self.sample)) if bag]
        having: Counter[str] = Counter()
        for bag in worded:
            having.update(bag.keys())
        return _Statistics(len(worded), having)


class _Statistics(NamedTuple):
    """How many passages were counted, and how many of them have each word."""

    n: int
    having: Mapping[str, int]


def _bag(passage: Passage) -> Counter[str]:
    return Counter(stems(words_of(passage), passage.source.language))
