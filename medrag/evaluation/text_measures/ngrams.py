"""n-grams of many texts at once: counted as numbers in arrays, not as tuples in dictionaries."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Tokens = Sequence[str]


@dataclass(frozen=True, slots=True)
class NgramCounts:
    """How often each n-gram of one order stands in each text.

    Attributes:
        texts: (m,) the text of each row, ascending.
        ngrams: (m,) the n-gram of each row in [0, n_ngrams), ascending within a text.
        counts: (m,) at least 1.
    """

    texts: Ints
    ngrams: Ints
    counts: Ints
    n_ngrams: int


@dataclass(frozen=True, slots=True)
class CountedTexts:
    """Answers and their references, counted.

    Attributes:
        n_items: texts 0 to n_items - 1 are the answers, those behind are references.
        items: (n_texts,) the item of each text, ascending among the references.
        lengths: (n_texts,) tokens.
        orders: counts of 1-grams, 2-grams and so on.
        missing: (n_items,) whether there is no answer, and so nothing to count.
    """

    n_items: int
    items: Ints
    lengths: Ints
    orders: tuple[NgramCounts, ...]
    missing: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Shared:
    """n-grams that an answer shares with one of its references.

    Attributes:
        references: (m,) the text of the reference.
        ngrams: (m,) the n-gram.
        in_answer, in_reference: (m,) how often it stands there.
    """

    references: Ints
    ngrams: Ints
    in_answer: Ints
    in_reference: Ints


def counted(
    answers: Sequence[Tokens | None], references: Sequence[Sequence[Tokens]], *, n: int = 4
) -> CountedTexts:
    """Count the n-grams of orders 1 to n in answers and references.

    Args:
        answers: tokens of each item's answer; None where there is none.
        references: as many; the tokens of each reference of an item, at least one.

    Raises:
        ValueError: if the two differ in length or an item has no reference.
    """
    check_pairs(answers, references)
    texts = [answer or () for answer in answers]
    texts += [reference for each in references for reference in each]
    items = np.repeat(np.arange(len(answers)), [len(each) for each in references])
    lengths = np.array([len(text) for text in texts], dtype=np.int64)
    return CountedTexts(
        n_items=len(answers),
        items=np.concatenate([np.arange(len(answers)), items]),
        lengths=lengths,
        orders=tuple(_orders(texts, lengths, n)),
        missing=np.array([answer is None for answer in answers], dtype=bool),
    )


def check_pairs(answers: Sequence[Tokens | None], references: Sequence[Sequence[Tokens]]) -> None:
    """Refuse answers and references that are not of the same items."""
    if len(answers) != len(references):
        raise ValueError(
            f"answers and references must be of the same items, got {len(answers)} and "
            f"{len(references)}"
        )
    bare = next((place for place, each in enumerate(references) if not len(each)), None)
    if bare is not None:
        raise ValueError(f"item {bare} has no reference; leave it out or give it one")


def shared(texts: CountedTexts, order: int) -> Shared:
    """Join each reference with the answer of its item over the n-grams of an order."""
    rows = texts.orders[order - 1]
    n_answered = int(np.searchsorted(rows.texts, texts.n_items))
    # The key grows with text and n-gram, so the rows of the answers are sorted by it.
    keys = rows.texts[:n_answered] * rows.n_ngrams + rows.ngrams[:n_answered]
    wanted = texts.items[rows.texts[n_answered:]] * rows.n_ngrams + rows.ngrams[n_answered:]
    places = np.searchsorted(keys, wanted)
    found = np.zeros(len(wanted), dtype=bool)
    inside = places < len(keys)
    found[inside] = keys[places[inside]] == wanted[inside]
    return Shared(
        references=rows.texts[n_answered:][found],
        ngrams=rows.ngrams[n_answered:][found],
        in_answer=rows.counts[places[found]],
        in_reference=rows.counts[n_answered:][found],
    )


def _orders(texts: Sequence[Tokens], lengths: Ints, n: int) -> Iterator[NgramCounts]:
    vocabulary = {token: code for code, token in enumerate(dict.fromkeys(chain(*texts)))}
    tokens = np.fromiter(map(vocabulary.__getitem__, chain(*texts)), dtype=np.int64)
    owners = np.repeat(np.arange(len(texts)), lengths)
    ends = np.repeat(np.cumsum(lengths), lengths)
    ids = tokens
    for order in range(1, n + 1):
        if order > 1:
            ids = _longer(ids, tokens[order - 1 :], len(vocabulary))
        starts = np.arange(len(ids))
        inside = starts + order <= ends[: len(ids)]
        yield _counts(owners[: len(ids)][inside], ids[inside])


def _longer(ids: Ints, tokens: Ints, n_tokens: int) -> Ints:
    """Give each run of one more token its own number; runs over the end of a text go later."""
    ids = ids[: len(tokens)]
    if len(ids) and int(ids.max()) >= (1 << 62) // n_tokens:
        ids = np.unique(ids, return_inverse=True)[1].reshape(-1)
    return ids * n_tokens + tokens


def _counts(owners: Ints, ids: Ints) -> NgramCounts:
    names, ngrams = np.unique(ids, return_inverse=True)
    n_ngrams = max(len(names), 1)
    keys, counts = np.unique(owners * n_ngrams + ngrams.reshape(-1), return_counts=True)
    return NgramCounts(keys // n_ngrams, keys % n_ngrams, counts.astype(np.int64), n_ngrams)
