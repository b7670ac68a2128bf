"""ROUGE-1, ROUGE-2 and ROUGE-L, unstemmed, for each item.

rouge-score can stem by Porter's first algorithm and older papers do; medrag has Snowball's, which
gives other values, so that option is not imitated here.
"""

from collections.abc import Callable, Sequence

import numpy as np

from medrag.evaluation.text_measures.ngrams import (
    CountedTexts,
    Floats,
    Tokens,
    check_pairs,
    shared,
)

Shares = Sequence[tuple[float, float]]


def rouge_n(texts: CountedTexts, *, order: int) -> Floats:
    """F1 of the shared n-grams, of the reference that gives the most.

    Returns:
        (n_items,) in [0, 1]; nan where there is no answer; 0 where no n-gram fits.

    Source:
        Lin, "ROUGE: a package for automatic evaluation of summaries", 2004; rouge-score.
    """
    joined = shared(texts, order)
    overlap = np.minimum(joined.in_answer, joined.in_reference)
    matches = np.bincount(joined.references, weights=overlap, minlength=len(texts.lengths))
    totals = np.maximum(texts.lengths - order + 1, 0)
    references = np.arange(texts.n_items, len(texts.lengths))
    items = texts.items[references]
    total = totals[references] + totals[items]
    f1 = np.where(total > 0, 2 * matches[references] / np.maximum(total, 1), 0.0)
    best = np.zeros(texts.n_items)
    np.maximum.at(best, items, f1)
    best[texts.missing] = np.nan
    return best


def rouge_l(answers: Sequence[Tokens | None], references: Sequence[Sequence[Tokens]]) -> Floats:
    """F1 by the longest common subsequence, of the reference that gives the most.

    Returns:
        (n_items,) in [0, 1]; nan where there is no answer.

    Source:
        Lin 2004; beta is 1 as in rouge-score.
    """
    return rouge_l_of(subsequence_shares(answers, references))


def rouge_l_coco(
    answers: Sequence[Tokens | None], references: Sequence[Sequence[Tokens]]
) -> Floats:
    """ROUGE-L as pycocoevalcap has it: beta 1.2, precision and recall each of its best reference.

    Returns:
        (n_items,) in [0, 1]; nan where there is no answer.
    """
    return rouge_l_coco_of(subsequence_shares(answers, references))


def subsequence_shares(
    answers: Sequence[Tokens | None], references: Sequence[Sequence[Tokens]]
) -> list[Shares | None]:
    """List the shares that the longest common subsequence has of answer and reference.

    Returns:
        For each item (precision, recall) with each reference; None where there is no answer.
    """
    check_pairs(answers, references)
    return [
        None if answer is None else [_shares(answer, reference) for reference in each]
        for answer, each in zip(answers, references, strict=True)
    ]


def rouge_l_of(shares: Sequence[Shares | None]) -> Floats:
    """Compute `rouge_l` from `subsequence_shares`."""
    return _combined(shares, lambda each: max(_f(p, r, 1.0) for p, r in each))


def rouge_l_coco_of(shares: Sequence[Shares | None]) -> Floats:
    """Compute `rouge_l_coco` from `subsequence_shares`."""
    return _combined(shares, lambda each: _f(max(p for p, _ in each), max(r for _, r in each), 1.2))


def common_subsequence(a: Tokens, b: Tokens) -> int:
    """Count the tokens of the longest common subsequence.

    Source:
        Hyyrö, "Bit-parallel LCS-length computation revisited", 2004: a row of the table is one
        whole number, and each 0 in it is a step.
    """
    masks: dict[str, int] = {}
    for place, token in enumerate(b):
        masks[token] = masks.get(token, 0) | (1 << place)
    every = (1 << len(b)) - 1
    row = every
    for token in a:
        mask = masks.get(token)
        if mask:
            step = row & mask
            row = ((row + step) | (row - step)) & every
    return len(b) - row.bit_count()


def _shares(answer: Tokens, reference: Tokens) -> tuple[float, float]:
    if not answer or not reference:
        return 0.0, 0.0
    common = common_subsequence(answer, reference)
    return common / len(answer), common / len(reference)


def _combined(shares: Sequence[Shares | None], combine: Callable[[Shares], float]) -> Floats:
    values = [float("nan") if each is None else combine(each) for each in shares]
    return np.array(values, dtype=np.float64)


def _f(precision: float, recall: float, beta: float) -> float:
    below = recall + beta**2 * precision
    return (1 + beta**2) * precision * recall / below if below else 0.0
