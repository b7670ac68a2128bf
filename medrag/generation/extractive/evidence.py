"""Evidence as sentences that can be quoted, with what scoring needs to know of each."""

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medrag.generation.extractive.quoting import quotable
from medrag.language import stems
from medrag.records import Hit, Passage, Prompt

# Similarity of each text of the first list to each of the second, (n, m) in [-1, 1].
Similarity = Callable[[list[str], list[str]], NDArray[np.floating[Any]]]


# What these say, they say of their own picture.
_OF_A_PICTURE = frozenset({"case", "report", "image"})
# How people speak of a passage of a kind, which its text need not say of itself.
_SAYS_KIND = {
    "report": "report patient",
    "figure": "figure picture image",
    "image": "picture image",
    "table": "table",
}


@dataclass(frozen=True, slots=True)
class Unit:
    """One quotable sentence.

    Attributes:
        marker: of the passage that it stands in.
        text: as quoted, on one line, without anything that reads as a marker.
        stems: of its words, in order.
        around: stems of the passage's title, text and kind, for what the sentence leaves unsaid.
        place: its number among the sentences of its passage.
    """

    marker: int
    text: str
    stems: tuple[str, ...]
    around: frozenset[str]
    place: int
    hit: Hit


class Pool:
    """The sentences of a prompt's evidence, each once, best passage first.

    `weight` is the inverse frequency of a stem among these sentences, so that what all of them say
    counts little; a stem that none holds weighs most. `compares_pictures`: it is known how near
    pictures of the evidence are to the question's.
    """

    def __init__(
        self, units: Sequence[Unit], language: str, *, compares_pictures: bool = False
    ) -> None:
        self.units = tuple(units)
        self.language = language
        self.compares_pictures = compares_pictures
        self.counts = [Counter(unit.stems) for unit in self.units]
        self._frequency = Counter(stem for count in self.counts for stem in count)

    def weight(self, stem: str) -> float:
        n, holding = len(self.units), self._frequency[stem]
        return math.log(1 + (n - holding + 0.5) / (holding + 0.5))

    @cached_property
    def mean_length(self) -> float:
        return sum(len(unit.stems) for unit in self.units) / max(1, len(self.units)) or 1.0


def gather(prompt: Prompt, *, near: float = 0.0) -> Pool:
    """Collect the sentences of all evidence; one that stands in several passages counts once.

    Cases that were asked and answered alike are of different pictures, and each counts. What
    stands with a picture that is less similar to the question's than `near` is left out: it is of
    another organ, or another kind of picture.
    """
    units: list[Unit] = []
    seen: set[str] = set()
    for marker, hit in enumerate(prompt.evidence, start=1):
        close = closeness(hit)
        if close is not None and close < near and hit.passage.kind in _OF_A_PICTURE:
            continue
        for unit in _units(marker, hit):
            if unit.text not in seen or hit.passage.kind == "case":
                seen.add(unit.text)
                units.append(unit)
    compares = any(closeness(hit) is not None for hit in prompt.evidence)
    return Pool(units, language_of_prompt(prompt), compares_pictures=compares)


def matches(
    words: frozenset[str], pool: Pool, *, saturation: float = 0.5, length: float = 0.75
) -> NDArray[np.float64]:
    """Weigh the words that each sentence holds, as BM25 does, with weights from the evidence.

    Returns:
        (n_units,), at least 0.

    Source:
        Robertson & Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond", 2009.
    """
    weights = {word: pool.weight(word) for word in sorted(words)}
    scores = np.zeros(len(pool.units))
    for i, (unit, count) in enumerate(zip(pool.units, pool.counts, strict=True)):
        damping = saturation * (1 - length + length * len(unit.stems) / pool.mean_length)
        scores[i] = sum(
            weight * count[word] * (saturation + 1) / (count[word] + damping)
            for word, weight in weights.items()
            if word in count
        )
    return scores


def closeness(hit: Hit) -> float | None:
    """Give the similarity of a hit's picture to that of the question; None without such a channel.

    Returns:
        In [0, 1].
    """
    scores = [part.score for name, part in hit.parts.items() if "image" in name]
    return min(1.0, max(0.0, scores[0])) if scores else None


def language_of_prompt(prompt: Prompt) -> str:
    """Name the language of the best hit; English where there is no evidence."""
    return prompt.evidence[0].passage.source.language if prompt.evidence else "en"


def title_of(passage: Passage) -> str:
    """Give the words to search that stand outside a passage's text."""
    title = passage.fields.get("title", "")
    return title if isinstance(title, str) else ""


def _units(marker: int, hit: Hit) -> list[Unit]:
    passage = hit.passage
    language = passage.source.language
    around = frozenset(stems(f"{title_of(passage)}\n{passage.text}", language))
    around |= frozenset(stems(_SAYS_KIND.get(passage.kind, ""), "en"))
    return [
        Unit(marker, line, tuple(stems(line, language)), around, place, hit)
        for place, line in enumerate(quotable(passage))
    ]
