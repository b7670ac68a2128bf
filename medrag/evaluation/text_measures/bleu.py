"""BLEU as sums of each item, so that a corpus, a resample and a single text use one function.

Two implementations are in use and differ: pycocoevalcap's, which papers on reports print ("bleu1"
to "bleu4", what medrag reports), and sacrebleu's, which smooths orders without a match.
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from medrag.evaluation.statistics import Statistic
from medrag.evaluation.text_measures.ngrams import CountedTexts, Floats, Tokens, counted, shared

N = 4
_TINY, _SMALL = 1e-15, 1e-9
_EPSILON = 0.1


def bleu(texts: CountedTexts, *, order: int = 4) -> Statistic:
    """Corpus BLEU as pycocoevalcap computes it, in [0, 1].

    Matches and totals of all items are summed first; the length of the closest reference (of two,
    the shorter) is compared with that of the answer. 1e-15 is added to the matches and 1e-9 to
    the totals, so an order without a match gives almost 0, not 0.

    Args:
        texts: counted to order 4, from texts that were tokenised as they are to be scored.
        order: the longest n-gram, 1 to 4.

    Source:
        Papineni et al., ACL 2002; Chen et al., "Microsoft COCO captions", 2015.
    """
    return Statistic(bleu_sums(texts), bleu_value(order))


def bleu_value(order: int) -> Callable[[Floats], Floats]:
    """Give the function from sums of `bleu_sums` to BLEU of an order, as pycocoevalcap has it."""
    _check_order(order)
    return lambda sums: _coco(sums, order)


def sacrebleu(texts: CountedTexts) -> Statistic:
    """Corpus BLEU-4 as sacrebleu computes it by default, but in [0, 1] instead of [0, 100].

    An order without a match counts as half a match, the next one as a quarter ("exp"). It is
    sacrebleu's number only for texts tokenised by "13a" with their case.

    Source:
        Post, "A call for clarity in reporting BLEU scores", WMT 2018.
    """
    return Statistic(bleu_sums(texts), _sacrebleu)


def sentence_bleu(texts: CountedTexts, *, order: int = 4) -> Floats:
    """BLEU of each item on its own, an order without a match counting 0.1 matches.

    Returns:
        (n_items,) in [0, 1]; nan where there is no answer; 0 without a shared word.

    Source:
        Chen & Cherry, WMT 2014, smoothing method 1, as in nltk.
    """
    _check_order(order)
    sums = bleu_sums(texts)
    matches, totals = sums[:, :order], np.maximum(sums[:, N : N + order], 1)
    precisions = np.where(matches > 0, matches, _EPSILON) / totals
    length, wanted = sums[:, -2], sums[:, -1]
    values = np.exp(np.log(precisions).mean(axis=1)) * _brevity(length, wanted)
    return np.where(np.isnan(length), np.nan, np.where(matches[:, 0] > 0, values, 0.0))


def bleu_of(answer: Tokens, references: Sequence[Tokens], *, order: int = 4) -> float:
    """Sentence BLEU of one answer; see `sentence_bleu`."""
    return float(sentence_bleu(counted([answer], [references], n=N), order=order)[0])


def bleu_sums(texts: CountedTexts) -> Floats:
    """List what each item adds to BLEU.

    Returns:
        (n_items, 10): clipped matches of orders 1 to 4, n-grams of orders 1 to 4 in the answer,
        tokens of the answer, tokens of the closest reference; nan where there is no answer.
    """
    lengths = texts.lengths[: texts.n_items]
    matches = [_clipped(texts, order) for order in range(1, N + 1)]
    totals = [np.maximum(lengths - order + 1, 0) for order in range(1, N + 1)]
    sums = np.stack([*matches, *totals, lengths, _closest(texts)], axis=1).astype(np.float64)
    sums[texts.missing] = np.nan
    return sums


def _clipped(texts: CountedTexts, order: int) -> Floats:
    """Count matches of each answer, an n-gram at most as often as in one of the references."""
    joined = shared(texts, order)
    matches = np.minimum(joined.in_answer, joined.in_reference)
    items = texts.items[joined.references]
    keys = items * texts.orders[order - 1].n_ngrams + joined.ngrams
    by_key = np.lexsort((matches, keys))
    last = np.append(np.diff(keys[by_key]) > 0, True) if len(keys) else np.zeros(0, dtype=bool)
    best = by_key[last]
    return np.bincount(items[best], matches[best], texts.n_items).astype(np.float64)


def _closest(texts: CountedTexts) -> NDArray[np.int64]:
    items = texts.items[texts.n_items :]
    lengths = texts.lengths[texts.n_items :]
    distances = np.abs(lengths - texts.lengths[items])
    order = np.lexsort((lengths, distances, items))
    first = np.append(True, np.diff(items[order]) > 0) if len(items) else np.zeros(0, dtype=bool)
    closest: NDArray[np.int64] = lengths[order[first]]
    return closest


def _coco(sums: Floats, order: int) -> Floats:
    precisions = (sums[..., :order] + _TINY) / (sums[..., N : N + order] + _SMALL)
    ratio = (sums[..., -2] + _TINY) / (sums[..., -1] + _SMALL)
    penalty = np.exp(np.minimum(1 - 1 / ratio, 0))
    value = np.prod(precisions, axis=-1) ** (1 / order) * penalty
    return np.where(sums[..., -1] > 0, value, np.nan)


def _sacrebleu(sums: Floats) -> Floats:
    matches, totals = sums[..., :N], sums[..., N : 2 * N]
    n_halved = np.cumsum(matches == 0, axis=-1)
    smoothed = np.where(matches > 0, matches, 0.5**n_halved)
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.log(np.where(totals > 0, smoothed / totals, 0.0))
        value = np.exp(logs.mean(axis=-1)) * _brevity(sums[..., -2], sums[..., -1])
    value = np.where(matches.sum(axis=-1) == 0, 0.0, value)
    return np.where(sums[..., -1] > 0, value, np.nan)


def _brevity(length: Floats, wanted: Floats) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        short = np.exp(1 - wanted / length)
    return np.where(length > wanted, 1.0, np.where(length > 0, short, 0.0))


def _check_order(order: int) -> None:
    if not 1 <= order <= N:
        raise ValueError(f"order must lie between 1 and {N}, got {order}")
