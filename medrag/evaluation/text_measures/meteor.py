"""METEOR without synonyms, named `meteor_stem` so that nobody takes it for the whole.

WordNet (nltk) or a Java program with paraphrases (pycocoevalcap) would have to be downloaded, and
the two differ by points.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from itertools import pairwise

import numpy as np

from medrag.evaluation.text_measures.ngrams import Floats, Tokens, check_pairs
from medrag.extras import require
from medrag.language import language_of

ALPHA, BETA, GAMMA = 0.9, 3.0, 0.5


def meteor_stem(
    answers: Sequence[Tokens | None],
    references: Sequence[Sequence[Tokens]],
    *,
    language: str = "en",
    stem: Callable[[str], str] | None = None,
) -> Floats:
    """Align equal words, then equal stems, and punish alignments in many pieces.

    Args:
        answers: tokens in lower case; None where there is no answer.
        stem: the stem of a word; None takes Snowball's of the language.

    Returns:
        (n_items,) in [0, 1], of the reference that gives the most; nan where there is no answer.

    Raises:
        ValueError: if the language is not in `medrag.language.LANGUAGES`.

    Source:
        Lavie & Agarwal, "METEOR: an automatic metric for MT evaluation", WMT 2007, with nltk's
        weights (alpha 0.9, beta 3, gamma 0.5) and its order of matching, from the last word.
    """
    check_pairs(answers, references)
    stemmed = lru_cache(maxsize=1 << 16)(stem or stemmer(language))
    values = [
        float("nan")
        if answer is None
        else max(_meteor(answer, reference, stemmed) for reference in each)
        for answer, each in zip(answers, references, strict=True)
    ]
    return np.array(values, dtype=np.float64)


def stemmer(language: str = "en") -> Callable[[str], str]:
    """Build Snowball's stemmer of a language for one word.

    Raises:
        ValueError: if the language is not in `medrag.language.LANGUAGES`.
    """
    tantivy = require("tantivy")
    analyzer = (
        tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.raw())
        .filter(tantivy.Filter.stemmer(language_of(language).name))
        .build()
    )

    def stem(word: str) -> str:
        found: list[str] = analyzer.analyze(word.encode("utf-8", "replace").decode())
        return found[0] if found else word

    return stem


def _meteor(answer: Tokens, reference: Tokens, stem: Callable[[str], str]) -> float:
    aligned = _aligned(answer, reference, stem)
    n_matches = len(aligned)
    if not n_matches:
        return 0.0
    precision, recall = n_matches / len(answer), n_matches / len(reference)
    mean = precision * recall / (ALPHA * precision + (1 - ALPHA) * recall)
    n_chunks = 1 + sum(
        after - before != 1 or place - earlier != 1
        for (before, earlier), (after, place) in pairwise(aligned)
    )
    penalty: float = GAMMA * (n_chunks / n_matches) ** BETA
    return mean * (1 - penalty)


def _aligned(
    answer: Tokens, reference: Tokens, stem: Callable[[str], str]
) -> list[tuple[int, int]]:
    pairs: list[tuple[int, int]] = []
    left, right = _match(enumerate(answer), enumerate(reference), pairs)
    if left and right:
        stems = ((place, stem(word)) for place, word in left)
        _match(stems, ((place, stem(word)) for place, word in right), pairs)
    return sorted(pairs)


def _match(
    left: Iterable[tuple[int, str]],
    right: Iterable[tuple[int, str]],
    pairs: list[tuple[int, int]],
) -> tuple[list[tuple[int, str]], list[tuple[int, str]]]:
    """Pair equal words from the last to the first; add to `pairs` and give back what is left."""
    places: dict[str, list[int]] = {}
    for place, word in right:
        if word in places:
            places[word].append(place)
        else:
            places[word] = [place]
    unmatched = []
    for place, word in reversed(list(left)):
        if free := places.get(word):
            pairs.append((place, free.pop()))
        else:
            unmatched.append((place, word))
    free_places = sorted((place, word) for word, free in places.items() for place in free)
    return unmatched[::-1], free_places
