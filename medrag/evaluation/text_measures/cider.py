"""CIDEr-D: likeness of n-grams weighted by how rare they are among the references."""

import numpy as np

from medrag.evaluation.text_measures.ngrams import CountedTexts, Floats, NgramCounts, shared

_SIGMA = 6.0
_SCALE = 10.0


def cider_d(texts: CountedTexts) -> Floats:
    """Score each item; the mean is pycocoevalcap's CIDEr.

    A value depends on the references of all items given, so that of a part of the items, or of
    one item, is another; a resample keeps the rarities of the whole.

    Args:
        texts: counted to order 4.

    Returns:
        (n_items,) in [0, 10]; nan where there is no answer.

    Source:
        Vedantam, Zitnick & Parikh, CVPR 2015, in the variant with clipping and a penalty on the
        difference of lengths (sigma 6; lengths counted in 2-grams, as released).
    """
    n_texts = len(texts.lengths)
    references = np.arange(texts.n_items, n_texts)
    items = texts.items[references]
    n_orders = len(texts.orders)
    likeness = sum(
        (_likeness(texts, order) for order in range(1, n_orders + 1)), start=np.zeros(n_texts)
    )
    lengths = np.maximum(texts.lengths - 1, 0)
    difference = lengths[items] - lengths[references]
    values = likeness[references] / n_orders * np.exp(-(difference**2) / (2 * _SIGMA**2))
    n_references = np.bincount(items, minlength=texts.n_items)
    means = np.bincount(items, weights=values, minlength=texts.n_items) / np.maximum(
        n_references, 1
    )
    means[texts.missing] = np.nan
    return means * _SCALE


def _likeness(texts: CountedTexts, order: int) -> Floats:
    """Clipped cosine of each reference with its answer; (n_texts,), 0 for the answers."""
    rows = texts.orders[order - 1]
    rarity = _rarity(texts, rows)
    n_texts = len(texts.lengths)
    squares = (rows.counts * rarity[rows.ngrams]) ** 2
    norms = np.sqrt(np.bincount(rows.texts, weights=squares, minlength=n_texts))
    joined = shared(texts, order)
    weights = rarity[joined.ngrams]
    in_reference = joined.in_reference * weights
    products = np.minimum(joined.in_answer * weights, in_reference) * in_reference
    dots = np.bincount(joined.references, weights=products, minlength=n_texts)
    below = norms * norms[texts.items]
    likeness: Floats = np.where(below > 0, dots / np.where(below > 0, below, 1), 0.0)
    return likeness


def _rarity(texts: CountedTexts, rows: NgramCounts) -> Floats:
    behind = rows.texts >= texts.n_items
    # Nearly sorted: by item, and within it by n-gram once for each reference.
    keys = np.sort(
        texts.items[rows.texts[behind]] * rows.n_ngrams + rows.ngrams[behind], kind="stable"
    )
    once = keys[np.diff(keys, prepend=-1) > 0] % rows.n_ngrams
    n_items_with = np.bincount(once, minlength=rows.n_ngrams)
    rarity: Floats = np.log(max(texts.n_items, 1)) - np.log(np.maximum(n_items_with, 1))
    return rarity
